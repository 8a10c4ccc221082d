import type { Colour } from '../page/scene.js'

/** What a client leaves out of its offer: lost packets sent again and all redundancy, or the wish to play a new partner at once. */
export type Omission = 'repair' | 'playout-delay'

/** A kind of client: what it runs on, what it negotiates, and what it looks and sounds like. */
export interface Kind {
  readonly name: string
  readonly engine: 'chromium' | 'firefox' | 'node'
  readonly colour: Colour
  readonly hz: number
  /** The codec of its picture, if it is not the one that both sides put first. */
  readonly sends?: 'video/VP9' | 'video/H264' | 'video/AV1'
  readonly without?: Omission
}

/** Lossy video cannot confuse their colours. */
export const kinds: readonly Kind[] = [
  { name: 'chromium', engine: 'chromium', colour: [200, 40, 40], hz: 440 },
  { name: 'firefox', engine: 'firefox', colour: [40, 150, 60], hz: 880 },
  { name: 'node', engine: 'node', colour: [50, 70, 210], hz: 1320 },
  { name: 'chromium-vp9', engine: 'chromium', colour: [210, 180, 40], hz: 1760, sends: 'video/VP9', without: 'playout-delay' },
  { name: 'chromium-bare', engine: 'chromium', colour: [190, 60, 190], hz: 2200, without: 'repair' },
  { name: 'chromium-h264', engine: 'chromium', colour: [40, 170, 180], hz: 2640, sends: 'video/H264' },
  { name: 'chromium-av1', engine: 'chromium', colour: [120, 120, 120], hz: 3080, sends: 'video/AV1' },
]

/**
 * Two frames of each second are a flash, and a beep begins with it. With twice as many frames, five clients and a server keep two processors so
 * busy that lips are late without the server too.
 */
export const beat = { frames: 15, flash: 2, hz: 4000, seconds: 0.06 } as const

/** The picture, and the rows that flash. A camera's colour is above them. */
export const picture = { width: 320, height: 240, flashTop: 180 } as const

export function kindNamed(name: string): Kind {
  const kind = kinds.find((k) => k.name === name)
  if (!kind) throw new Error(`there is no kind ${name}`)
  return kind
}
