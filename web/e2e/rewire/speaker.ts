import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long the sound server may take to listen, in milliseconds. */
const patience = 15_000

/** A sound card that plays to nobody. */
export interface Speaker {
  /** What a program has in its environment to play there. */
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** Starts a sound server of our own, whose only card is a clock: without any, Firefox plays nothing and its audio context stands still. */
export async function startSpeaker(folder: string): Promise<Speaker> {
  const socket = join(folder, 'speaker')
  const modules = ['module-null-sink rate=48000', `module-native-protocol-unix auth-anonymous=1 socket=${socket}`]
  const flags = ['-n', '--daemonize=no', '--use-pid-file=no', '--disable-shm=yes', '--exit-idle-time=-1', '--high-priority=no', ...modules.map((m) => `--load=${m}`)]
  const home = { HOME: folder, XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder }
  const child = spawn('pulseaudio', flags, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...home } })
  let said = ''
  child.stderr.on('data', (d: Buffer) => (said += d.toString()))
  const gone = new Promise<string>((resolve) => {
    child.once('error', (err) => resolve(err.message))
    child.once('exit', (code) => resolve(`pulseaudio ended with ${code}: ${said}`))
  })
  const end = Date.now() + patience
  while (!existsSync(socket)) {
    const why = await Promise.race([gone, sleep(50)])
    if (why !== undefined) throw new Error(why)
    if (Date.now() > end) throw new Error(`pulseaudio did not listen within ${patience} ms: ${said}`)
  }
  return {
    env: { PULSE_SERVER: `unix:${socket}` },
    async stop() {
      child.kill()
      await gone
    },
  }
}
