import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { until } from '../lib/visitor.js'
import { run, server, serverSpace, within } from '../netlab/net.js'

const port = 3478
const credentials = { username: 'quality', credential: 'quality' }

/** A running relay. */
export interface Relay {
  stop(): Promise<void>
}

/** Debian's TURN server. */
export const coturn = {
  program: '/usr/bin/turnserver',
  /** What a page needs to use it. */
  access: { urls: `turn:${server.v4}:${port}?transport=udp`, ...credentials },
  /** Starts it where our server is, and waits until it listens. `folder` takes what it has to write. */
  async start(folder: string): Promise<Relay> {
    const { username, credential } = credentials
    const flags = ['-n', '-p', String(port), '-r', 'quality', '-a', '-u', `${username}:${credential}`, '--no-tls', '--no-dtls', '--no-cli']
    const files = ['--pidfile', join(folder, 'turnserver.pid'), '-l', join(folder, 'turnserver.log'), '--simple-log', '-b', join(folder, 'turnserver.db')]
    const [first = '', ...rest] = [...within(serverSpace), coturn.program, ...flags, ...files]
    const child = spawn(first, rest, { stdio: 'ignore' })
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    // It has a buffer before its standard output, so it says too late that it is ready.
    const sockets = async (): Promise<string> => run([...within(serverSpace), 'ss', '-H', '-l', '-u', '-n', `sport = :${port}`])
    await until(sockets, (s) => s !== '', 'turnserver to listen')
    return {
      stop() {
        child.kill()
        return gone
      },
    }
  },
}
