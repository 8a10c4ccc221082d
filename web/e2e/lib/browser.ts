import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

const flags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
]

/** The Chromium named by CHROMIUM, or the system's. */
export function executable(): string {
  const path = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
  if (!existsSync(path)) throw new Error(`there is no Chromium at ${path}: install it (apt-get install chromium) or name another with CHROMIUM`)
  return path
}

/** Starts Chromium for a server on this machine. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executable(), args: [...flags, '--allow-loopback-in-peer-connection'], headless: true })
}

/** Several pages are on screen at once, and none of them is to be slowed down for being behind another. */
const wakeful = ['--disable-renderer-backgrounding', '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows']

/** Starts the program at `path`, which becomes Chromium, with more flags. Signals to this process are left to the caller. */
export function launchAs(path: string, more: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath: path, args: [...flags, ...wakeful, ...more], headless: true, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false })
}
