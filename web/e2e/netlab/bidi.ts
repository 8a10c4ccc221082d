/** As much of WebDriver BiDi (w3.org/TR/webdriver-bidi) as the laboratory needs. */
import { WebSocket } from 'ws'

/** How long a browser may take for one command, in milliseconds. */
const patience = 20_000

type Fields = Record<string, unknown>

/** What a script came to (9.3.8.1): the serialised value, or what it threw. */
interface Evaluated {
  type: 'success' | 'exception'
  result?: { value?: unknown }
  exceptionDetails?: { text: string }
}

interface Waiting {
  done(result: Fields): void
  fail(err: Error): void
}

/** A session with a browser. Commands may be under way at the same time; all that are fail when the connection ends. */
export class Bidi {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  /** The browser's name and version. */
  name = ''

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#heard(JSON.parse(data.toString()) as Fields))
    socket.on('close', () => this.#fail(new Error('the browser has closed the connection')))
    socket.on('error', (err) => this.#fail(err))
  }

  /** Connects to a browser that listens on a port of this machine, and begins its only session. */
  static async connect(port: number): Promise<Bidi> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/session`, { handshakeTimeout: patience })
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const bidi = new Bidi(socket)
    const { capabilities } = await bidi.send('session.new', { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } })
    const { browserName, browserVersion } = capabilities as { browserName: string; browserVersion: string }
    bidi.name = `${browserName.charAt(0).toUpperCase()}${browserName.slice(1)} ${browserVersion.split('.')[0]}`
    return bidi
  }

  /** Sends a command and waits for its result. */
  send(method: string, params: Fields = {}): Promise<Fields> {
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#take(id)?.fail(new Error(`${method}: no answer within ${patience} ms`)), patience)
      const end = (fn: () => void): void => {
        clearTimeout(timer)
        fn()
      }
      this.#waiting.set(id, { done: (r) => end(() => resolve(r)), fail: (err) => end(() => reject(new Error(`${method}: ${err.message}`))) })
      this.#socket.send(JSON.stringify({ id, method, params }), (err) => err && this.#take(id)?.fail(err))
    })
  }

  /** Evaluates an expression in a page, waits if it is a promise, and returns its value, which has to be plain: a string, a number. */
  async evaluate(context: string, expression: string): Promise<unknown> {
    const params = { expression, target: { context }, awaitPromise: true }
    const { type, result, exceptionDetails } = (await this.send('script.evaluate', params)) as unknown as Evaluated
    if (type === 'exception') throw new Error(exceptionDetails?.text ?? 'the script failed')
    return result?.value
  }

  /** Closes the browser, which ends the session. */
  async close(): Promise<void> {
    await this.send('browser.close')
    this.#socket.terminate()
  }

  #heard(m: Fields): void {
    const waiting = typeof m['id'] === 'number' ? this.#take(m['id']) : undefined
    if (m['type'] === 'error') waiting?.fail(new Error(`${String(m['error'])}: ${String(m['message'])}`))
    else waiting?.done(m['result'] as Fields)
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #fail(err: Error): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)?.fail(err)
  }
}
