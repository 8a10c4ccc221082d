import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { executable, launchAs } from '../lib/browser.js'
import { startFirefox } from './firefox.js'
import { clientSpace, gateway, proxyPort, within, type Network, type Side } from './net.js'
import { expression, type ClientBrowser } from './tab.js'

/** The names that cases use. */
export type Engine = 'chromium' | 'firefox'

/** How long a browser may take for a page. */
const patience = 20_000

/** Starts a browser in the namespace of a side. `folder` takes what it needs for a while. */
export function start(engine: Engine, side: Side, network: Network, folder: string): Promise<ClientBrowser> {
  return engine === 'firefox' ? startFirefox(side, folder) : startChromium(side, network, folder)
}

/** A program that is the browser inside the namespace. */
async function wrapper(side: Side, browser: string, folder: string): Promise<string> {
  const path = join(folder, `${side}-chromium`)
  await writeFile(path, `#!/bin/sh\nexec ${within(clientSpace(side)).join(' ')} '${browser}' "$@"\n`)
  await chmod(path, 0o700)
  return path
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
