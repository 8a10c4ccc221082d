/**
 * How good calls are: two real browsers in network namespaces, over our server and, beside it, browser to browser and over coturn, on links that
 * lose packets, are long, or become narrow in mid-call. `npm run quality -w e2e` runs every cell, `-- --only loss5,clean` only those; `--systems
 * direct,coturn` only those systems; `--seconds 20 --calls 1` is quick and rough; `--judge` also compares ours with direct of the same run;
 * `--add` counts the calls of the last run, in out/quality.json, to those of the same cells and systems, and forgets all others; `--traces` keeps
 * what both ends counted and showed, each half second and each frame, in out/quality-traces, a file per call. Needs root and Go and leaves
 * nothing behind. A line per call, then a table per cell; the same as JSON in out/quality.json. The exit code says only whether every call came
 * about, and what --judge found.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundle } from '../lib/bundle.js'
import { firstLine } from '../lib/checks.js'
import { program } from '../lib/server.js'
import { claim } from '../netlab/claim.js'
import { start } from '../netlab/clients.js'
import { certify } from '../netlab/world.js'
import { call, lengthMs, overheadMs, type Setting } from './call.js'
import { cells, type Cell } from './cells.js'
import { judge } from './judge.js'
import { Links } from './links.js'
import { evaluate, json, print, recall, type Outcome, type Result } from './results.js'
import { choose } from './systems.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const out = join(here, '../out')

const options = {
  only: { type: 'string', default: '' },
  systems: { type: 'string', default: '' },
  seconds: { type: 'string', default: '60' },
  calls: { type: 'string', default: '3' },
  judge: { type: 'boolean', default: false },
  add: { type: 'boolean', default: false },
  traces: { type: 'boolean', default: false },
} as const

/** How much is measured of each system in each cell. */
interface Plan {
  readonly seconds: number
  readonly calls: number
  /** Where what was recorded is kept. */
  readonly traces?: string
}

function names(list: string): string[] {
  return list.split(',').filter(Boolean)
}

function chosen(wanted: readonly string[]): readonly Cell[] {
  const unknown = wanted.find((n) => !cells.some((c) => c.name === n))
  if (unknown) throw new Error(`there is no cell ${unknown}; there are ${cells.map((c) => c.name).join(', ')}`)
  return cells.filter((c) => wanted.length === 0 || wanted.includes(c.name))
}

function number(flag: string, text: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new Error(`--${flag} takes a number from 1 on, not ${text}`)
  return n
}

async function prepare(folder: string, bin: string): Promise<Setting> {
  const links = Links.make(folder)
  certify(folder)
  const script = await bundle('quality/page/page.ts')
  const [a, b] = await Promise.all([start('chromium', 'a', {}, folder), start('chromium', 'b', {}, folder)])
  return { bin, folder, script, links, browsers: { a, b } }
}

/** One call; a failure is a result too. */
async function attempt(setting: Setting, { system, cell, calls }: Result, { seconds, traces }: Plan): Promise<Outcome | { failure: string }> {
  try {
    const recording = await call(setting, system, cell, seconds)
    if (traces) writeFileSync(join(traces, `${cell.name}-${system.name}-${calls.length + 1}.json`), JSON.stringify(recording))
    return evaluate(recording)
  } catch (err) {
    return { failure: firstLine(err) }
  }
}

/** Runs every system in every cell, one call of each after the other and then the next one of each, so that a bad hour meets all alike. */
async function measure(setting: Setting, results: readonly Result[], plan: Plan): Promise<void> {
  for (let i = 0; i < plan.calls; i++) {
    for (const r of results) {
      const outcome = await attempt(setting, r, plan)
      r.calls.push(outcome)
      const text = 'failure' in outcome ? `FAILED: ${outcome.failure}` : `${outcome.path.b}, processors ${Math.round(outcome.busy * 100)} % busy`
      console.log(`${i + 1}/${plan.calls} ${r.cell.name} ${r.system.name}: ${text}`)
    }
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options })
  const [seconds, calls] = [number('seconds', values.seconds), number('calls', values.calls)]
  const list = chosen(names(values.only))
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root')
  setPriority(-10) // of all that it starts too: Chromium takes a late thread for a full link
  const traces = join(out, 'quality-traces')
  mkdirSync(values.traces ? traces : out, { recursive: true })
  const folder = claim()
  const bin = await program(folder)
  const systems = choose(names(values.systems))
  const results: Result[] = list.flatMap((cell) => systems.map((system) => ({ cell, system, calls: [] })))
  const earlier = values.add ? recall(readFileSync(join(out, 'quality.json'), 'utf8')) : undefined
  if (earlier) {
    for (const r of results) r.calls.push(...earlier(r))
    console.log(`${results.reduce((sum, r) => sum + r.calls.length, 0)} calls of before count too`)
  }
  const ms = calls * results.reduce((sum, r) => sum + lengthMs(r.cell, seconds) + overheadMs, 0)
  console.log(`${results.length * calls} calls, about ${Math.ceil(ms / 60_000)} minutes`)

  const setting = await prepare(folder, bin)
  const browser = setting.browsers.a.name
  await measure(setting, results, { seconds, calls, ...(values.traces ? { traces } : {}) })
  await setting.links.straighten()
  print(results)
  writeFileSync(join(out, 'quality.json'), json(results, { browser, seconds, calls }))
  const failed = results.flatMap((r) => r.calls).filter((c) => 'failure' in c).length
  if (failed > 0) console.log(`${failed} calls failed`)
  const lost = values.judge ? judge(results) : 0
  process.exitCode = failed + lost > 0 ? 1 : 0
}

try {
  await main()
} catch (err) {
  console.error(`quality: ${firstLine(err)}`)
  process.exitCode = 1
}
process.exit() // a driver that lost its browser may keep a socket open
