import { beat, kinds } from './kinds.js'

/** How finely a beep's beginning is found, in seconds. */
const step = 0.0025
/** From how many seconds a partner's tone is told. */
const span = 0.05
/** The least amplitude of a beep and of a tone; the whole range is 1. */
const least = { beep: 0.1, tone: 0.03 }
/** For so many seconds after a beep no other one begins. */
const apart = 0.3

/** The amplitude at `hz` (0 to 1), by Goertzel's algorithm. */
function amplitude(samples: Float32Array, rate: number, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / rate)
  let s1 = 0
  let s2 = 0
  for (const x of samples) {
    const s0 = x + k * s1 - s2
    s2 = s1
    s1 = s0
  }
  return (2 * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - k * s1 * s2))) / samples.length
}

/** Finds the beginnings of beeps in sound that is given to it piece by piece, and tells whose tone it is. */
export class Ear {
  /** The tone that was heard last, if it was one of those known and no other. */
  tone: number | undefined
  readonly rate: number
  readonly #beep: (at: number) => void
  readonly #window: Float32Array
  readonly #long: Float32Array
  #filled = 0
  #longFilled = 0
  #loudAt = -Infinity

  constructor(rate: number, beep: (at: number) => void) {
    this.rate = rate
    this.#beep = beep
    this.#window = new Float32Array(Math.round(rate * step))
    this.#long = new Float32Array(Math.round(rate * span))
  }

  /** Takes the next samples; `end` is the moment of the last one, in milliseconds. */
  hear(samples: Float32Array, end: number): void {
    samples.forEach((x, i) => {
      this.#window[this.#filled++] = x
      this.#long[this.#longFilled++] = x
      if (this.#filled === this.#window.length) this.#listen(end - ((samples.length - 1 - i) / this.rate) * 1000)
      if (this.#longFilled === this.#long.length) this.#tell()
    })
  }

  /** Forgets a piece that was begun: what comes next does not follow. */
  skip(): void {
    this.#filled = 0
    this.#longFilled = 0
  }

  #listen(end: number): void {
    this.#filled = 0
    if (amplitude(this.#window, this.rate, beat.hz) < least.beep) return
    if (end - this.#loudAt > apart * 1000) this.#beep(end - step * 1000)
    this.#loudAt = end
  }

  #tell(): void {
    this.#longFilled = 0
    const levels = kinds.map(({ hz }) => ({ hz, level: amplitude(this.#long, this.rate, hz) })).sort((a, b) => b.level - a.level)
    const [first, second] = levels
    this.tone = first && second && first.level > least.tone && first.level > 4 * second.level ? first.hz : undefined
  }
}
