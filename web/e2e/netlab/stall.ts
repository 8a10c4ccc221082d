import { readFileSync } from 'node:fs'
import { until } from '../lib/visitor.js'
import { pause, type Change } from './changes.js'
import { growthOf, judge } from './growth.js'
import { median } from './meeting.js'
import type { Frame } from './page.js'
import { begin, type Caller, type World } from './world.js'

/** How often the client stops reading; the others are watched in between too, so that what else the machine does falls on both. */
const rounds = 3
/** How long it reads nothing, and for how long the others are left in peace. */
const stallMs = 25_000
const calmMs = 10_000
/** How long it takes until what the kernels hold is full and only the server is left to wait. Not judged. */
const fillMs = 10_000
/** How long the machine has to itself after the client has come back, and at first until the encoders have found their bitrate. */
const settleMs = 3_000

/** What is compared is the 99th percentile of the delay in pieces of this length, so that one bad moment spoils one piece. */
const pieceMs = 5_000
/**
 * How many times that of the calm before and after a stall it may be for most people in most rounds. Noise is below; a server that waits for
 * the client adds seconds. Each is compared with himself, since a browser that was short of time once may show its partner late for good.
 */
const mostTimes = 1.5
/** The same for each person in the middle one of his rounds: one has more noise than all together, but nobody may be left without a picture. */
const mostForOne = 3

/** How much more memory the server may need meanwhile, in KiB. What waits for the client is a hundred or so. */
const mostMemory = 16 << 10

/** How many pairs there are beside. */
const pairs = 2

/** A time during which the others were watched: its beginning, its end, and the most memory that the server had. */
interface Watch {
  from: number
  to: number
  most: number
}

/** The server's resident memory in KiB. */
function memory(w: World): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${w.server.pid}/status`, 'utf8'))?.[1])
}

async function watch(w: World, ms: number): Promise<Watch> {
  const from = Date.now()
  let most = 0
  for (; Date.now() - from < ms; await pause(1_000)) most = Math.max(most, memory(w))
  return { from, to: from + ms, most }
}

/** The 99th percentile of somebody's delay in a piece of time. Who has no frame in it waits at least as long as it lasts. */
function p99(frames: readonly Frame[], from: number): number {
  const delays = frames.flatMap((f) => (f.at >= from && f.at < from + pieceMs && f.delay !== undefined ? [f.delay] : [])).sort((x, y) => x - y)
  return delays[Math.floor(0.99 * delays.length)] ?? Infinity
}

/** Those of the whole pieces of a watch, in order of time. */
function pieces(frames: readonly Frame[], { from, to }: Watch): number[] {
  return Array.from({ length: Math.floor((to - from) / pieceMs) }, (_, i) => p99(frames, from + i * pieceMs))
}

/** How much longer somebody's delay was in each stall than beside it; and all of it for people to read, the stalls in brackets. */
function compare(frames: readonly Frame[], calm: readonly Watch[], stalled: readonly Watch[]): { growth: number[]; text: string } {
  const without = calm.map((x) => pieces(frames, x))
  const during = stalled.map((x) => pieces(frames, x))
  return {
    growth: during.map((x, i) => growthOf(median(x), median([...(without[i] ?? []), ...(without[i + 1] ?? [])]))),
    text: without.map((x, i) => `${x.join(' ')}${during[i] ? ` (${during[i].join(' ')})` : ''}`).join(' '),
  }
}

/** `calm` has one element more than `stalled`: each stall lies between two of them. */
function check(w: World, seen: readonly (readonly Frame[])[], calm: readonly Watch[], stalled: readonly Watch[]): void {
  const people = seen.map((frames) => compare(frames, calm, stalled))
  const { all, each } = judge(people.map((p) => p.growth))
  const growth = people.flatMap((p) => p.growth)
  const detail = `${all.toFixed(2)}, from ${Math.min(...growth).toFixed(2)} to ${Math.max(...growth).toFixed(2)}; ms: ${people.map((p) => p.text).join('; ')}`
  w.checks.check(`p99 of the others' delay is at most ${mostTimes} times that without it`, all <= mostTimes, detail)
  w.checks.check(`and of each of them at most ${mostForOne} times`, each.every((x) => x <= mostForOne), each.map((x) => x.toFixed(2)).join(' '))
  const [before, most] = [calm[0]?.most ?? NaN, Math.max(...stalled.map((x) => x.most))]
  w.checks.check("the server's memory stays bounded", most - before <= mostMemory, `${before} KiB before, ${most} KiB at most meanwhile`)
}

/** The client reads nothing for a while, and again. Returns the part of it that counts. */
async function stallOnce(w: World, victim: Caller): Promise<Watch> {
  // Else it would make another connection after a second or two, and the server would not have to wait.
  await victim.endure(true)
  w.proxies.a?.stdin?.write('stall\n')
  await pause(fillMs)
  const stalled = await watch(w, stallMs - fillMs)
  const frames = await victim.frames(stalled.from)
  w.checks.check('the stalled client sees nothing', frames.length === 0, `${frames.length} frames`)
  w.proxies.a?.stdin?.write('flow\n')
  await victim.endure(false)
  const since = Date.now()
  await w.checks.reach('it sees the other again when it reads', until(() => victim.frames(since), (f) => f.length > 0, 'a frame', 30_000))
  await pause(settleMs)
  return stalled
}

/** A client on ICE-TCP stops reading, again and again, while others talk. */
export const stall: Change = {
  name: 'stall',
  a: { proxy: true },
  b: {},
  async run(w) {
    const victims = await w.callers()
    await begin(victims, false)
    for (const x of victims) await w.checks.reach(`${x.side} sees the other`, x.sees())
    const path = await victims[0].path()
    w.checks.check('the one who will stop reading is on TCP', path.kind === 'tcp', path.text)
    const others: Caller[] = []
    for (let i = 0; i < pairs; i++) {
      const pair = await w.others()
      await begin(pair)
      for (const x of pair) await w.checks.reach(`another pair sees each other`, x.sees())
      others.push(...pair)
    }
    await pause(settleMs)

    const calm = [await watch(w, calmMs)]
    const stalled: Watch[] = []
    for (let i = 0; i < rounds; i++) {
      stalled.push(await stallOnce(w, victims[0]))
      calm.push(await watch(w, calmMs))
    }
    const seen = await Promise.all(others.map((x) => x.frames(calm[0]?.from ?? 0)))
    check(w, seen, calm, stalled)
    for (const p of [...victims, ...others]) await p.leave()
  },
}
