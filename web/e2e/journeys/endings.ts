import type { Visitor } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'

/** The ways in which a call ends for the other one. */
export const endings: Journey = {
  name: 'endings',
  async run(w) {
    await tabClosed(w)
    await leave(w)
    await stay(w)
  },
}

async function leftAt(v: Visitor): Promise<number> {
  await v.reaches((s) => s.phase !== 'call', 'the call has ended')
  const changes = await v.changes()
  return changes.findLast((c) => c.phase === 'left')?.at ?? Infinity
}

async function tabClosed(w: World): Promise<void> {
  const [a, b] = await w.pair('sports')
  const at = Date.now()
  await a.page.close()
  const ms = (await leftAt(b)) - at
  w.checks.check('a closed tab ends the call within a second', ms < 1_000, `${ms} ms`)
  w.checks.check('because the partner left', (await b.state()).left?.reason === 'left')
  await w.checks.reach('the partner-left screen is shown', b.page.getByTestId('partner-left').waitFor())
  await b.leave()
}

async function leave(w: World): Promise<void> {
  const [a, b] = await w.pair('sports')
  const at = Date.now()
  await a.at('leave').click()
  const ms = (await leftAt(b)) - at
  w.checks.check('leaving ends the call within a second', ms < 1_000, `${ms} ms`)
  await w.checks.reach('who leaves is back at the topics', a.page.getByTestId('tile-any').waitFor())
  await w.checks.reach('the search goes on by itself', b.reaches((s) => s.phase === 'queued', 'queued again', 8_000))
}

/** Longer than the search takes to go on by itself. */
const dwellMs = 4_500

/** Who needs time before the next one has it: while the focus is on a choice, and for good on request. */
async function stay(w: World): Promise<void> {
  const [a, b] = await w.pair('news')
  await a.at('leave').click()
  await b.page.bringToFront()
  await b.page.getByTestId('partner-left').waitFor()
  await b.page.keyboard.press('Tab')
  w.checks.check('the first choice is to stay', (await b.page.evaluate(() => document.activeElement?.getAttribute('data-testid'))) === 'stay')
  await b.page.waitForTimeout(dwellMs)
  w.checks.check('nothing goes on while the focus is there', (await b.state()).phase === 'left')
  await b.page.keyboard.press('Enter')
  w.checks.check('the focus is back at the heading', (await b.page.evaluate(() => document.activeElement?.tagName)) === 'H1')
  await b.page.waitForTimeout(dwellMs)
  w.checks.check('nor after it', (await b.state()).phase === 'left')
  await b.at('auto-next').click()
  w.checks.check('the search by itself can be turned off for good', (await b.page.evaluate(() => localStorage.getItem('st.auto'))) === 'off')
}
