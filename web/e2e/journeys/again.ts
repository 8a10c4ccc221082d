import type { Journey, World } from '../lib/world.js'
import type { Visitor } from '../lib/visitor.js'

/** Asking the last partner back: when both ask they meet again, when one does not nothing comes of it. */
export const again: Journey = {
  name: 'again',
  async run(w) {
    const [a, b] = await w.pair('gaming')
    await bothAsk(w, a, b)
    await theOtherFirst(w, a, b)
    await oneAsks(w, a, b)
    await somebodyElse(w)
  },
}

/** As long as there is time to ask, with some to spare. */
const overMs = 13_000

const bar = (v: Visitor) => v.at('again')

/** Nobody presses Next on a face in less time than a double click takes. */
async function tooSoon(v: Visitor): Promise<void> {
  await v.page.waitForTimeout(600)
}

/** By mouse after Next; the other one answers with one key. */
async function bothAsk(w: World, a: Visitor, b: Visitor): Promise<void> {
  const [before, name] = [(await a.state()).call?.id, (await b.state()).user?.name ?? '']
  await tooSoon(a)
  await a.page.bringToFront()
  await a.at('next').click()
  await w.checks.reach('after Next the last partner can be asked back', bar(a).getByText(`Get ${name} back?`).waitFor())
  await w.checks.reach('so can the one who pressed it', bar(b).waitFor())
  w.checks.check('it says that both have to ask', (await bar(a).innerText()).includes('if you both ask'), await bar(a).innerText())
  w.checks.check('the time left is in words', /\b\d+ s\b/.test(await bar(a).innerText()))
  await a.at('undo').click()
  await w.checks.reach('who has asked is told what is missing', bar(a).getByText('Now they have to ask too').waitFor())
  w.checks.check('the focus is not lost', (await a.page.evaluate(() => document.activeElement?.tagName)) === 'H1')
  await w.checks.reach('the partner hears of it', bar(b).getByText('would like to come back').waitFor())
  w.checks.check('nobody is matched by one side', (await a.state()).phase === 'queued' && (await b.state()).phase !== 'call')
  await b.page.bringToFront()
  await b.page.keyboard.press('b')
  await w.checks.reach('one key, and b sees a again', b.sees('red'))
  await w.checks.reach('a sees b again', a.sees('green'))
  w.checks.check('it is a new call', (await a.state()).call?.id !== before)
  w.checks.check('the question is gone', !(await bar(a).isVisible()) && !(await bar(b).isVisible()))
}

/** The one who was left asks first, and waits for nobody else meanwhile. */
async function theOtherFirst(w: World, a: Visitor, b: Visitor): Promise<void> {
  await b.page.bringToFront()
  await b.at('leave').click()
  await w.checks.reach('who left can ask from the topics too', bar(b).waitFor())
  await a.page.bringToFront()
  await a.page.getByTestId('partner-left').waitFor()
  await a.at('undo').click()
  await w.checks.reach('who left hears that he is asked back', bar(b).getByText('would like to come back').waitFor())
  w.checks.check('the search does not go on meanwhile', (await a.state()).phase === 'left')
  await b.page.bringToFront()
  await b.at('undo').click()
  await w.checks.reach('both asked the other way round: a sees b', a.sees('green'))
  await w.checks.reach('and b sees a', b.sees('red'))
}

async function oneAsks(w: World, a: Visitor, b: Visitor): Promise<void> {
  await tooSoon(b)
  const began = Date.now()
  await b.page.bringToFront()
  await b.at('next').click()
  await b.at('undo').click()
  await w.checks.reach('the other one hears of it', bar(a).getByText('would like to come back').waitFor())
  await w.checks.reach('one who is not answered is asked no longer', a.reaches((s) => s.undo === undefined, 'the question gone', overMs))
  const ms = Date.now() - began
  w.checks.check('after about ten seconds', ms > 8_000 && ms < 12_500, `${ms} ms`)
  await b.reaches((s) => s.undo === undefined, 'the question gone', 3_000)
  w.checks.check('and nobody is in a call', (await a.state()).phase !== 'call' && (await b.state()).phase === 'queued', `${(await a.state()).phase} ${(await b.state()).phase}`)
  for (const v of [a, b]) await v.leave()
}

async function somebodyElse(w: World): Promise<void> {
  const [a, b] = await w.pair('news')
  const c = await w.arrive('blue')
  await c.go('news')
  await c.reaches((s) => (s.queue?.waiting ?? 0) > 0, 'waiting')
  await a.page.bringToFront()
  await a.at('next').click()
  await w.checks.reach('somebody else has come', a.sees('blue'))
  w.checks.check('then there is nobody to ask back', (await a.state()).undo === undefined && !(await bar(a).isVisible()))
  await b.page.bringToFront()
  await b.at('undo').click()
  await b.page.waitForTimeout(1_000)
  w.checks.check('and who asks gets no answer', (await b.state()).phase !== 'call' && (await a.state()).call?.peer.name === (await c.state()).user?.name)
}
