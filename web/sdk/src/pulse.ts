/** Notices a path that has died without a word: UDP that a network begins to drop, an address that is no longer ours. */

/** How often the counter is read while a call lasts. */
export const beatMs = 500
/** A path on which something came all the time and nothing has come for this long is dead. ICE itself takes 5 to 10 s to say so. */
const deadMs = 1_500
/** So many readings in a row with news mean that something comes all the time: in a call at least the server's feedback does. */
const steady = 3

/** What is known of the path. */
export interface Pulse {
  readonly received: number
  /** When the last reading was, and when the counter last grew, in milliseconds. */
  readonly readAt: number
  readonly grewAt: number
  /** Readings with news in a row. */
  readonly beats: number
}

/** Takes a reading of the bytes received at `now` (milliseconds). `dead` is said once; then the count begins again. */
export function beat(p: Pulse | undefined, received: number, now: number): { pulse: Pulse; dead: boolean } {
  // A page that was suspended knows nothing of the time between, and a smaller counter is another path's.
  if (!p || now - p.readAt >= deadMs || received < p.received) return { pulse: { received, readAt: now, grewAt: now, beats: 0 }, dead: false }
  if (received > p.received) return { pulse: { received, readAt: now, grewAt: now, beats: p.beats + 1 }, dead: false }
  const dead = p.beats >= steady && now - p.grewAt >= deadMs
  return { pulse: { ...p, readAt: now, beats: dead ? 0 : p.beats }, dead }
}
