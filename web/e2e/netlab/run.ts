/**
 * Two real browsers in network namespaces, with the networks between them and the real server in which people are found: NAT, UDP that is
 * dropped, networks that pass TLS only, one address family, a proxy. `npm run netlab -w e2e` runs every case, `-- --cases direct,proxy` only
 * those, and `--runs 5` as many meetings in each. Needs root and leaves nothing behind. One line per check, then a table; the same as JSON in
 * out/netlab.json; the last line is `N passed, N failed`; the exit code says the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle } from '../lib/bundle.js'
import { Checks, firstLine, Stopped } from '../lib/checks.js'
import { onPlane, program } from '../lib/server.js'
import { cases, type Case } from './cases.js'
import { changes, type Change } from './changes.js'
import { claim } from './claim.js'
import { meet, median, paths, times, type Result } from './meeting.js'
import { setUp } from './net.js'
import { stall } from './stall.js'
import { certify, World, type Setting } from './world.js'

const out = new URL('../out', import.meta.url).pathname

type Trial = Case | Change

const trials: readonly Trial[] = [...cases, ...changes, stall]

function chosen(list: string | undefined): readonly Trial[] {
  if (!list) return trials
  const names = list.split(',')
  const unknown = names.find((n) => !trials.some((t) => t.name === n))
  if (unknown) throw new Error(`there is no case ${unknown}; there are ${trials.map((t) => t.name).join(', ')}`)
  return trials.filter((t) => names.includes(t.name))
}

/** Runs one case in a world of its own. */
async function walk(t: Trial, setting: Setting, runs: number, checks: Checks): Promise<Result[]> {
  checks.begin(t.name)
  let world: World | undefined
  try {
    world = await World.make(setting, checks, { a: t.a, b: t.b }, ('engine' in t && t.engine) || 'chromium')
    if ('run' in t) {
      await t.run(world)
      return []
    }
    return await meet(world, t, runs)
  } catch (err) {
    if (!(err instanceof Stopped)) checks.check('the case goes through', false, firstLine(err))
    return []
  } finally {
    if (world) {
      const { log } = world.server
      const bad = log.split('\n').find((l) => /level=ERROR|panic/.test(l))
      checks.check('the log of the server has no error', bad === undefined, bad)
      await world.end()
      writeFileSync(join(out, `netlab-${t.name}${onPlane()}.log`), world.server.log)
      checks.check('all media took the plane that was asked for', ...world.server.plane)
    }
  }
}

function table(results: readonly Result[]): void {
  const row = (r: Result): Record<string, string | number> => {
    const all = times(r, 'picture')
    const number = (ms: number): number | string => (Number.isFinite(ms) ? ms : '-')
    return {
      case: r.name,
      browsers: r.browsers.a === r.browsers.b ? r.browsers.a : `${r.browsers.a}, ${r.browsers.b}`,
      met: `${r.meetings.filter((m) => !('failure' in m)).length}/${r.meetings.length}`,
      connected: number(median(times(r, 'connected'))),
      picture: number(median(all)),
      range: all.length > 0 ? `${Math.min(...all)}-${Math.max(...all)}` : '-',
      'path a': paths(r, 'a'),
      'path b': paths(r, 'b'),
    }
  }
  console.log("milliseconds from the page's offer, medians of both sides")
  console.table(results.map(row))
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { cases: { type: 'string' }, runs: { type: 'string', default: '3' } } })
  const list = chosen(values.cases)
  if (process.getuid?.() !== 0) throw new Error('network namespaces need root')
  mkdirSync(out, { recursive: true })
  const folder = claim()
  setUp()
  certify(folder)
  const setting = { folder, bin: await program(folder), script: await bundle('netlab/page.ts') }
  const checks = new Checks()
  const results: Result[] = []
  for (const t of list) results.push(...(await walk(t, setting, Number(values.runs), checks)))
  if (results.length > 0) table(results)
  writeFileSync(join(out, `netlab${onPlane()}.json`), JSON.stringify({ unit: 'ms', what: "from the page's createOffer", results }, undefined, 1) + '\n')
  console.log(`${checks.passed} passed, ${checks.failed} failed`)
  process.exitCode = checks.failed > 0 || checks.passed === 0 ? 1 : 0
}

try {
  await main()
} catch (err) {
  console.error(`netlab: ${firstLine(err)}`)
  process.exitCode = 1
}
process.exit() // a driver that lost its browser may keep a socket open
