import { createClient, type Client } from '@smalltalk/client'
import { browserPlatform } from '@smalltalk/client/browser'
import { Bare, type BareOptions } from './bare.js'
import { measure, path, type Sample } from './meter.js'
import { camera, microphone } from './pattern.js'
import { Screen, type Frame } from './screen.js'

// Runs in the page of one end of a call: the product's SDK or a bare connection, the same picture, and what measures it.

/** What one end saw and counted. Times are in milliseconds of the clock that `Date.now()` reads too. */
export interface Record {
  frames: Frame[]
  samples: Sample[]
  path: string
}

/** What the laboratory asks of a page. */
export interface QualityPage {
  /** Asks the product's server for a partner. */
  join(): Promise<void>
  /** The three steps of a call without it. */
  offer(o: BareOptions): Promise<string>
  answer(o: BareOptions & { sdp: string }): Promise<string>
  accept(sdp: string): Promise<void>
  /** How many of the partner's frames were shown. */
  seen(): number
  record(): Promise<Record>
  /** For people, when something has gone wrong. */
  story(): string
  close(): void
}

declare global {
  var quality: QualityPage
}

const screen = new Screen()
const tracks = { audio: microphone(), video: camera(() => performance.timeOrigin + performance.now()) }
const notes: string[] = []
let samples: Sample[] = []
let client: Client | undefined
let bare: Bare | undefined

function connection(): RTCPeerConnection | undefined {
  if (bare) return bare.pc
  return client?.pc instanceof RTCPeerConnection ? client.pc : undefined
}

async function join(): Promise<void> {
  const c = createClient({ url: location.origin, name: 'quality', version: '0.1.0', platform: browserPlatform(), log: (text) => notes.push(text) })
  client = c
  c.onRemote((stream) => {
    if (stream instanceof MediaStream) screen.show(stream)
    const pc = connection()
    if (pc) samples = measure(pc)
  })
  await c.setMedia(tracks)
  const unsubscribe = c.subscribe((s) => {
    if (s.link !== 'online' || s.phase !== 'idle') return
    unsubscribe()
    queueMicrotask(() => c.join({ topics: ['general'] }))
  })
  await c.connect()
}

async function open(o: BareOptions): Promise<Bare> {
  // Whoever may use the microphone is told the page's real addresses; others get names that nobody here can look up.
  const heard = await navigator.mediaDevices.getUserMedia({ audio: true })
  heard.getTracks().forEach((t) => t.stop())
  bare = new Bare(o, [tracks.audio, tracks.video], (stream) => screen.show(stream))
  samples = measure(bare.pc)
  return bare
}

globalThis.quality = {
  join,
  offer: async (o) => (await open(o)).offer(),
  answer: async ({ sdp, ...o }) => (await open(o)).answer(sdp),
  accept: async (sdp) => bare?.accept(sdp),
  seen: () => screen.frames.length,
  async record() {
    const pc = connection()
    return { frames: screen.frames, samples, path: pc ? await path(pc) : 'none' }
  },
  story: () => `connection ${connection()?.connectionState ?? 'none'}; ${notes.slice(-12).join('; ')}`,
  close() {
    client?.close()
    bare?.pc.close()
  },
}
