import { near, type Colour } from '../page/scene.js'
import { Ear } from './ear.js'
import type { Kind } from './kinds.js'

/** Moments at which a partner's flashes were shown and its beeps were played, in milliseconds of one clock. */
export interface Marks {
  flashes: number[]
  beeps: number[]
}

/** A call, and how long after its match the partner was there, in milliseconds; `undefined` while it is not. */
export interface Meeting {
  call: string
  peer: string
  picture: number | undefined
  tone: number | undefined
}

/** The milliseconds of a clock that never jumps, from the same beginning as `Date.now()`. */
export function clock(): number {
  return performance.timeOrigin + performance.now()
}

/** For how many milliseconds a piece of sound that came late is told from sound that is played late. */
const memory = 500

/** Tells when sound was played, where the one who takes it may come late: by the one who came least late in the last half second. */
class Pace {
  #played = 0
  #seen: { at: number; lead: number }[] = []

  /** The moment at which so many seconds more had been played, which were taken at `at`. */
  smooth(seconds: number, at: number): number {
    this.#played += seconds * 1000
    this.#seen = [...this.#seen.filter((s) => at - s.at < memory), { at, lead: at - this.#played }]
    return this.#played + Math.min(...this.#seen.map((s) => s.lead))
  }
}

/** What a client sees and hears, whatever it runs on. */
export class Senses {
  readonly marks: Marks = { flashes: [], beeps: [] }
  meeting: Meeting | undefined
  #matchAt = 0
  #partner: Kind | undefined
  #lit = true
  #ear: Ear | undefined
  readonly #pace = new Pace()

  /** A match has come. Whose picture and tone to wait for is `partner`, if it is known. */
  meets(call: string, peer: string, partner: Kind | undefined): void {
    this.#matchAt = clock()
    this.#partner = partner
    this.meeting = { call, peer, picture: undefined, tone: undefined }
  }

  /** A frame is shown at a moment: its colour, and how bright the rows are that flash, from 0 to 255. */
  frame(at: number, colour: Colour | undefined, brightness: number): void {
    if (this.#partner && this.meeting?.picture === undefined && near(colour, this.#partner.colour)) this.#note('picture', clock())
    const lit = brightness > 127
    if (lit && !this.#lit) this.marks.flashes.push(at)
    this.#lit = lit
  }

  /** Sound is played; `end` is when they were taken, `gap` says that these do not follow the ones before. */
  sound(samples: Float32Array, rate: number, end: number, gap = false): void {
    // Before the first packet has come, libwebrtc plays silence at another rate.
    if (this.#ear?.rate !== rate) this.#ear = new Ear(rate, (at) => this.marks.beeps.push(at))
    if (gap) this.#ear.skip()
    this.#ear.hear(samples, this.#pace.smooth(samples.length / rate, end))
    if (this.#partner && this.meeting?.tone === undefined && this.#ear.tone === this.#partner.hz) this.#note('tone', clock())
  }

  #note(what: 'picture' | 'tone', at: number): void {
    if (this.meeting && at >= this.#matchAt) this.meeting[what] = Math.round(at - this.#matchAt)
  }
}
