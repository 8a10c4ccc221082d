import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { firstLine } from '../lib/checks.js'
import { Server } from '../lib/server.js'
import { until } from '../lib/visitor.js'
import type { ClientBrowser } from '../netlab/tab.js'
import { serverName, serverSpace, sides, within, type Side } from '../netlab/net.js'
import { cutMs, type Cell } from './cells.js'
import type { Links } from './links.js'
import type { QualityPage, Record as End } from './page/page.js'
import type { Pair, System } from './systems.js'

declare const quality: QualityPage

/** How long two may take to see each other, and are then left alone before anything is measured. */
const patienceMs = 30_000
const settleMs = 2_000

/** About how much longer a call takes than it is measured. */
export const overheadMs = settleMs + 4_000

/** What every call needs. */
export interface Setting {
  readonly bin: string
  readonly folder: string
  /** The script for the pages. */
  readonly script: string
  readonly links: Links
  readonly browsers: Record<Side, ClientBrowser>
}

/** What both ends of a call saw and counted. Moments are `Date.now()`. */
export interface Recording {
  readonly ends: Record<Side, End>
  readonly from: number
  readonly to: number
  /** When the link was narrow. */
  readonly cut?: { readonly from: number; readonly to: number }
  /** The media plane that our server used for both ends; empty where it carried nothing. */
  readonly plane: string
  /** How much of this machine's processors was in use, from 0 to 1. A call on a busy machine says little. */
  readonly busy: number
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The ticks that all processors together have worked and have had, since the machine started. */
function ticks(): { work: number; all: number } {
  const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/)
  const all = fields.slice(0, 8).reduce((sum, f) => sum + Number(f), 0)
  return { work: all - Number(fields[3]) - Number(fields[4]), all }
}

/** How long a call in a cell is measured. A cut comes after a third of the seconds, and the rest of them after it. */
export function lengthMs(cell: Cell, seconds: number): number {
  return seconds * 1000 + (cell.cut ? cutMs : 0)
}

/** Has two people talk over a system in a cell. It fails if our server served one of them by another plane than the system's. */
export async function call(s: Setting, system: System, cell: Cell, seconds: number): Promise<Recording> {
  await s.links.set(cell)
  const flags = ['--cert', join(s.folder, 'cert.pem'), '--key', join(s.folder, 'key.pem'), ...system.flags]
  const server = await Server.start(s.bin, { within: within(serverSpace), listen: ':443', flags })
  const relay = await system.relay?.start(s.folder)
  let pair: Pair | undefined
  let recorded: Omit<Recording, 'plane'>
  try {
    pair = await open(s)
    await meet(system, pair)
    recorded = await record(s, cell, seconds, pair)
    const bad = server.log.split('\n').find((l) => /level=ERROR|panic/.test(l))
    if (bad !== undefined) throw new Error(`the server complains: ${bad}`)
  } finally {
    for (const tab of pair ?? []) await Promise.allSettled([tab.ask(() => quality.close()), tab.close()])
    await relay?.stop()
    await server.stop()
  }
  if (!system.plane) return { ...recorded, plane: '' }
  // The server says so when it stops.
  const [right, text] = server.served(system.plane)
  if (!right) throw new Error(`the media took another plane: ${text}`)
  return { ...recorded, plane: system.plane }
}

async function open(s: Setting): Promise<Pair> {
  const tab = async (side: Side): Promise<Pair[0]> => {
    // A page of the server's origin without scripts of its own: what is not there.
    const t = await s.browsers[side].open(`https://${serverName}/quality.txt`)
    await t.load(s.script)
    return t
  }
  return Promise.all([tab('a'), tab('b')])
}

/** Begins a call and waits until both see each other. */
async function meet(system: System, pair: Pair): Promise<void> {
  try {
    await system.begin(pair)
    const seen = (): Promise<number[]> => Promise.all(pair.map((tab) => tab.ask(() => quality.seen())))
    await until(seen, (n) => n.every((x) => x > 0), 'both to see each other', patienceMs)
  } catch (err) {
    const stories = await Promise.all(pair.map((tab) => tab.ask(() => quality.story())))
    throw new Error([firstLine(err), ...stories.map((x, i) => `${sides[i]}: ${x}`)].join(' | '))
  }
}

async function record(s: Setting, cell: Cell, seconds: number, pair: Pair): Promise<Omit<Recording, 'plane'>> {
  await pause(settleMs)
  const before = ticks()
  const from = Date.now()
  const cut = cell.cut && (await narrow(s.links, cell.cut, (seconds * 1000) / 3))
  await pause(from + lengthMs(cell, seconds) - Date.now())
  const to = Date.now()
  const after = ticks()
  const [a, b] = await Promise.all([pair[0].ask(() => quality.record()), pair[1].ask(() => quality.record())])
  return { ends: { a, b }, from, to, busy: (after.work - before.work) / (after.all - before.all), ...(cut ? { cut } : {}) }
}

/** Makes a link narrow for a while, after a while. */
async function narrow(links: Links, cut: NonNullable<Cell['cut']>, afterMs: number): Promise<NonNullable<Recording['cut']>> {
  await pause(afterMs)
  links.cut(cut, true)
  const from = Date.now()
  try {
    await pause(cutMs)
  } finally {
    links.cut(cut, false)
  }
  return { from, to: Date.now() }
}
