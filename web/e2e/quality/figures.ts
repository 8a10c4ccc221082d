import type { Side } from '../netlab/net.js'
import type { Recording } from './call.js'
import { cutRate } from './cells.js'
import type { Sample } from './page/meter.js'
import type { Frame } from './page/screen.js'

/** What one end received from the other. `Infinity` stands for what never happened, NaN for what cannot be said. */
export interface Received {
  freezes: number
  frozenSeconds: number
  worstGapMs: number
  /** Frames in the worst full second. */
  leastFps: number
  sentKbps: number
  gotKbps: number
  concealedPercent: number
  /** From painting to showing. */
  delayMs: number
  delayP95Ms: number
  /** How much of the bytes received was sent again. */
  rtxPercent: number
  keyFrameRequests: number
}

/** What a cut did to the picture that had to fit. */
export interface Coped {
  /** Until the publisher sends less than 1.2 times what the link takes. */
  followSeconds: number
  frozenSeconds: number
  worstGapMs: number
  /** While the link was narrow. */
  delayP95Ms: number
  leastLines: number
  /** From the restoration until four fifths of the rate before the cut. */
  sentBackSeconds: number
  gotBackSeconds: number
}

interface Span {
  readonly from: number
  readonly to: number
}

/** What `receiver` received in a call. */
export function received(r: Recording, receiver: Side): Received {
  const { ends } = r
  const publisher = receiver === 'a' ? 'b' : 'a'
  const frames = within(ends[receiver].frames, r)
  const delays = sortedDelays(frames)
  const got = grown(ends[receiver].samples, r)
  const sent = grown(ends[publisher].samples, r)
  return {
    freezes: got('freezes'),
    frozenSeconds: got('frozenSeconds'),
    worstGapMs: worstGap(frames, r),
    leastFps: leastFps(ends[receiver].frames, r),
    sentKbps: (sent('sentBytes') * 8) / sent('at'),
    gotKbps: (got('gotBytes') * 8) / got('at'),
    concealedPercent: (100 * got('concealedSamples')) / got('audioSamples'),
    delayMs: quantile(delays, 0.5),
    delayP95Ms: quantile(delays, 0.95),
    rtxPercent: (100 * got('rtxBytes')) / got('gotBytes'),
    keyFrameRequests: got('keyFrameRequests'),
  }
}

/** What a cut did to the picture from A to B. */
export function coped({ ends, from, to, cut }: Recording & { cut: Span }): Coped {
  const [sent, got] = [ends.a.samples, ends.b.samples]
  const after: Span = { from: cut.from, to }
  const frames = within(ends.b.frames, after)
  const back = (samples: readonly Sample[], key: 'sentBytes' | 'gotBytes'): number => {
    const before = kbps(within(samples, { from: Math.max(from, cut.from - beforeMs), to: cut.from }), key)
    return first(rates(samples, key), { from: cut.to, to }, (rate) => rate >= 0.8 * before)
  }
  return {
    followSeconds: first(rates(sent, 'sentBytes'), cut, (rate) => rate < (1.2 * cutRate) / 1000),
    frozenSeconds: grown(got, after)('frozenSeconds'),
    worstGapMs: worstGap(frames, after),
    delayP95Ms: quantile(sortedDelays(within(frames, cut)), 0.95),
    leastLines: Math.min(...within(sent, cut).map((s) => s.lines)),
    sentBackSeconds: back(sent, 'sentBytes'),
    gotBackSeconds: back(got, 'gotBytes'),
  }
}

/** Over how much of the time before a cut its rate is taken. */
const beforeMs = 5_000

/** Over how much time a rate is taken that is looked for. */
const rateMs = 1_000

function within<T extends { at: number }>(list: readonly T[], { from, to }: Span): T[] {
  return list.filter((x) => x.at >= from && x.at <= to)
}

/** By how much each counter grew. */
function grown(samples: readonly Sample[], span: Span): (key: keyof Sample) => number {
  const inside = within(samples, span)
  const [one, other] = [inside[0], inside.at(-1)]
  return (key) => (one && other ? other[key] - one[key] : NaN)
}

function kbps(samples: readonly Sample[], key: 'sentBytes' | 'gotBytes'): number {
  const [one, other] = [samples[0], samples.at(-1)]
  return one && other ? ((other[key] - one[key]) * 8) / (other.at - one.at) : NaN
}

/** The rate in kb/s over the last second, at each sample that has one behind it. */
function rates(samples: readonly Sample[], key: 'sentBytes' | 'gotBytes'): { at: number; rate: number }[] {
  return samples.flatMap((s, i) => {
    const past = samples.findLast((x, j) => j < i && x.at <= s.at - 0.9 * rateMs)
    return past ? [{ at: s.at, rate: kbps([past, s], key) }] : []
  })
}

/** The seconds from the beginning of a span to the first rate in it that is as wanted. */
function first(list: readonly { at: number; rate: number }[], span: Span, wanted: (rate: number) => boolean): number {
  const hit = within(list, span).find((x) => wanted(x.rate))
  return hit ? (hit.at - span.from) / 1000 : Infinity
}

/** The longest time without a frame, edges included. */
function worstGap(frames: readonly Frame[], { from, to }: Span): number {
  const edges = [from, ...frames.map((f) => f.at), to]
  return Math.max(...edges.slice(1).map((t, i) => t - (edges[i] ?? t)))
}

/** Frames that the page had no time to look at count too. */
function leastFps(frames: readonly Frame[], { from, to }: Span): number {
  const shown = (t: number): number => frames.findLast((f) => f.at <= t)?.count ?? 0
  const seconds = Math.floor((to - from) / 1000)
  return Math.min(...Array.from({ length: seconds }, (_, i) => shown(from + (i + 1) * 1000) - shown(from + i * 1000)))
}

function sortedDelays(frames: readonly Frame[]): number[] {
  return frames.flatMap((f) => (f.delay === undefined ? [] : [f.delay])).sort((x, y) => x - y)
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}
