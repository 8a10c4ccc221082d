import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { Bidi } from '../netlab/bidi.js'
import { expression, type ClientBrowser, type Tab } from '../netlab/tab.js'

// Firefox for a server on this machine. Host names in candidates are for nobody here to look up.
const prefs = {
  'app.normandy.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.manage-offline-status': false,
}

/** How long Firefox may take to listen or to end, in milliseconds. */
const patience = 60_000

/** Starts Firefox; `folder` takes its profile. */
export async function startFirefox(folder: string, env: Record<string, string> = {}): Promise<ClientBrowser> {
  const path = process.env['FIREFOX'] ?? '/usr/bin/firefox-esr'
  if (!existsSync(path)) throw new Error(`there is no Firefox at ${path}: install it (apt-get install firefox-esr) or name another with FIREFOX`)
  const profile = await mkdtemp(join(folder, 'firefox-'))
  await writeFile(join(profile, 'user.js'), Object.entries(prefs).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`).join('\n'))
  const child = spawn(path, ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  try {
    const bidi = await Bidi.connect(await listening(child))
    return {
      name: bidi.name,
      open: (url) => open(bidi, url),
      async close() {
        const gone = ended(child)
        await bidi.close()
        await gone
      },
    }
  } catch (err) {
    child.kill('SIGKILL')
    throw err
  }
}

/** The port that Firefox says it listens on. */
function listening(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Firefox did not listen within ${patience} ms`)), patience)
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Firefox ended with ${code}`)))
    if (!child.stderr) return
    createInterface({ input: child.stderr }).on('line', (line) => {
      const port = /WebDriver BiDi listening on ws:\/\/\S+:(\d+)/.exec(line)?.[1]
      if (!port) return
      clearTimeout(timer)
      resolve(Number(port))
    })
  })
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
  const { context } = (await bidi.send('browsingContext.create', { type: 'window', userContext })) as { context: string }
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
