import { readFileSync } from 'node:fs'
import { until } from '../lib/visitor.js'
import { pause, type Change } from './changes.js'
import { begin, type Caller, type World } from './world.js'

/** How long the client reads nothing, and for how long the others are watched before and after it. */
const stallMs = 60_000
const calmMs = 30_000

/** By how much the 99th percentile of the others' delay may grow. */
const mostTimes = 1.2

/** How much more memory the server may need meanwhile, in KiB. What waits for the client is a hundred or so. */
const mostMemory = 16 << 10

/** How many pairs there are beside. */
const pairs = 2

/** The delays from painting to showing that were measured since a moment, sorted. */
async function delays(people: readonly Caller[], since: number): Promise<number[]> {
  const frames = (await Promise.all(people.map((x) => x.frames(since)))).flat()
  return frames.flatMap((f) => (f.delay === undefined ? [] : [f.delay])).sort((x, y) => x - y)
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}

/** The server's resident memory in KiB. */
function memory(w: World): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${w.server.pid}/status`, 'utf8'))?.[1])
}

/** Runs for a while and returns the delays that were seen and the most memory that the server had. */
async function watch(w: World, people: readonly Caller[], ms: number): Promise<{ seen: number[]; most: number }> {
  const since = Date.now()
  let most = 0
  while (Date.now() - since < ms) {
    await pause(1_000)
    most = Math.max(most, memory(w))
  }
  return { seen: await delays(people, since), most }
}

function describe(seen: readonly number[]): string {
  return `median ${quantile(seen, 0.5)}, p99 ${quantile(seen, 0.99)} ms of ${seen.length} frames`
}

/** A client on ICE-TCP stops reading for a minute while others talk. */
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
    await pause(5_000) // until the encoders have found their bitrate

    const before = await watch(w, others, calmMs)
    w.proxies.a?.stdin?.write('stall\n')
    const during = await watch(w, others, stallMs)
    const stopped = await victims[0].frames(Date.now() - stallMs + 15_000)
    w.checks.check('the stalled client sees nothing', stopped.length === 0, `${stopped.length} frames`)
    w.proxies.a?.stdin?.write('flow\n')
    const since = Date.now()
    await w.checks.reach('it sees the other again when it reads', until(() => victims[0].frames(since), (f) => f.length > 0, 'a frame', 30_000))
    const after = await watch(w, others, calmMs)

    const calm = [...before.seen, ...after.seen].sort((x, y) => x - y)
    const [x, y] = [quantile(during.seen, 0.99), quantile(calm, 0.99)]
    w.checks.check(`p99 of the others' delay is at most ${mostTimes} times that without it`, x <= mostTimes * y, `stalled: ${describe(during.seen)}; else: ${describe(calm)}`)
    w.checks.check("the server's memory stays bounded", during.most - before.most <= mostMemory, `${before.most} KiB before, ${during.most} KiB at most meanwhile`)
    for (const p of [...victims, ...others]) await p.leave()
  },
}
