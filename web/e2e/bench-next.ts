/**
 * How long it takes from the arrival of `match` to the new partner's first picture, among three Chromium clients on the real server, at
 * both ends of each switch. Measured for the product's way, one peer connection that survives partners, and beside it in the same run for
 * a fresh peer connection per partner. Then, with a picture that needs all the bits that it can get, how long it takes until they are
 * sent, and how much is sent before by who waits. Prints tables and JSON, which is also written to out/bench-next.json. It fails at a
 * switch without a new picture within 5 s, if the full bitrate takes more than 3 s in the median at either end, and if who waits sends more
 * than 100 kbit/s in the median, sound and headers included. The number of switches of each kind is SWITCHES, by default 21.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { climb, type Climb } from './bench/climb.js'
import type { BenchPage, Weight } from './bench/page.js'
import { launch } from './lib/browser.js'
import { bundle } from './lib/bundle.js'
import { onPlane, Server } from './lib/server.js'
import { looks, until, type Look } from './lib/visitor.js'

declare const bench: BenchPage

type Mode = 'kept' | 'fresh'

const modes: readonly Mode[] = ['kept', 'fresh']
const labels = { kept: 'one connection', fresh: 'fresh connection' } as const
const switches = Number(process.env['SWITCHES'] ?? 21)
/** Switches of one kind before the other kind has its turn: once round the three clients. */
const round = 3
/** The longest wait for a new picture, in milliseconds. */
const patience = 5_000
/** How long two people look at each other before the next switch. Encoders answer one request for a key frame per 300 ms or so. */
const dwellMs = 1_000
/** How many switches are watched for the bitrate, for how long each, and how long a trickle has been sent before. */
const climbs = { switches: 4, watchMs: 10_000, waitMs: 5_000 }
/**
 * The longest that the bitrate may take to rise, and the most that who waits may send, sound and picture with their headers; medians. The
 * picture alone is told to take 50 kbit/s.
 */
const most = { riseMs: 3_000, waitingKbps: 100 }
/** An encoder takes a moment to slow down; what is sent while waiting is measured after that. */
const slowMs = 2_000
/** The server takes 6 offers of a session at once and then one each 5 s; a fresh connection costs one at each end. */
const offers = { burst: 6, everyMs: 5_000 }

/** One of the three, with what is left of its allowance of offers. */
class Rider {
  readonly page: Page
  readonly look: Look
  name = ''
  #allowance = offers.burst - 1
  #at = Date.now()

  constructor(page: Page, look: Look) {
    this.page = page
    this.look = look
  }

  /** Waits until the server will take another offer, and takes it off the allowance. */
  async spend(): Promise<void> {
    this.#refill()
    // A little more than one, since the server's clock started later than ours.
    if (this.#allowance < 1.2) await new Promise((resolve) => setTimeout(resolve, (1.2 - this.#allowance) * offers.everyMs))
    this.#refill()
    this.#allowance--
  }

  phase(): Promise<string> {
    return this.page.evaluate(() => bench.client.state.phase)
  }

  settled(): Promise<unknown> {
    return until(() => this.page.evaluate(() => bench.client.state.rtc), (rtc) => rtc === 'connected', `${this.look} to be connected`, patience)
  }

  async queue(): Promise<void> {
    await this.page.evaluate(() => bench.client.join({ topics: ['general'] }))
    await until(() => this.page.evaluate(() => bench.client.state.queue?.waiting ?? 0), (n) => n > 0, `${this.look} to wait`, patience)
  }

  /** The time to the new picture of the call `not` the one before. */
  async picture(not: string): Promise<number> {
    const s = await until(
      () => this.page.evaluate(() => bench.last()),
      (last) => last !== undefined && last.call !== not && last.picture !== undefined,
      `a new picture at ${this.look}`,
      patience,
    )
    return s?.picture ?? Infinity
  }

  weight(): Promise<Weight> {
    return this.page.evaluate(() => bench.weight())
  }

  async climb(): Promise<Climb> {
    return climb(await this.page.evaluate(() => bench.sent()))
  }

  call(): Promise<string> {
    return this.page.evaluate(() => bench.last()?.call ?? '')
  }

  #refill(): void {
    const now = Date.now()
    this.#allowance = Math.min(offers.burst, this.#allowance + (now - this.#at) / offers.everyMs)
    this.#at = now
  }
}

/** A client on the server's own page, without the user interface's scripts. Its camera shows its colour, or a crowd. */
async function ride(browser: Browser, url: string, script: string, look: Look, crowd = false): Promise<Rider> {
  const context = await browser.newContext({ viewport: { width: 400, height: 300 } })
  const page = await context.newPage()
  await page.route('**/*.js', (r) => r.abort())
  await page.goto(url)
  await page.evaluate(script)
  const rider = new Rider(page, look)
  const camera: Parameters<BenchPage['start']>[0] = crowd ? 'crowd' : looks[look].colour
  rider.name = await page.evaluate((what) => bench.start(what), camera)
  await rider.settled()
  return rider
}

interface Times {
  presser: number[]
  waiting: number[]
  failures: string[]
}

/** One switch: `presser` leaves `left` by Next and meets `waiting`, who has been in the queue. Returns who then talks and who waits. */
async function once(mode: Mode, presser: Rider, left: Rider, waiting: Rider, times: Times): Promise<void> {
  if (mode === 'fresh') await Promise.all([presser.spend(), waiting.spend()])
  for (const r of [presser, left, waiting]) await r.page.evaluate((fresh) => bench.mode(fresh), mode === 'fresh')
  await pause(dwellMs)
  const before = await Promise.all([presser.call(), waiting.call()])
  await presser.page.evaluate(() => bench.client.next())
  try {
    const [p, w] = await Promise.all([presser.picture(before[0]), waiting.picture(before[1])])
    times.presser.push(p)
    times.waiting.push(w)
  } catch (err) {
    times.failures.push(err instanceof Error ? err.message : String(err))
  }
  await Promise.all([presser.settled(), waiting.settled()])
  await until(() => left.phase(), (p) => p === 'left', `${left.look} to be left`, patience)
  await left.queue()
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** How the bitrate rises at some switches, and what was sent before. */
interface Rise {
  presser: Climb[]
  waiting: Climb[]
  /** By who waits, in kbit/s. */
  trickle: number[]
}

/** Has somebody wait, and returns what he sends meanwhile, in kbit/s. */
async function wait(waiting: Rider): Promise<number> {
  await pause(slowMs)
  const before = await waiting.weight()
  await pause(climbs.waitMs - slowMs)
  const after = await waiting.weight()
  return ((after.bytes - before.bytes) * 8) / (after.at - before.at)
}

/** How the bitrate rises at both ends of some switches: after Next, and from waiting. */
async function rise(a: Rider, b: Rider, c: Rider): Promise<Rise> {
  const seen: Rise = { presser: [], waiting: [], trickle: [] }
  await a.queue()
  await b.page.evaluate(() => bench.client.join({ topics: ['general'] }))
  await until(() => a.phase(), (p) => p === 'call', 'the first call', patience)
  await c.queue()
  let [presser, left, waiting] = [a, b, c]
  for (let i = 0; i < climbs.switches; i++) {
    seen.trickle.push(await wait(waiting))
    const before = await waiting.call()
    await presser.page.evaluate(() => bench.client.next())
    await until(() => waiting.call(), (call) => call !== before, 'the next call', patience)
    await pause(climbs.watchMs)
    seen.presser.push(await presser.climb())
    seen.waiting.push(await waiting.climb())
    await left.queue()
    ;[presser, left, waiting] = [waiting, presser, left]
  }
  return seen
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? NaN
}

function summary(values: readonly number[]): { n: number; median: number; p95: number; min: number; max: number } {
  const ms = (v: number): number => Math.round(v * 10) / 10
  return { n: values.length, median: ms(quantile(values, 0.5)), p95: ms(quantile(values, 0.95)), min: ms(quantile(values, 0)), max: ms(quantile(values, 1)) }
}

async function measure(a: Rider, b: Rider, c: Rider): Promise<Record<Mode, Times>> {
  const times: Record<Mode, Times> = { kept: { presser: [], waiting: [], failures: [] }, fresh: { presser: [], waiting: [], failures: [] } }
  await a.queue()
  await b.queue().catch(() => undefined)
  await Promise.all([a.picture(''), b.picture('')])
  await c.queue()
  // Whoever has just been found presses next, so that nobody meets the same partner twice in a row.
  let [presser, left, waiting] = [a, b, c]
  for (let done = 0; done < switches; done += round) {
    for (const mode of modes) {
      for (let i = 0; i < round; i++) {
        await once(mode, presser, left, waiting, times[mode])
        ;[presser, left, waiting] = [waiting, presser, left]
      }
    }
  }
  return times
}

/** The rise of the bitrate in figures. */
function rising(end: string, list: readonly Climb[]): object {
  const { n, median, min, max } = summary(list.map((c) => c.ms))
  return { end, n, median, min, max, 'kbit/s': Math.round(quantile(list.map((c) => c.kbps), 0.5)) }
}

/** What of the bitrates is not as it should be. */
function misses(r: Rise): string[] {
  const list: string[] = []
  for (const [end, climbs] of [['who pressed Next', r.presser], ['who waited', r.waiting]] as const) {
    const ms = quantile(climbs.map((c) => c.ms), 0.5)
    // Not a number is a miss, too.
    if (!(ms <= most.riseMs)) list.push(`${end}: the full bitrate took ${Math.round(ms)} ms in the median, more than ${most.riseMs}`)
  }
  const kbps = quantile(r.trickle, 0.5)
  if (!(kbps <= most.waitingKbps)) list.push(`who waits sends ${Math.round(kbps)} kbit/s in the median, more than ${most.waitingKbps}`)
  if (!(kbps > 0)) list.push('who waits sends nothing: the encoder is not kept warm')
  return list
}

// Three people meet each other again and again.
const server = await Server.start(undefined, { flags: ['--meet-again', '1ms'] })
const browser = await launch()
try {
  const script = await bundle('bench/page.ts')
  const riders = await Promise.all((['red', 'green', 'blue'] as const).map((look) => ride(browser, server.url, script, look)))
  const people = Object.fromEntries(riders.map((r) => [r.name, looks[r.look].colour]))
  for (const r of riders) await r.page.evaluate((list) => bench.know(list), people)
  const [a, b, c] = riders
  if (!a || !b || !c) throw new Error('three clients are needed')
  const times = await measure(a, b, c)
  for (const r of riders) await r.page.context().close()
  const crowd = await Promise.all((['red', 'green', 'blue'] as const).map((look) => ride(browser, server.url, script, look, true)))
  const [d, e, f] = crowd
  if (!d || !e || !f) throw new Error('three clients are needed')
  const rates = await rise(d, e, f)
  const bitrate = [rising('who pressed Next', rates.presser), rising('who waited', rates.waiting)]
  const results = modes.flatMap((mode) => [
    { mode, end: 'who pressed Next', ...summary(times[mode].presser) },
    { mode, end: 'who waited', ...summary(times[mode].waiting) },
    { mode, end: 'both', ...summary([...times[mode].presser, ...times[mode].waiting]) },
  ])
  const waiting = { 'kbit/s': Math.round(quantile(rates.trickle, 0.5)), samples: rates.trickle.map(Math.round) }
  const failures = [...modes.flatMap((mode) => times[mode].failures.map((f) => `${labels[mode]}: ${f}`)), ...misses(rates)]
  console.log('match to new picture, milliseconds')
  console.table(results.map((r) => ({ ...r, mode: labels[r.mode] })))
  console.log('match to 80 % of the later bitrate of the picture, milliseconds; and that bitrate')
  console.table(bitrate)
  console.log(`who waits sends ${waiting['kbit/s']} kbit/s in all`)
  const samples = Object.fromEntries(modes.map((m) => [m, { presser: times[m].presser.map(Math.round), waiting: times[m].waiting.map(Math.round) }]))
  const json = JSON.stringify({ unit: 'ms', what: 'match message to first frame of the new partner', switches, results, bitrate, waiting, samples, failures }, undefined, 1)
  console.log(json)
  const out = fileURLToPath(new URL('./out', import.meta.url))
  await mkdir(out, { recursive: true })
  await writeFile(`${out}/bench-next${onPlane()}.json`, json + '\n')
  for (const f of failures) console.log(`FAILED: ${f}`)
  process.exitCode = failures.length > 0 ? 1 : 0
} finally {
  await browser.close()
  await server.stop()
  const [right, text] = server.plane
  console.log(text)
  if (!right) process.exitCode = 1
}
