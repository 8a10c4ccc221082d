import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server as Listener } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Bidi } from './bidi.js'
import { clientSpace, within, type Side } from './net.js'
import { expression, type ClientBrowser, type Tab } from './tab.js'

const prefs = {
  'app.normandy.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.manage-offline-status': false,
}

/** How long Firefox may take to listen or to end, in milliseconds. */
const patience = 30_000

/** Starts Firefox in the namespace of a side. It is driven over a WebSocket, which has to get in: the same port on this side leads there. */
export async function startFirefox(side: Side, folder: string): Promise<ClientBrowser> {
  const path = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
  if (!existsSync(path)) throw new Error(`there is no Firefox at ${path}: install it (apt-get install firefox-esr) or name another with FIREFOX`)
  const way = await forward(side)
  const { port } = way.address() as AddressInfo
  let child: ChildProcess | undefined
  try {
    const firefox = (child = await run(side, path, await profile(folder), port))
    const bidi = await Bidi.connect(port)
    return {
      name: bidi.name,
      open: (url) => open(bidi, url),
      async close() {
        const gone = ended(firefox)
        await bidi.close()
        await gone
        way.close()
      },
    }
  } catch (err) {
    child?.kill('SIGKILL')
    way.close()
    throw err
  }
}

/** Makes a profile with the preferences above. */
async function profile(folder: string): Promise<string> {
  const path = await mkdtemp(join(folder, 'firefox-'))
  const lines = Object.entries(prefs).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`)
  await writeFile(join(path, 'user.js'), lines.join('\n'))
  return path
}

/** Starts the program and waits until it says that it listens. */
async function run(side: Side, path: string, profile: string, port: number): Promise<ChildProcess> {
  const flags = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', String(port), 'about:blank']
  const [first = '', ...rest] = [...within(clientSpace(side)), path, ...flags]
  const child = spawn(first, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(new Error(`Firefox ${why}`))
    }
    const timer = setTimeout(() => fail(`did not listen within ${patience} ms`), patience)
    child.once('error', reject)
    child.once('exit', (code) => fail(`ended with ${code}`))
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (!line.includes('WebDriver BiDi listening')) return
      clearTimeout(timer)
      resolve()
    })
  })
  return child
}

/** Waits until the program has ended, and sees to it that it does. */
function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), patience)
    child.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

async function open(bidi: Bidi, url: string): Promise<Tab> {
  const { userContext } = await bidi.send('browser.createUserContext')
  const { context } = (await bidi.send('browsingContext.create', { type: 'tab', userContext })) as { context: string }
  await bidi.send('browsingContext.navigate', { context, url, wait: 'complete' })
  return {
    load: async (script) => void (await bidi.evaluate(context, `${script};0`)),
    async ask<T, A>(fn: (arg: A) => T | Promise<T>, arg?: A) {
      const text = await bidi.evaluate(context, `Promise.resolve(${expression(fn, arg)}).then(JSON.stringify)`)
      return (typeof text === 'string' ? JSON.parse(text) : undefined) as T
    },
    close: async () => void (await bidi.send('browser.removeUserContext', { userContext })),
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
