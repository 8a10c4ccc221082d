import { firstLine } from '../lib/checks.js'
import { sides, type Side } from './net.js'
import type { Case } from './cases.js'
import { begin, onePort, secondPort, type Caller, type World } from './world.js'

/** What was measured at one end of one meeting; times in milliseconds since the page's `createOffer`. */
export interface Measured {
  connected: number
  picture: number
  path: string
}

/** One attempt of two people to meet. */
export type Meeting = Record<Side, Measured> | { failure: string }

/** All meetings of a case on one server. */
export interface Result {
  name: string
  browsers: Record<Side, string>
  meetings: Meeting[]
}

/** A case with fewer meetings says nothing about how much slower one server is than the other. */
const enough = 5

/** By how much the direct way may be slower than with media on a port number of its own. */
const mostTimes = 1.5

/** Runs all meetings of a case and checks them. */
export async function meet(w: World, c: Case, runs: number): Promise<Result[]> {
  const browsers = { a: w.browsers.a.name, b: w.browsers.b.name }
  const one: Result = { name: c.name, browsers, meetings: [] }
  const two: Result = { name: `${c.name}, two ports`, browsers, meetings: [] }
  const ports = new Set<string>()
  for (let i = 0; i < (c.compare ? Math.max(runs, enough) : runs); i++) {
    one.meetings.push(await meetOnce(w, c, onePort, () => w.sockets().forEach((x) => ports.add(x))))
    if (c.compare) two.meetings.push(await meetOnce(w, c, secondPort))
  }
  for (const r of c.compare ? [one, two] : [one]) {
    const failures = r.meetings.flatMap((m) => ('failure' in m ? [m.failure] : []))
    w.checks.check(`both see each other in ${r.meetings.length} meetings${r === two ? ' with two ports' : ''}`, failures.length === 0, failures[0] || summary(r))
  }
  const expected = ['tcp', 'udp'].map((p) => `${p} ${onePort}`)
  w.checks.check('every socket of the server has the one port number', [...ports].sort().join() === expected.join(), [...ports].sort().join(', '))
  if (c.compare) compare(w, one, two)
  return c.compare ? [one, two] : [one]
}

/** `during` is called while the two are in their call. */
async function meetOnce(w: World, c: Case, port: number, during?: () => void): Promise<Meeting> {
  let callers: Caller[] = []
  try {
    callers = await w.callers(port)
    const [a, b] = callers
    if (!a || !b) throw new Error('two callers are needed')
    await begin(callers, !c.noTurn)
    const [ma, mb] = await Promise.all([measure(a, c), measure(b, c)])
    during?.()
    return { a: ma, b: mb }
  } catch (err) {
    const stories = await Promise.all(callers.map((x) => x.report().then((r) => `${x.side}: ${r.story}`, () => `${x.side}: no answer`)))
    return { failure: [firstLine(err), ...stories].join(' | ') }
  } finally {
    await Promise.allSettled(callers.map((x) => x.leave()))
  }
}

/** Waits for the partner's picture, and sees that it came on a way that this network leaves open. */
async function measure(x: Caller, c: Case): Promise<Measured> {
  const { connected, picture } = await x.sees()
  if (connected === undefined || picture === undefined) throw new Error(`${x.side} has a picture without a connection`)
  const path = await x.path()
  const allowed = c.paths[sides.indexOf(x.side)] ?? []
  if (!allowed.includes(path.kind)) throw new Error(`${x.side} sees the other over ${path.text}, where only ${allowed.join(' and ')} should work`)
  return { connected, picture, path: path.text }
}

function compare(w: World, one: Result, two: Result): void {
  const [x, y] = [median(times(one, 'picture')), median(times(two, 'picture'))]
  w.checks.check(`one port takes at most ${mostTimes} times as long as two`, x <= mostTimes * y, `${x} ms and ${y} ms: ${(x / y).toFixed(2)}`)
}

/** What one or both sides measured in the meetings that succeeded. */
export function times(r: Result, what: 'connected' | 'picture', of: readonly Side[] = sides): number[] {
  return r.meetings.flatMap((m) => ('failure' in m ? [] : of.map((s) => m[s][what])))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const mid = sorted.length >> 1
  return sorted.length % 2 ? (sorted[mid] ?? NaN) : Math.round(((sorted[mid - 1] ?? NaN) + (sorted[mid] ?? NaN)) / 2)
}

/** How often each path was taken by a side. */
export function paths(r: Result, side: Side): string {
  const count = new Map<string, number>()
  for (const m of r.meetings) if (!('failure' in m)) count.set(m[side].path, (count.get(m[side].path) ?? 0) + 1)
  return [...count].map(([p, n]) => (count.size > 1 ? `${p} x${n}` : p)).join(', ')
}

function summary(r: Result): string {
  return `picture ${median(times(r, 'picture'))} ms, ${sides.map((s) => paths(r, s)).join(' / ')}`
}
