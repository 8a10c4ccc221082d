import { looks, until, type Visitor } from '../lib/visitor.js'
import type { Journey } from '../lib/world.js'
import { near } from '../page/scene.js'

/** A call and Next without a mouse. */
export const keyboard: Journey = {
  name: 'keyboard',
  async run(w) {
    const a = await w.arrive('red')
    const b = await w.arrive('green')
    await b.go('gaming')
    await a.page.bringToFront()
    await w.checks.reach('Tab reaches a topic', tabTo(a, 'tile-gaming'))
    await a.page.keyboard.press('Space')
    w.checks.check('Space picks it', (await a.at('tile-gaming').getAttribute('aria-pressed')) === 'true')
    await w.checks.reach('Tab reaches Start', tabTo(a, 'start'))
    await a.page.keyboard.press('Enter')
    await a.page.getByTestId('preview').waitFor()
    await w.checks.reach('Tab reaches Start in the preview', tabTo(a, 'start'))
    await a.page.keyboard.press('Enter')
    await w.checks.reach('and so to a call', a.sees('green'))
    w.checks.check('the focus is where the screen begins', (await a.page.evaluate(() => document.activeElement?.tagName)) === 'H1')
    const c = await w.arrive('blue')
    await c.go('gaming')
    await a.page.bringToFront()
    await w.checks.reach('Tab reaches Next', tabTo(a, 'next'))
    await a.page.keyboard.press('Enter')
    await w.checks.reach('Enter on Next brings the next one', a.sees('blue'))
    await w.checks.reach('b searches on', b.reaches((s) => s.phase === 'queued', 'queued', 8_000))
    await a.page.bringToFront()
    await a.page.keyboard.press('Escape')
    await a.page.keyboard.press('Escape')
    await w.checks.reach(
      'Escape twice is Next too',
      until(() => a.page.evaluate(() => globalThis.__probe.look()), (s) => !s.visible || near(s.colour, looks.green.colour), 'the partner gone'),
    )
  },
}

/** Presses Tab until the element has the focus. */
async function tabTo(v: Visitor, id: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await v.page.keyboard.press('Tab')
    if ((await v.page.evaluate(() => document.activeElement?.getAttribute('data-testid'))) === id) return
  }
  throw new Error(`60 times Tab did not reach ${id}`)
}
