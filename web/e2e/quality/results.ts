import { sides, type Side } from '../netlab/net.js'
import type { Recording } from './call.js'
import type { Cell } from './cells.js'
import { coped, received, type Coped, type Received } from './figures.js'
import type { System } from './systems.js'

/** What a call came to. */
export interface Outcome {
  /** What each side received from the other. */
  received: Record<Side, Received>
  coped?: Coped
  path: Record<Side, string>
  plane: string
  busy: number
}

/** All calls over a system in a cell. */
export interface Result {
  readonly cell: Cell
  readonly system: System
  readonly calls: (Outcome | { failure: string })[]
}

export function evaluate(r: Recording): Outcome {
  return {
    received: { a: received(r, 'a'), b: received(r, 'b') },
    ...(r.cut ? { coped: coped({ ...r, cut: r.cut }) } : {}),
    path: { a: r.ends.a.path, b: r.ends.b.path },
    plane: r.plane,
    busy: r.busy,
  }
}

function succeeded(r: Result): Outcome[] {
  return r.calls.flatMap((c) => ('failure' in c ? [] : [c]))
}

/** One figure of every call that succeeded. */
export function values(r: Result, figure: (o: Outcome) => number | undefined): number[] {
  return succeeded(r).map((o) => figure(o) ?? NaN)
}

export function median(list: readonly number[]): number {
  const sorted = [...list].sort((x, y) => x - y)
  const mid = sorted.length >> 1
  const [low = NaN, high = NaN] = [sorted[mid - 1], sorted[mid]]
  return sorted.length % 2 || low === high ? high : (low + high) / 2
}

function show(x: number, digits: number): string {
  return Number.isNaN(x) ? '-' : x === Infinity ? 'never' : x.toFixed(digits)
}

/** The median and, of several calls, the range. */
function cellText(list: readonly number[], digits: number): string {
  const [least, most, middle] = [Math.min(...list), Math.max(...list), show(median(list), digits)]
  return list.length < 2 || least === most ? middle : `${middle} (${show(least, digits)}..${show(most, digits)})`
}

type Row = Record<string, string>

/** Columns: heading, figure, digits. */
type Columns<T> = readonly (readonly [string, keyof T, number])[]

const receivedColumns: Columns<Received> = [
  ['freezes', 'freezes', 0],
  ['frozen s', 'frozenSeconds', 1],
  ['worst gap ms', 'worstGapMs', 0],
  ['least fps', 'leastFps', 0],
  ['sent kb/s', 'sentKbps', 0],
  ['got kb/s', 'gotKbps', 0],
  ['rtx %', 'rtxPercent', 0],
  ['concealed %', 'concealedPercent', 1],
  ['delay ms', 'delayMs', 0],
  ['p95', 'delayP95Ms', 0],
  ['plis', 'keyFrameRequests', 0],
]

const copedColumns: Columns<Coped> = [
  ['follows s', 'followSeconds', 1],
  ['frozen s', 'frozenSeconds', 1],
  ['worst gap ms', 'worstGapMs', 0],
  ['p95 delay ms in the cut', 'delayP95Ms', 0],
  ['least lines', 'leastLines', 0],
  ['sent back s', 'sentBackSeconds', 1],
  ['got back s', 'gotBackSeconds', 1],
]

function row<T>(r: Result, columns: Columns<T>, of: (o: Outcome) => T | undefined): Row {
  return Object.fromEntries(columns.map(([heading, key, digits]) => [heading, cellText(values(r, (o) => of(o)?.[key] as number | undefined), digits)]))
}

/** How the calls went through, and on what machine. */
function circumstances(r: Result, side: Side): Row {
  const seen = new Set(succeeded(r).map((o) => [o.path[side], o.plane].filter(Boolean).join(', ')))
  const calls = `${succeeded(r).length}/${r.calls.length}`
  return { path: [...seen].join(' or ') || '-', calls, 'cpu %': cellText(values(r, (o) => 100 * o.busy), 0) }
}

/** Prints a table for each cell. */
export function print(results: readonly Result[]): void {
  for (const cell of new Set(results.map((r) => r.cell))) {
    console.log(`\n${cell.name}: ${cell.what}`)
    const here = results.filter((r) => r.cell === cell)
    const received = (r: Result): Row[] =>
      [...sides].reverse().map((side) => ({ system: `${r.system.name}, ${side} sees`, ...row(r, receivedColumns, (o) => o.received[side]), ...circumstances(r, side) }))
    console.table(cell.cut ? here.map((r) => ({ system: r.system.name, ...row(r, copedColumns, (o) => o.coped), ...circumstances(r, 'b') })) : here.flatMap(received))
  }
}

/** What `json` made of earlier calls, by cell and system. Null stands for what could not be said. */
export function recall(text: string): (r: Result) => Result['calls'] {
  const revive = (_: string, v: unknown): unknown => (v === 'never' ? Infinity : v === null ? NaN : v)
  const { results } = JSON.parse(text, revive) as { results: { cell: { name: string }; system: string; calls: Result['calls'] }[] }
  return (r) => results.find((x) => x.cell.name === r.cell.name && x.system === r.system.name)?.calls ?? []
}

/** Everything as JSON; what never happened is "never", what cannot be said is null. */
export function json(results: readonly Result[], about: object): string {
  const list = results.map((r) => ({ cell: r.cell, system: r.system.name, flags: r.system.flags, calls: r.calls }))
  return JSON.stringify({ ...about, results: list }, (_, v: unknown) => (v === Infinity ? 'never' : v), 1) + '\n'
}
