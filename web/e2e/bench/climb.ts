import type { Sent } from './page.js'

/** How the bitrate of a picture rises after a match. */
export interface Climb {
  /** Until the bitrate of the last half second is 80 % of the later one, in milliseconds after the match; Infinity if never. */
  ms: number
  /** The later one: that of the last three seconds, in kbit/s. */
  kbps: number
}

const windowMs = 500
const steadyMs = 3_000
const enough = 0.8

/** Judges what was sent from a match on. */
export function climb(sent: readonly Sent[]): Climb {
  const end = sent.at(-1)
  if (!end) return { ms: Infinity, kbps: 0 }
  const since = (now: Sent, ms: number): number => {
    const then = sent.findLast((s) => s.at <= now.at - ms)
    return then ? ((now.bytes - then.bytes) * 8) / (now.at - then.at) : 0
  }
  const kbps = since(end, steadyMs)
  const there = sent.find((s) => kbps > 0 && since(s, windowMs) >= enough * kbps)
  return { ms: there?.at ?? Infinity, kbps }
}
