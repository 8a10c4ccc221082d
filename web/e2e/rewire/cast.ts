import { executable, launchAs } from '../lib/browser.js'
import type { ClientBrowser, Tab } from '../netlab/tab.js'
import type { Actor } from './actor.js'
import { startFirefox } from './firefox.js'
import type { Kind } from './kinds.js'
import { nodeActor } from './node.js'
import { startSpeaker, type Speaker } from './speaker.js'

/** How long a browser may take for a page. */
const patience = 30_000

async function startChromium(): Promise<ClientBrowser> {
  // Without names in the place of addresses, pages find each other too.
  const browser = await launchAs(executable(), ['--allow-loopback-in-peer-connection', '--disable-features=WebRtcHideLocalIpsWithMdns'])
  return {
    name: `Chromium ${browser.version().split('.')[0]}`,
    close: () => browser.close(),
    async open(url) {
      const context = await browser.newContext({ viewport: { width: 400, height: 300 } })
      const page = await context.newPage()
      page.setDefaultTimeout(patience)
      await page.goto(url)
      return {
        load: async (script) => void (await page.evaluate(script)),
        ask: (fn, arg) => page.evaluate(`(${fn.toString()})(${JSON.stringify(arg) ?? ''})`),
        close: () => context.close(),
      }
    },
  }
}

/** The actor in a page, from afar. */
function remote(tab: Tab): Actor {
  const ask = (method: string) => (arg: unknown) =>
    tab.ask(({ name, value }) => (rewire as unknown as Record<string, (v: unknown) => Promise<unknown>>)[name]?.(value), { name: method, value: arg })
  // A thing with a method `then` would be taken for a promise.
  return new Proxy({} as Actor, { get: (_, method) => (method === 'then' ? undefined : ask(String(method))) })
}

/** Everybody who can be asked to play. */
export class Cast {
  readonly #script: string
  #speaker: Speaker | undefined
  #chromium: ClientBrowser | undefined
  #firefox: ClientBrowser | undefined

  private constructor(script: string) {
    this.#script = script
  }

  /** Starts the browsers. `script` is what makes a page an actor; `folder` takes what they need for a while. */
  static async gather(script: string, folder: string): Promise<Cast> {
    const cast = new Cast(script)
    try {
      cast.#speaker = await startSpeaker(folder)
      cast.#chromium = await startChromium()
      cast.#firefox = await startFirefox(folder, cast.#speaker.env)
      return cast
    } catch (err) {
      await cast.end()
      throw err
    }
  }

  get names(): string {
    return `${this.#chromium?.name}, ${this.#firefox?.name}, Node ${process.versions.node} on libwebrtc`
  }

  /** A new actor of a kind, on a page of the server's origin that has no scripts of its own: what is not there. */
  async call(engine: Kind['engine'], url: string): Promise<{ actor: Actor; leave: () => Promise<void> }> {
    if (engine === 'node') return nodeActor()
    const browser = engine === 'firefox' ? this.#firefox : this.#chromium
    if (!browser) throw new Error('the browsers have gone')
    const tab = await browser.open(`${url}/rewire.txt`)
    await tab.load(this.#script)
    return { actor: remote(tab), leave: () => tab.close() }
  }

  async end(): Promise<void> {
    await Promise.allSettled([this.#chromium?.close(), this.#firefox?.close()])
    await this.#speaker?.stop()
  }
}
