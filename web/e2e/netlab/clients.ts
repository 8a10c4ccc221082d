import { spawn } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server as Listener } from 'node:net'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import puppeteer from 'puppeteer-core'
import { executable, launchAs } from '../lib/browser.js'
import { clientSpace, gateway, proxyPort, within, type Network, type Side } from './net.js'

/** A page in a browser. */
export interface Tab {
  /** Runs a script for its effects. */
  load(script: string): Promise<void>
  /** Calls a function in the page, which may use nothing from outside itself, and waits for what it returns. */
  ask<T, A = undefined>(fn: (arg: A) => T | Promise<T>, arg?: A): Promise<T>
  close(): Promise<void>
}

/** A browser inside a client's namespace. */
export interface ClientBrowser {
  readonly name: string
  /** Opens a page in a profile of its own. */
  open(url: string): Promise<Tab>
  close(): Promise<void>
}

/** The names that cases use. */
export type Engine = 'chromium' | 'firefox'

/** How long a browser may take for a page. */
const patience = 20_000

/** Starts a browser in the namespace of a side. `folder` takes a small script that the drivers can start as if it were the browser. */
export function start(engine: Engine, side: Side, network: Network, folder: string): Promise<ClientBrowser> {
  return engine === 'firefox' ? startFirefox(side, folder) : startChromium(side, network, folder)
}

/** A program that is the browser inside the namespace. */
async function wrapper(side: Side, browser: string, folder: string): Promise<string> {
  const path = join(folder, `${side}-${browser.split('/').at(-1)}`)
  await writeFile(path, `#!/bin/sh\nexec ${within(clientSpace(side)).join(' ')} '${browser}' "$@"\n`)
  await chmod(path, 0o700)
  return path
}

function expression<T, A>(fn: (arg: A) => T, arg: A | undefined): string {
  return `(${fn.toString()})(${JSON.stringify(arg) ?? ''})`
}

async function startChromium(side: Side, network: Network, folder: string): Promise<ClientBrowser> {
  const proxy = network.proxy ? [`--proxy-server=http://${gateway(side)}:${proxyPort}`] : []
  const browser = await launchAs(await wrapper(side, executable(), folder), ['--ignore-certificate-errors', ...proxy])
  return {
    name: `Chromium ${browser.version().split('.')[0]}`,
    close: () => browser.close(),
    async open(url) {
      const context = await browser.newContext({ viewport: { width: 400, height: 300 }, ignoreHTTPSErrors: true })
      const page = await context.newPage()
      page.setDefaultTimeout(patience)
      await page.goto(url)
      return {
        load: async (script) => void (await page.evaluate(script)),
        ask: (fn, arg) => page.evaluate(expression(fn, arg)),
        close: () => context.close(),
      }
    },
  }
}

const firefoxPrefs = {
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.manage-offline-status': false,
}

/** Firefox is driven over a WebSocket, which has to get into the namespace: the same port on this side leads there. */
async function startFirefox(side: Side, folder: string): Promise<ClientBrowser> {
  const path = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
  if (!existsSync(path)) throw new Error(`there is no Firefox at ${path}: install it (apt-get install firefox-esr) or name another with FIREFOX`)
  const way = await forward(side)
  const port = (way.address() as AddressInfo).port
  try {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: await wrapper(side, path, folder),
      headless: true,
      debuggingPort: port,
      acceptInsecureCerts: true,
      extraPrefsFirefox: firefoxPrefs,
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    })
    return {
      name: (await browser.version()).replace(/\..*/, '').replace(/^f/, 'F').replace('/', ' '),
      async close() {
        await browser.close()
        way.close()
      },
      async open(url) {
        const context = await browser.createBrowserContext()
        const page = await context.newPage()
        page.setDefaultTimeout(patience)
        await page.goto(url)
        return {
          load: async (script) => void (await page.evaluate(`${script};0`)),
          ask: <T, A>(fn: (arg: A) => T | Promise<T>, arg?: A) => page.evaluate(expression(fn, arg)) as Promise<T>,
          close: () => context.close(),
        }
      },
    }
  } catch (err) {
    way.close()
    throw err
  }
}

const pipe = `const s = require('net').connect(+process.argv[1], '127.0.0.1'); s.on('error', () => process.exit(1)); process.stdin.pipe(s).pipe(process.stdout)`

/** Listens on a free port of this machine and connects who comes with the same port inside the client's namespace. */
async function forward(side: Side): Promise<Listener> {
  const listener = createServer((socket) => {
    const { port } = listener.address() as AddressInfo
    const [first = '', ...rest] = [...within(clientSpace(side)), process.execPath, '-e', pipe, String(port)]
    const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'ignore'] })
    socket.on('error', () => child.kill())
    child.stdin.on('error', () => socket.destroy())
    child.on('exit', () => socket.destroy())
    socket.pipe(child.stdin)
    child.stdout.pipe(socket)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return listener
}
