import type { Browser } from 'playwright-core'
import type { Checks } from './checks.js'
import type { Server } from './server.js'
import { Visitor, type Circumstances, type Look } from './visitor.js'

/** What a journey works with. */
export class World {
  readonly browser: Browser
  readonly server: Server
  readonly checks: Checks
  readonly visitors: Visitor[] = []

  constructor(browser: Browser, server: Server, checks: Checks) {
    this.browser = browser
    this.server = server
    this.checks = checks
  }

  async arrive(look: Look, options?: Circumstances): Promise<Visitor> {
    const v = await Visitor.arrive(this.browser, this.server.url, look, options)
    this.visitors.push(v)
    return v
  }

  async secondTab(of: Visitor): Promise<Visitor> {
    const v = await of.secondTab(this.server.url)
    this.visitors.push(v)
    return v
  }

  /** Two people who see each other. */
  async pair(topic: string, one: Look = 'red', two: Look = 'green'): Promise<[Visitor, Visitor]> {
    const [a, b] = await Promise.all([this.arrive(one), this.arrive(two)])
    await a.go(topic)
    await b.go(topic)
    await a.sees(two)
    await b.sees(one)
    return [a, b]
  }

  /** Everybody goes home; what the pages complained about is checked. */
  async end(): Promise<void> {
    const complaints: string[] = []
    for (const v of this.visitors) {
      complaints.push(...v.complaints)
      if (!v.page.isClosed()) complaints.push(...(await v.violations()))
    }
    this.checks.check('no error and no CSP violation in any page', complaints.length === 0, complaints.slice(0, 3).join(' | '))
    for (const v of this.visitors) await v.leave()
  }
}

/** A walk through the app; it fails by failed checks, or by throwing. */
export interface Journey {
  readonly name: string
  run(w: World): Promise<void>
}
