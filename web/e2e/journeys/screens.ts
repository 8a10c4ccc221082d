import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Locator } from 'playwright-core'
import type { Journey, World } from '../lib/world.js'
import { Server } from '../lib/server.js'
import { Visitor } from '../lib/visitor.js'

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } } as const
const schemes = ['light', 'dark'] as const

/** Every screen, on phone and desktop, light and dark: a picture of it, and what axe says. */
export const screens: Journey = {
  name: 'screens',
  async run(w) {
    // First: a server that was killed does not say which plane its media took.
    await outageScreens(w)
    await quiet(w)
    await listedOnly(w)
    await searchScreens(w)
    await callScreens(w)
    await againScreens(w)
    await tabScreens(w)
  },
}

async function quiet(w: World): Promise<void> {
  const a = await w.arrive('red')
  await w.checks.reach('no number where nobody is', a.at('tile-general').getByText('here').waitFor({ state: 'detached' }))
  await capture(w, a, 'home')
  await a.page.goto(`${w.server.url}/t/knitting`)
  await w.checks.reach('an invitation to any words', a.at('own').getByText('knitting').waitFor())
  await a.at('tile-gaming').click()
  await capture(w, a, 'home-own')
  await a.at('own').click()
  await a.at('tile-news').click()
  await capture(w, a, 'home-picked')
  await a.at('start').click()
  await a.at('local-video').waitFor()
  await capture(w, a, 'preview')
  await a.at('data-use').click()
  await a.page.getByRole('dialog').waitFor()
  await capture(w, a, 'data-use')
  await a.page.keyboard.press('Escape')
  await a.at('start').click()
  await a.at('cancel').waitFor()
  await capture(w, a, 'waiting')
  const b = await w.arrive('red', { refuse: true })
  await w.checks.reach('the number where somebody is', b.at('tile-news').getByText('1–4 here').waitFor())
  await a.leave()
  await b.at('start').click()
  await b.page.getByTestId('permission-help').waitFor()
  await capture(w, b, 'permission-help')
  await b.leave()
  await splash(w)
}

/** Where the operator's topics are the only ones. */
async function listedOnly(w: World): Promise<void> {
  const server = await Server.start(undefined, { flags: ['--no-free-topics'] })
  try {
    const a = await Visitor.arrive(w.browser, server.url, 'red')
    await a.page.goto(`${server.url}/t/knitting`)
    await a.page.getByTestId('no-topic').waitFor()
    await capture(w, a, 'home-no-topic')
    await a.at('tile-gaming').click()
    w.checks.check('no-topic: gone with the pick', !(await a.page.getByTestId('no-topic').isVisible()))
    await a.seek(async () => w.checks.check('no field for other topics', !(await a.at('own-topic').isVisible())))
    await a.leave()
  } finally {
    await server.stop()
  }
}

async function searchScreens(w: World): Promise<void> {
  const a = await w.arrive('red')
  await a.seek(async () => {
    await a.at('own-topic').fill('board games')
    await a.page.keyboard.press('Enter')
    await a.page.keyboard.press('Enter')
    await a.at('own-help').getByText('first').waitFor()
    await capture(w, a, 'search')
  })
  await a.begin()
  await a.at('widen-topics').waitFor()
  await capture(w, a, 'waiting-offer')
  await a.at('widen-topics').click()
  await a.at('widen-langs').click()
  await a.page.getByTestId('widened').getByText('Any topic and any language').waitFor()
  await capture(w, a, 'waiting-widened')
  await a.leave()
}

/** Asking back lasts ten seconds: one picture each time, then both ask and part again. */
async function againScreens(w: World): Promise<void> {
  const [a, b] = await w.pair('gaming')
  await b.page.evaluate(() => localStorage.setItem('st.auto', 'off'))
  const found: string[] = []
  const look = async (v: Visitor, name: string, label: string): Promise<void> => {
    await v.page.bringToFront()
    await v.page.screenshot({ path: `${out}/${name}-${label}.png`, animations: 'disabled' })
    for (const line of await inspect(v.page)) found.push(`${name}-${label}: ${line}`)
  }
  const skip = async (v: Visitor): Promise<void> => {
    // Nobody presses Next on a face in less time than a double click takes.
    await v.page.waitForTimeout(600)
    await v.page.bringToFront()
    await v.at('next').click()
    await v.at('again').waitFor()
  }
  await eachLook(b.page, async (label) => {
    await skip(a)
    await b.at('again').waitFor()
    await look(b, 'again', label)
    await a.page.bringToFront()
    await a.at('undo').click()
    await b.at('again').getByText('would like').waitFor()
    await look(b, 'again-wanted', label)
    await b.at('undo').click()
    await b.reaches((s) => s.phase === 'call', 'together again')
  })
  await eachLook(a.page, async (label) => {
    await skip(a)
    await look(a, 'waiting-again', label)
    await a.at('undo').click()
    await a.at('again').getByText('You asked').waitFor()
    await look(a, 'waiting-asked', label)
    await b.page.bringToFront()
    await b.at('undo').click()
    await a.reaches((s) => s.phase === 'call', 'together again')
  })
  w.checks.check('asking back: axe finds nothing serious in 4 looks', found.length === 0, found.slice(0, 4).join(' | '))
  await a.leave()
  await b.leave()
}

/** The splash lasts only while the first connection is made: hold that up. */
async function splash(w: World): Promise<void> {
  const context = await w.browser.newContext()
  await context.route('**/api/v1/guests', () => undefined)
  const page = await context.newPage()
  await page.goto(w.server.url)
  await page.getByRole('heading', { name: 'Small Talk' }).waitFor()
  await captureSplash(w, page)
  await context.close()
}

async function callScreens(w: World): Promise<void> {
  const [a, b] = await w.pair('gaming')
  await capture(w, a, 'call')
  await b.at('chat').click()
  await a.at('chat').click()
  for (const [v, text] of [[b, 'Hi! Which game are you playing?'], [a, 'A small one with big cards.']] as const) {
    await v.at('chat-input').fill(text)
    await v.at('chat-input').press('Enter')
  }
  await a.reaches((s) => s.chat.length === 2, 'two lines')
  await capture(w, a, 'call-chat')
  await a.page.getByRole('button', { name: 'Close chat' }).click()
  await b.at('camera').click()
  await a.page.getByText('Camera off').waitFor()
  await capture(w, a, 'call-camera-off')
  await a.at('details').click()
  await a.page.getByRole('dialog').waitFor()
  await capture(w, a, 'call-details')
  await a.page.keyboard.press('Escape')
  await b.at('next').click()
  await a.page.getByTestId('partner-left').waitFor()
  await a.at('stay').focus()
  await capture(w, a, 'partner-left')
  await a.at('stay').click()
  await capture(w, a, 'partner-left-stay')
  await a.leave()
  await b.leave()
}

async function tabScreens(w: World): Promise<void> {
  const a = await w.arrive('red')
  const second = await w.secondTab(a)
  await a.page.getByTestId('replaced').waitFor()
  await capture(w, a, 'replaced')
  await second.leave()
}

async function outageScreens(w: World): Promise<void> {
  const [a, b] = await w.pair('sports')
  await w.server.kill()
  await a.page.getByTestId('server-gone').waitFor()
  await capture(w, a, 'server-gone')
  await a.leave()
  await b.leave()
  await w.server.run()
}

type Page = Visitor['page']

async function eachLook(page: Page, fn: (label: string) => Promise<void>): Promise<void> {
  for (const [size, box] of Object.entries(sizes)) {
    for (const colorScheme of schemes) {
      await page.setViewportSize(box)
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await fn(`${size}-${colorScheme}`)
    }
  }
  await page.setViewportSize(sizes.desktop)
  await page.emulateMedia({ colorScheme: null, reducedMotion: null })
}

async function captureSplash(w: World, page: Page): Promise<void> {
  await eachLook(page, async (label) => {
    await page.screenshot({ path: `${out}/splash-${label}.png` })
  })
  w.checks.check('splash: 4 pictures', true)
}

const out = new URL('../out', import.meta.url).pathname

/** Takes the four pictures of a screen, scrolled to `from` if there is one, and lets axe look at each. */
export async function capture(w: World, v: Visitor, name: string, from?: Locator): Promise<void> {
  await v.page.bringToFront()
  const found: string[] = []
  await eachLook(v.page, async (label) => {
    await from?.evaluate((el) => el.scrollIntoView({ block: 'start' }))
    await v.page.screenshot({ path: `${out}/${name}-${label}.png`, animations: 'disabled' })
    for (const line of await inspect(v.page)) found.push(`${label}: ${line}`)
  })
  w.checks.check(`${name}: axe finds nothing serious in 4 looks`, found.length === 0, found.slice(0, 4).join(' | '))
}

/** What axe finds that is serious or critical. Evaluating its source from outside is not subject to the page's policy. */
async function inspect(page: Page): Promise<string[]> {
  await page.evaluate(await axe)
  const results = await page.evaluate(() => (globalThis as typeof globalThis & { axe: { run(): Promise<AxeResults> } }).axe.run())
  if (results.passes.length === 0) return ['axe looked at nothing']
  return results.violations
    .filter((x) => x.impact === 'serious' || x.impact === 'critical')
    .map((x) => `${x.id} at ${x.nodes.map((n) => n.target.join(' ')).join(', ')}`)
}
