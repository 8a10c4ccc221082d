import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

const repo = fileURLToPath(new URL('../../..', import.meta.url))

/** The real program on free ports, with a data folder of its own. It can be killed and started again on the same ports. */
export class Server {
  readonly #bin: string
  readonly #folder: string
  #child: ChildProcess | undefined
  #listen = 'localhost:0'
  #log = ''
  url = ''

  private constructor(bin: string, folder: string) {
    this.#bin = bin
    this.#folder = folder
  }

  /** Starts the program named by SMALLTALK_BIN, or a fresh build. */
  static async start(): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'smalltalk-e2e-'))
    const given = process.env['SMALLTALK_BIN']
    const bin = given ?? join(folder, 'smalltalk')
    if (!given) await promisify(execFile)('go', ['build', '-o', bin, './cmd/smalltalk'], { cwd: repo })
    const server = new Server(bin, folder)
    await server.run()
    return server
  }

  /** What the program has written to its standard error. */
  get log(): string {
    return this.#log
  }

  /** Starts the program (again) and waits until it says that it is ready. */
  async run(): Promise<void> {
    const child = spawn(this.#bin, ['serve', '--listen', this.#listen, '--data', join(this.#folder, 'data')])
    this.#child = child
    child.stderr.on('data', (d: Buffer) => (this.#log += d.toString()))
    this.url = await new Promise<string>((resolve, reject) => {
      let out = ''
      child.stdout.on('data', (d: Buffer) => {
        out += d.toString()
        const url = /open (http:\/\/\S+)/.exec(out)?.[1]
        if (url) resolve(url)
      })
      child.on('error', reject)
      child.on('exit', (code) => reject(new Error(`smalltalk ended with ${code}: ${out}${this.#log}`)))
    })
    this.#listen = new URL(this.url).host
  }

  /** Ends the program as a power cut would. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Stops the program in order and removes its data. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }
}
