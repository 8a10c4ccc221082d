import { until } from '../lib/visitor.js'
import { cut, moveOutside, type Network } from './net.js'
import { begin, type Caller, type World } from './world.js'

/** A call during which something happens to a network. */
export interface Change {
  readonly name: string
  readonly a: Network
  readonly b: Network
  run(w: World): Promise<void>
}

/** Within which time the partner's picture has to be back, in milliseconds. */
const backMs = 5_000

/** Within which time somebody who waits has to notice that the network is dead, and that it is back. */
const noticeMs = 12_000

/** How long the pictures are watched after a change. */
const watchMs = 12_000

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Two people who have looked at each other for a while. */
async function call(w: World): Promise<[Caller, Caller]> {
  const pair = await w.callers()
  await begin(pair)
  for (const x of pair) await w.checks.reach(`${x.side} sees the other`, x.sees())
  await pause(3_000)
  return pair
}

/** The longest time without a frame of the partner between a moment and now. */
async function gap(x: Caller, since: number): Promise<number> {
  const frames = (await x.frames(since)).map((f) => f.at)
  const edges = [since, ...frames, Date.now()]
  return Math.max(...edges.slice(1).map((t, i) => t - (edges[i] ?? t)))
}

/** Changes something and sees that each gets the picture of the same partner back. */
async function survive(w: World, pair: readonly Caller[], what: string, change: () => void): Promise<void> {
  const before = await Promise.all(pair.map((x) => x.report()))
  const since = Date.now()
  change()
  await pause(watchMs)
  for (const x of pair) {
    const ms = await gap(x, since)
    const { text } = await x.path()
    const detail = `away for ${ms >= watchMs ? `more than ${watchMs}` : ms} ms; now ${text}`
    w.checks.check(`${x.side} has the picture back after ${what}`, ms < backMs, ms < backMs ? detail : `${detail}; ${(await x.report()).story}`)
  }
  const after = await Promise.all(pair.map((x) => x.report()))
  const kept = after.every((r, i) => r.call !== '' && r.call === before[i]?.call) && after[0]?.call === after[1]?.call
  w.checks.check(`the call is the same after ${what}`, kept, kept ? '' : after.map((r, i) => `${before[i]?.call} -> ${r.call}: ${r.story}`).join(' | '))
}

async function bye(pair: readonly Caller[]): Promise<void> {
  for (const x of pair) await x.leave()
}

const udpCut: Change = {
  name: 'udp-cut',
  a: {},
  b: {},
  async run(w) {
    const pair = await call(w)
    await survive(w, pair, 'UDP was cut', () => cut('a', 'udp'))
    await survive(w, pair, 'UDP was restored', () => cut('a', 'nothing'))
    await bye(pair)
  },
}

const addressChange: Change = {
  name: 'address-change',
  a: { nat: 1, only: 4 },
  b: {},
  async run(w) {
    const pair = await call(w)
    await survive(w, pair, 'a change of address', () => moveOutside('a'))
    await bye(pair)
  },
}

const silence: Change = {
  name: 'silence',
  a: {},
  b: {},
  async run(w) {
    const [a, b] = await w.callers()
    await begin([a])
    const queued = (what: string, want: boolean) => until(() => a.report(), (r) => (r.link === 'online') === want && r.phase === 'queued', what, 2 * noticeMs)
    await queued('a to wait', true)
    await pause(5_000)
    for (const [network, online] of [['all', false], ['nothing', true]] as const) {
      const since = Date.now()
      cut('a', network)
      await queued(online ? 'a to be back' : 'a to notice', online)
      const ms = Date.now() - since
      w.checks.check(online ? 'and that the network is back' : 'who waits notices a dead network', ms <= noticeMs, `after ${ms} ms`)
    }
    await bye([a, b])
  },
}

export const changes: readonly Change[] = [udpCut, addressChange, silence]
