// Takes a picture of every scene, phone and desktop, light and dark, and lets
// axe look at each: node test/demo/shots.mjs [scene...]
// The pictures go to test/out, which git ignores.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { createServer } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))
const out = fileURLToPath(new URL('../out/', import.meta.url))
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream']
const SIZES = { phone: [390, 844], desktop: [1280, 800], small: [320, 568], wide: [2560, 1080], landscape: [844, 390] }

mkdirSync(out, { recursive: true })
const server = await createServer({ root: here, configFile: `${here}vite.config.ts`, logLevel: 'error', server: { port: 0 } })
await server.listen()
const base = server.resolvedUrls.local[0]
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless=new', ...args] })
const { SCENES } = await server.ssrLoadModule('/scenes.ts')
const only = process.argv.slice(2).filter((a) => !a.startsWith('--'))
const sizes = (process.argv.find((a) => a.startsWith('--sizes='))?.slice(8) ?? 'phone,desktop').split(',')
const schemes = (process.argv.find((a) => a.startsWith('--schemes='))?.slice(10) ?? 'light,dark').split(',')
let bad = 0
for (const size of sizes) {
  for (const colorScheme of schemes) {
    const [width, height] = SIZES[size]
    const page = await browser.newPage({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', hasTouch: size !== 'desktop' && size !== 'wide' })
    page.on('pageerror', (e) => console.log('error:', e.message))
    for (const name of only.length ? only : Object.keys(SCENES)) {
      await page.goto(`${base}?s=${name}`)
      await page.waitForSelector('h1')
      await page.waitForTimeout(SCENES[name].wait ?? (name.includes('gone') ? 1100 : 550))
      await page.screenshot({ path: `${out}${name}-${size}-${colorScheme}.png` })
      await page.addScriptTag({ path: axe })
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
      for (const v of violations) {
        bad++
        console.log(`${name} ${size} ${colorScheme}: ${v.impact} ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? n.failureSummary}`).join(' | ')}`)
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
      if (wide) console.log(`${name} ${size}: scrolls sideways`)
    }
    await page.close()
  }
}
await browser.close()
await server.close()
console.log(`${bad} findings`)
process.exit(bad ? 1 : 0)
