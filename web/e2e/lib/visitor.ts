import type { State } from '@smalltalk/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Change, ProbeOptions, Sample } from '../page/probe.js'
import { near, type Colour } from '../page/scene.js'
import { bundle } from './bundle.js'

/** Colours that lossy video cannot confuse, each with a tone of its own. */
export const looks = {
  red: { colour: [200, 40, 40], hz: 440 },
  green: { colour: [40, 150, 60], hz: 880 },
  blue: { colour: [50, 70, 210], hz: 1320 },
  yellow: { colour: [210, 180, 40], hz: 1760 },
} as const satisfies Record<string, { colour: Colour; hz: number }>

/** How somebody looks and sounds. */
export type Look = keyof typeof looks

/** What is not as with everybody. */
export type Circumstances = Partial<Omit<ProbeOptions, 'colour' | 'hz'>> & {
  /** The language of the browser. */
  locale?: string
  /** What is to be seen first, by its test id; the topics unless said otherwise. */
  first?: string
}

/** What a browser says on its console of a request that was refused. */
const refusal = /the server responded with a status of 4\d\d/

let source: Promise<string> | undefined

/** The script that installs the probe. tsx names functions through a helper, `__name`, that pages do not have. */
async function probe(options: ProbeOptions): Promise<string> {
  source ??= bundle('page/probe.ts', 'probe')
  return `globalThis.__name = (f) => f; ${await source}; probe.install(${JSON.stringify(options)})`
}

/** Polls `probe` until `done`, or throws with the last value seen. */
export async function until<T>(probe: () => Promise<T>, done: (v: T) => boolean, what: string, ms = 10_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const v = await probe()
    if (done(v)) return v
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}; last: ${JSON.stringify(v)?.slice(0, 300)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** What has gone over a media connection so far, in bytes; `pictures` is what came of the partner's picture. */
export interface Traffic {
  at: number
  sent: number
  pictures: number
}

/** What identifies a media connection. */
export interface Identity {
  fingerprint: string | undefined
  ssrcs: unknown[]
  offers: number
  peers: number
}

/** A person at a browser, in a context of his own unless one is given. */
export class Visitor {
  readonly look: Look
  readonly page: Page
  readonly context: BrowserContext
  /** Errors on the console and exceptions, but not that a server was away: some journeys kill it on purpose. */
  readonly complaints: string[] = []

  private constructor(look: Look, context: BrowserContext, page: Page) {
    this.look = look
    this.context = context
    this.page = page
    page.on('console', (m) => {
      if (m.type() === 'error' && !/net::ERR_(CONNECTION|EMPTY)_/.test(m.text())) this.complaints.push(m.text())
    })
    page.on('pageerror', (e) => this.complaints.push(e.message))
  }

  /** Opens the page and waits for the topics. */
  static async arrive(browser: Browser, url: string, look: Look, { locale = 'en-US', first, ...options }: Circumstances = {}): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale })
    await context.addInitScript({ content: await probe({ ...looks[look], refuse: false, crowd: false, ...options }) })
    return Visitor.open(context, url, look, first)
  }

  /** Another tab of the same browser profile. */
  async secondTab(url: string): Promise<Visitor> {
    return Visitor.open(this.context, url, this.look)
  }

  static async open(context: BrowserContext, url: string, look: Look, first = 'start'): Promise<Visitor> {
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    const v = new Visitor(look, context, page)
    await page.goto(url)
    await v.at(first).waitFor()
    return v
  }

  /** Takes back what the browser says of so many requests that were refused on purpose; it may say so late. */
  async forgive(requests = 1): Promise<void> {
    await until(async () => this.complaints.filter((c) => refusal.test(c)).length, (n) => n >= requests, `${this.look}: ${requests} refusals on the console`)
    for (let i = 0; i < requests; i++) this.complaints.splice(this.complaints.findIndex((c) => refusal.test(c)), 1)
  }

  at(id: string): ReturnType<Page['getByTestId']> {
    return this.page.getByTestId(id).filter({ visible: true })
  }

  state(): Promise<State> {
    return this.page.evaluate(() => globalThis.__smalltalk.state)
  }

  reaches(want: (s: State) => boolean, what: string, ms?: number): Promise<State> {
    return until(() => this.state(), want, `${this.look}: ${what}`, ms)
  }

  /** Picks the topic and goes through the preview to waiting, by mouse. */
  async go(topic: string): Promise<void> {
    await this.page.bringToFront()
    await this.pick(topic)
    await this.begin()
  }

  /** Goes from the topics through the preview to waiting, by mouse. */
  async begin(): Promise<void> {
    await this.page.bringToFront()
    await this.at('start').click()
    await this.page.getByTestId('preview').or(this.page.getByTestId('waiting')).or(this.page.getByTestId('next')).first().waitFor()
    if (await this.page.getByTestId('preview').isVisible()) await this.at('start').click()
    await this.reaches((s) => s.phase !== 'idle', 'waiting')
  }

  /** Opens the dialog about whom to meet, does something there and closes it. */
  async seek(fn: () => Promise<void>): Promise<void> {
    await this.page.bringToFront()
    await this.at('search').click()
    await this.page.getByRole('dialog').waitFor()
    await fn()
    await this.at('search-done').click()
    await this.page.getByRole('dialog').waitFor({ state: 'detached' })
  }

  /** Leaves exactly this topic picked. */
  async pick(topic: string): Promise<void> {
    await this.at('tile-any').click()
    const tile = this.at(`tile-${topic}`)
    if ((await tile.getAttribute('aria-pressed')) !== 'true') await tile.click()
  }

  /** Waits until the partner's colour is on screen. */
  async sees(partner: Look): Promise<void> {
    await this.page.bringToFront()
    await until(
      () => this.page.evaluate(() => globalThis.__probe.look()),
      (seen) => seen.visible && seen.live && near(seen.colour, looks[partner].colour),
      `${this.look} to see ${partner}`,
    )
  }

  /** Waits until the partner's tone, and nobody else's, is heard. */
  async hears(partner: Look): Promise<void> {
    const names = Object.keys(looks) as Look[]
    const list = names.map((n) => looks[n].hz)
    await until(
      () => this.page.evaluate((hz) => globalThis.__probe.hear(hz), list),
      (levels) => levels.every((db, i) => (names[i] === partner ? db > -60 : db < (levels[names.indexOf(partner)] ?? 0) - 15)),
      `${this.look} to hear ${partner}`,
    )
  }

  identity(): Promise<Identity> {
    return this.page.evaluate(async () => {
      const { pc } = globalThis.__smalltalk
      if (!(pc instanceof RTCPeerConnection)) throw new Error('no peer connection')
      const ssrcs: unknown[] = []
      ;(await pc.getStats()).forEach((r: { type: string; ssrc?: number }) => {
        if (r.type === 'inbound-rtp') ssrcs.push(r.ssrc)
      })
      return {
        fingerprint: /a=fingerprint:(.*)/.exec(pc.remoteDescription?.sdp ?? '')?.[1],
        ssrcs: ssrcs.sort(),
        offers: globalThis.__probe.offers,
        peers: globalThis.__probe.peers,
      }
    })
  }

  traffic(): Promise<Traffic> {
    return this.page.evaluate(async () => {
      const { pc } = globalThis.__smalltalk
      if (!(pc instanceof RTCPeerConnection)) throw new Error('no peer connection')
      const now = { at: performance.now(), sent: 0, pictures: 0 }
      ;(await pc.getStats()).forEach((r: { type: string; kind?: string; nominated?: boolean; bytesSent?: number; bytesReceived?: number; headerBytesReceived?: number }) => {
        if (r.type === 'candidate-pair' && r.nominated) now.sent += r.bytesSent ?? 0
        if (r.type === 'inbound-rtp' && r.kind === 'video') now.pictures += (r.bytesReceived ?? 0) + (r.headerBytesReceived ?? 0)
      })
      return now
    })
  }

  changes(): Promise<Change[]> {
    return this.page.evaluate(() => globalThis.__probe.changes)
  }

  record(): Promise<void> {
    return this.page.evaluate(() => globalThis.__probe.record())
  }

  recorded(): Promise<Sample[]> {
    return this.page.evaluate(() => globalThis.__probe.recorded())
  }

  violations(): Promise<string[]> {
    return this.page.evaluate(() => globalThis.__probe.violations)
  }

  leave(): Promise<void> {
    return this.context.close()
  }
}
