import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'

const repo = fileURLToPath(new URL('../../..', import.meta.url))

/** A running smalltalk on free ports with an empty data folder. */
export interface Server {
  readonly url: string
  stop(): Promise<void>
}

/** The program named by SMALLTALK_BIN, else a fresh build in `folder`. */
async function program(folder: string): Promise<string> {
  const given = process.env['SMALLTALK_BIN']
  if (given) return given
  const out = join(folder, 'smalltalk')
  await promisify(execFile)('go', ['build', '-o', out, './cmd/smalltalk'], { cwd: repo })
  return out
}

/** Resolves with the address that the program prints when it is ready. */
function ready(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = ''
    let err = ''
    child.stderr?.on('data', (d: Buffer) => (err += d.toString()))
    child.stdout?.on('data', (d: Buffer) => {
      out += d.toString()
      const url = /open (http:\/\/\S+)/.exec(out)?.[1]
      if (url) resolve(url)
    })
    child.on('error', reject)
    child.on('exit', (code) => reject(new Error(`smalltalk ended with ${code}: ${out}${err}`)))
  })
}

/** Builds and starts the server. */
export async function startServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'smalltalk-sdk-'))
  const child = spawn(await program(folder), ['serve', '--listen', 'localhost:0', '--data', join(folder, 'data')])
  const url = await ready(child)
  return {
    url,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
      await rm(folder, { recursive: true, force: true })
    },
  }
}
