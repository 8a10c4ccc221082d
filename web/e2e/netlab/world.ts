import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import type { Checks } from '../lib/checks.js'
import { Server } from '../lib/server.js'
import { looks, until, type Look } from '../lib/visitor.js'
import { start, type Engine } from './clients.js'
import { arrange, gateway, homeRouter, proxyPort, serverName, serverNames, serverSpace, sides, within, type Network, type Side } from './net.js'
import type { Frame, LabPage, Path, Report, Times } from './page.js'
import type { ClientBrowser, Tab } from './tab.js'

declare const netlab: LabPage

/** The one port number that an operator opens. */
export const onePort = 443

/** The ports of the server beside it that has its media on a second port number. */
const twoPorts = { https: 8443, media: 8444 }

/** How the two whom a case is about look. */
const pair: Record<Side, Look> = { a: 'red', b: 'green' }

/** How long people wait for each other. */
const patience = 15_000

/** Time for both pages to be ready before they start in the same moment. */
const leadMs = 300

/** What is the same for every case. */
export interface Setting {
  /** The built server. */
  readonly bin: string
  /** The script for the clients' pages. */
  readonly script: string
  /** A folder for everything that is needed for a while. */
  readonly folder: string
}

/** Makes a certificate for the server, which nobody else has signed. */
export function certify(folder: string): void {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=netlab']
  execFileSync('openssl', [...args, '-addext', `subjectAltName=${serverNames}`, '-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')], { stdio: 'pipe' })
}

/** One end of a call. */
export class Caller {
  readonly side: Side
  readonly tab: Tab
  readonly #look: Look
  readonly #partner: Look

  constructor(side: Side, tab: Tab, look: Look, partner: Look) {
    this.side = side
    this.tab = tab
    this.#look = look
    this.#partner = partner
  }

  /** Connects at a moment and asks for a partner. */
  start(at: number, turn: boolean): Promise<void> {
    return this.tab.ask((o) => netlab.start(o), { at, turn, colour: looks[this.#look].colour, partner: looks[this.#partner].colour })
  }

  /** Waits until the partner's colour is there. */
  sees(): Promise<Times> {
    return until(() => this.times(), (t) => t.picture !== undefined, `${this.side} to see the other`, patience)
  }

  times(): Promise<Times> {
    return this.tab.ask(() => netlab.times())
  }

  report(): Promise<Report> {
    return this.tab.ask(() => netlab.report())
  }

  path(): Promise<Path> {
    return this.tab.ask(() => netlab.path())
  }

  frames(since: number): Promise<Frame[]> {
    return this.tab.ask((t) => netlab.frames(t), since)
  }

  /** See {@link LabPage.endure}. */
  endure(on: boolean): Promise<void> {
    return this.tab.ask((x) => netlab.endure(x), on)
  }

  /** Says goodbye and closes the page. */
  async leave(): Promise<void> {
    await this.tab.ask(() => netlab.close())
    await this.tab.close()
  }
}

/** Lets people connect in the same moment; `turn` false has them throw the server's relays away. */
export async function begin(callers: readonly Caller[], turn = true): Promise<void> {
  const at = Date.now() + leadMs
  await Promise.all(callers.map((x) => x.start(at, turn)))
}

/** What a case works with: two networks, a browser in each, and a server that nobody else uses. */
export class World {
  readonly checks: Checks
  readonly server: Server
  readonly browsers: Record<Side, ClientBrowser>
  readonly proxies: Record<Side, ChildProcess | undefined>
  readonly #setting: Setting
  #second: Server | undefined

  private constructor(setting: Setting, checks: Checks, server: Server, browsers: Record<Side, ClientBrowser>, proxies: World['proxies']) {
    this.#setting = setting
    this.checks = checks
    this.server = server
    this.browsers = browsers
    this.proxies = proxies
  }

  /** Arranges the networks and starts everything in them. */
  static async make(setting: Setting, checks: Checks, networks: Record<Side, Network>, engine: Engine): Promise<World> {
    const proxies: World['proxies'] = { a: undefined, b: undefined }
    for (const side of sides) {
      arrange(side, networks[side])
      if (networks[side].proxy) proxies[side] = await startProxy(side)
    }
    const server = await serve(setting, onePort)
    const [a, b] = await Promise.all([start(engine, 'a', networks.a, setting.folder), start('chromium', 'b', networks.b, setting.folder)])
    return new World(setting, checks, server, { a, b }, proxies)
  }

  /** Opens a page on each side: of the server with one port number or, when `port` says so, with two. */
  async callers(port = onePort): Promise<[Caller, Caller]> {
    if (port !== onePort) this.#second ??= await serve(this.#setting, twoPorts.https, ['--media-listen', `:${twoPorts.media}`])
    return Promise.all([this.#caller('a', port, pair.a, pair.b), this.#caller('b', port, pair.b, pair.a)])
  }

  /** Opens two pages more on the second side, for others than the two whom the case is about. */
  others(): Promise<[Caller, Caller]> {
    return Promise.all([this.#caller('b', onePort, 'blue', 'yellow'), this.#caller('b', onePort, 'yellow', 'blue')])
  }

  async #caller(side: Side, port: number, look: Look, partner: Look): Promise<Caller> {
    // A page of the server's origin without scripts of its own: what is not there.
    const tab = await this.browsers[side].open(`https://${serverName}:${port}/netlab.txt`)
    await tab.load(this.#setting.script)
    return new Caller(side, tab, look, partner)
  }

  /** The local port numbers of everything that the server has open, of both protocols, whether it listens or not. */
  sockets(): string[] {
    const [first = '', ...rest] = [...within(serverSpace), 'ss', '-H', '-a', '-t', '-u', '-n', '-p']
    const mine = execFileSync(first, rest, { encoding: 'utf8' }).split('\n').filter((line) => line.includes(`pid=${this.server.pid},`))
    return mine.map((line) => {
      const [protocol = '', , , , local = ''] = line.split(/\s+/)
      return `${protocol} ${local.split(':').at(-1)}`
    })
  }

  async end(): Promise<void> {
    await Promise.allSettled(sides.map((s) => this.browsers[s].close()))
    for (const s of sides) this.proxies[s]?.kill()
    await this.#second?.stop()
    await this.server.stop()
  }
}

/** The port of the server with two port numbers. */
export const secondPort = twoPorts.https

function serve(s: Setting, port: number, more: readonly string[] = []): Promise<Server> {
  const flags = ['--cert', join(s.folder, 'cert.pem'), '--key', join(s.folder, 'key.pem'), ...more]
  return Server.start(s.bin, { within: within(serverSpace), listen: `:${port}`, flags })
}

async function startProxy(side: Side): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./proxy.ts', import.meta.url))
  const [first = '', ...rest] = [...within(homeRouter(side)), process.execPath, '--import', 'tsx', script, gateway(side), String(proxyPort)]
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'], cwd: fileURLToPath(new URL('..', import.meta.url)) })
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => line === 'ready' && resolve())
    child.once('exit', (code) => reject(new Error(`the proxy ended with ${code}`)))
  })
  return child
}
