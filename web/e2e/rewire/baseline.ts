import { setTimeout as sleep } from 'node:timers/promises'
import type { Actor } from './actor.js'
import type { Cast } from './cast.js'
import { kinds, type Kind } from './kinds.js'
import { offsets, type Lips } from './lips.js'
import { clock } from './senses.js'

/** How much later beeps come than flashes, each, soon after the beginning of a call and later; by who sends them and who shows them: `chromium>node`. */
export type Baseline = Record<string, Lips>

/**
 * When lips are watched in any call, and for how long, in milliseconds: soon after its beginning, and when they have had time to get into step. A
 * receiver takes seconds for that: a jitter buffer begins with up to half a second of sound, which it plays off slowly, and libwebrtc moves the
 * picture by some 20 ms a second only.
 */
const times = { soon: 2_000, later: 8_000, watch: 4_000 }

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
    const [atX, atY] = await Promise.all([watch(x.actor), watch(y.actor)])
    add(found, way(other, one), atX)
    add(found, way(one, other), atY)
    await Promise.all([x.actor.close(), y.actor.close()])
    await Promise.all([x.leave(), y.leave()])
  }
  return found
}

function add(found: Baseline, key: string, { early, lips }: Lips): void {
  const known = (found[key] ??= { early: [], lips: [] })
  known.early.push(...early)
  known.lips.push(...lips)
}

/** Watches one end of a call that has just begun. */
export async function watch(actor: Actor): Promise<Lips> {
  const early = await marks(actor, times.soon)
  const lips = await marks(actor, times.later - times.soon - times.watch)
  return { early, lips }
}

async function marks(actor: Actor, after: number): Promise<number[]> {
  await sleep(after)
  const from = clock()
  await sleep(times.watch)
  return offsets(await actor.marks(from))
}
