import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

const repo = fileURLToPath(new URL('../../..', import.meta.url))

/** What the server may pass media on by. */
export type Plane = 'fast' | 'pion'

/** How a server is started. */
export interface ServerOptions {
  /** The words before the program's name. */
  within?: readonly string[]
  /** HOST:PORT; free ports of localhost by default. */
  listen?: string
  /** More flags. */
  flags?: readonly string[]
}

/** Makes the program in a folder, unless SMALLTALK_BIN names a built one; returns its path. */
export async function program(folder: string): Promise<string> {
  const given = process.env['SMALLTALK_BIN']
  const bin = given ?? join(folder, 'smalltalk')
  if (!given) await promisify(execFile)('go', ['build', '-o', bin, './cmd/smalltalk'], { cwd: repo })
  return bin
}

/** What the names of a suite's results end in: what is not on the default plane is kept beside it. */
export function onPlane(): '' | '-pion' {
  return process.env['SMALLTALK_MEDIA_PLANE'] === 'pion' ? '-pion' : ''
}

/** The real program, with a data folder of its own. It can be killed and started again on the same ports. */
export class Server {
  readonly #command: readonly string[]
  readonly #flags: readonly string[]
  readonly #folder: string
  #child: ChildProcess | undefined
  #listen: string
  #log = ''
  url = ''

  private constructor(bin: string, folder: string, options: ServerOptions) {
    this.#command = [...(options.within ?? []), bin]
    this.#flags = options.flags ?? []
    this.#listen = options.listen ?? 'localhost:0'
    this.#folder = folder
  }

  /** Starts the program at `bin`, by default the one named by SMALLTALK_BIN or a fresh build. */
  static async start(bin?: string, options: ServerOptions = {}): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), 'smalltalk-e2e-'))
    const server = new Server(bin ?? (await program(folder)), folder, options)
    await server.run()
    return server
  }

  /** The process's number, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** What the program has written to its standard error. */
  get log(): string {
    return this.#log
  }

  /** Whether every connection since the last start took the media plane that the suite asks for; see `served`. */
  get plane(): [right: boolean, text: string] {
    return this.served(onPlane() === '-pion' ? 'pion' : 'fast')
  }

  /** Whether every connection since the last start took a media plane, by what the program says as it stops in order; the text says what it says. */
  served(asked: Plane): [right: boolean, text: string] {
    const ended = [...this.#log.matchAll(/msg="media ended" fast=(\d+) pion=(\d+) fallen_back=(\d+) pion_media=(\d+)/g)].at(-1)
    const [text = 'nothing', fast, pion, back, stray] = ended ?? []
    const served = asked === 'fast' ? Number(fast) > 0 && pion === '0' : Number(pion) > 0 && fast === '0'
    return [served && back === '0' && stray === '0', `${asked} was asked for: ${text}`]
  }

  /** Has the operator's own door carry out a command, and returns the JSON that it prints. */
  async admin(...command: string[]): Promise<unknown> {
    const [first = '', ...rest] = [...this.#command, 'admin', '--data', join(this.#folder, 'data'), '--json', ...command]
    const { stdout } = await promisify(execFile)(first, rest)
    return JSON.parse(stdout)
  }

  /** Starts the program (again) and waits until it says that it is ready. */
  async run(): Promise<void> {
    const [first = '', ...rest] = [...this.#command, 'serve', '--listen', this.#listen, '--data', join(this.#folder, 'data'), ...this.#flags]
    const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.on('data', (d: Buffer) => (this.#log += d.toString()))
    this.url = await new Promise<string>((resolve, reject) => {
      let out = ''
      child.stdout.on('data', (d: Buffer) => {
        out += d.toString()
        const url = /open (https?:\/\/\S+)/.exec(out)?.[1]
        if (url) resolve(url)
      })
      child.on('error', reject)
      child.on('exit', (code) => reject(new Error(`smalltalk ended with ${code}: ${out}${this.#log}`)))
    })
    // On free ports: from now on on those that it was given.
    if (this.#listen.endsWith(':0')) this.#listen = new URL(this.url).host
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
    // Not before all that it has written is there.
    const gone = new Promise((resolve) => child.once('close', resolve))
    child.kill(signal)
    await gone
  }
}
