/**
 * Twenty presses of Next in a row among five kinds of clients on the real server: Chromium three times, with unlike codecs and SDP, Firefox,
 * and libwebrtc in Node. Each kind meets each other one twice. Then Chromiums that send VP9, H.264 and AV1 do so among themselves. Everybody
 * must see his partner's colour and hear its tone, on the one connection that he began with, and sound and picture must stay in step: each
 * camera flashes and each microphone beeps once a second, in the same moment. `npm run rewire -w e2e` does so on both media planes, or on the
 * one that SMALLTALK_MEDIA_PLANE names. Calls from client to client without the server come first, while all others are connected too: they
 * say what these clients do to lips on this machine. Cameras rest while nobody looks or waits for them, so that it has time for the call that
 * is measured. One line per check, then tables; the same as JSON in out/rewire.json; the last line is `N passed, N failed`; the exit code says
 * the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../lib/bundle.js'
import { Checks, firstLine } from '../lib/checks.js'
import { program, Server } from '../lib/server.js'
import { baseline, way, type Baseline } from './baseline.js'
import { Cast } from './cast.js'
import { kindNamed } from './kinds.js'
import { median, spread } from './lips.js'
import { among, codecs, everybody, travel, type Arrival, type Toured } from './tour.js'

const out = new URL('../out', import.meta.url).pathname

/**
 * How far sound and picture may be apart, in milliseconds; on a machine that is busy, how much further than without the server, and how far
 * whatever they are there.
 */
const apart = { most: 80, more: 40, ever: 200 }

/** Plays the tours on one plane. */
async function play(plane: string, bin: string, cast: Cast, checks: Checks): Promise<Toured[]> {
  process.env['SMALLTALK_MEDIA_PLANE'] = plane
  checks.begin(plane)
  const server = await Server.start(bin, { flags: ['--meet-again', '1ms'] }) // each meets each other one twice
  const toured: Toured[] = []
  try {
    for (const tour of [everybody, codecs]) toured.push(await travel(tour, cast, server.url, checks))
    return toured
  } catch (err) {
    checks.check('the tours go through', false, firstLine(err))
    return toured
  } finally {
    await server.stop()
    const bad = server.log.split('\n').find((l) => /level=ERROR|panic/.test(l))
    checks.check('the log of the server has no error', bad === undefined, bad)
    checks.check('all media took the plane that was asked for', ...server.plane)
    writeFileSync(join(out, `rewire-${plane}.log`), server.log)
  }
}

/** Judges the lips at each end of each call. */
function judge(t: Toured, direct: Baseline, checks: Checks): void {
  for (const { ends, load } of t.rewires) {
    for (const { from, to, lips } of ends) {
      const most = bound(direct[way(kindNamed(from), kindNamed(to))] ?.lips ?? [], load)
      checks.check(`lips of ${from} at ${to} are within ${most} ms`, Math.abs(median(lips)) <= most, `${spread(lips)} of ${lips.length}`)
    }
  }
}

/** What lips may be apart in a call, given what they were without the server and what else the machine did. */
function bound(direct: readonly number[], load: number): number {
  const busy = load > availableParallelism()
  return busy ? Math.min(Math.max(apart.most, Math.abs(median(direct)) + apart.more), apart.ever) : apart.most
}

function table(plane: string, t: Toured): void {
  console.log(`${plane}: milliseconds from the match to the partner's picture and tone; beeps after flashes after 2 and after 8 s, median (range); at who pressed Next / at who waited`)
  const both = (ends: readonly Arrival[], show: (e: Arrival) => string | number | undefined): string => ends.map((e) => show(e) ?? '-').join(' / ')
  console.table(
    t.rewires.map(({ pressed, left, waited, ends, load }) => ({
      left,
      pressed,
      waited,
      picture: both(ends, (e) => e.picture),
      tone: both(ends, (e) => e.tone),
      codec: both(ends, (e) => e.codec.replace('video/', '')),
      early: both(ends, (e) => spread(e.early)),
      lips: both(ends, (e) => spread(e.lips)),
      load,
    })),
  )
  console.table(t.signed)
}

async function main(): Promise<void> {
  mkdirSync(out, { recursive: true })
  const planes = process.env['SMALLTALK_MEDIA_PLANE'] ? [process.env['SMALLTALK_MEDIA_PLANE']] : ['fast', 'pion']
  const folder = await mkdtemp(join(tmpdir(), 'rewire-'))
  const bin = await program(folder)
  const checks = new Checks()
  const cast = await Cast.gather(await bundle('rewire/page.ts'), folder)
  try {
    console.log(cast.names)
    const server = await Server.start(bin)
    const direct = await among(everybody, cast, server.url, () => baseline(cast, server.url)).finally(() => server.stop())
    console.log('calls without the server: beeps after flashes after 2 and after 8 s, milliseconds, median (range)')
    console.table(Object.entries(direct).map(([direction, { early, lips }]) => ({ direction, early: spread(early), lips: spread(lips) })))
    const tours: Record<string, Toured[]> = {}
    for (const plane of planes) {
      const toured = await play(plane, bin, cast, checks)
      tours[plane] = toured
      for (const t of toured) {
        judge(t, direct, checks)
        table(plane, t)
      }
    }
    writeFileSync(join(out, 'rewire.json'), JSON.stringify({ unit: 'ms', direct, tours }, undefined, 1) + '\n')
  } finally {
    await cast.end()
    await rm(folder, { recursive: true, force: true })
  }
  console.log(`${checks.passed} passed, ${checks.failed} failed`)
  process.exitCode = checks.failed > 0 || checks.passed === 0 ? 1 : 0
}

try {
  await main()
} catch (err) {
  console.error(`rewire: ${firstLine(err)}`)
  process.exitCode = 1
}
process.exit() // libwebrtc keeps threads, and a driver that lost its browser a socket
