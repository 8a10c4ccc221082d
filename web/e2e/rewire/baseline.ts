import { setTimeout as sleep } from 'node:timers/promises'
import type { Cast } from './cast.js'
import { kinds, type Kind } from './kinds.js'
import { offsets } from './lips.js'
import { clock } from './senses.js'

/** How much later beeps come than flashes, by who sends them and who shows them: `chromium>node`. */
export type Baseline = Record<string, number[]>

/** How long a call without a server settles, and is then measured, in milliseconds. */
export const settle = 8_000
const measure = 6_000

/** The numbers of two kinds for each pair of engines. */
const pairs = [
  [0, 3],
  [0, 1],
  [0, 2],
  [1, 2],
] as const

/** The key of a direction. */
export function way(from: Kind, to: Kind): string {
  return `${from.engine}>${to.engine}`
}

/** Measures calls from client to client, without the server, on this machine. */
export async function baseline(cast: Cast, url: string): Promise<Baseline> {
  const found: Baseline = {}
  for (const [a, b] of pairs) {
    const [one, other] = [kinds[a], kinds[b]]
    if (!one || !other) continue
    const [x, y] = await Promise.all([cast.call(one.engine, url), cast.call(other.engine, url)])
    await x.actor.accept(await y.actor.answer({ kind: b, sdp: await x.actor.offer(a) }))
    await sleep(settle)
    const from = clock()
    await sleep(measure)
    const [atX, atY] = await Promise.all([x.actor.marks(from), y.actor.marks(from)])
    ;(found[way(other, one)] ??= []).push(...offsets(atX))
    ;(found[way(one, other)] ??= []).push(...offsets(atY))
    await Promise.all([x.actor.close(), y.actor.close()])
    await Promise.all([x.leave(), y.leave()])
  }
  return found
}
