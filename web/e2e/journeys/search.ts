import type { Journey, World } from '../lib/world.js'
import type { Visitor } from '../lib/visitor.js'

/** Whom people meet: others at first not, then by waiting or by asking to; their own topics; their languages. */
export const search: Journey = {
  name: 'search',
  async run(w) {
    await byTime(w)
    await byButton(w)
    await languages(w)
    await ownTopics(w)
    await onlyOwn(w)
  },
}

/** Longer than two who fit take to find each other. */
const apartMs = 2_500

async function waits(v: Visitor): Promise<void> {
  await v.reaches((s) => s.phase === 'queued' && s.rtc === 'connected', 'waiting')
}

async function apart(w: World, what: string, ...people: Visitor[]): Promise<void> {
  await Promise.all(people.map(waits))
  await people[0]?.page.waitForTimeout(apartMs)
  const phases = await Promise.all(people.map(async (v) => (await v.state()).phase))
  w.checks.check(`${what} do not meet`, phases.every((p) => p === 'queued'), phases.join(' '))
}

async function together(w: World, what: string, a: Visitor, b: Visitor): Promise<void> {
  await w.checks.reach(`${what}: one sees the other`, a.sees(b.look))
  await w.checks.reach(`${what}: and the other way round`, b.sees(a.look))
}

async function home(...people: Visitor[]): Promise<void> {
  for (const v of people) await v.leave()
}

async function byTime(w: World): Promise<void> {
  const [a, b] = [await w.arrive('red'), await w.arrive('green')]
  await b.seek(() => b.at('way-ask').check())
  await a.go('sports')
  const began = Date.now()
  await b.go('movies-tv')
  await apart(w, 'different topics', a, b)
  await a.page.bringToFront()
  await w.checks.reach('who waits is told when more people count', a.page.getByTestId('offer').getByText('From 0:15 on any topic will do').waitFor())
  await w.checks.reach('after 15 s any topic will do', a.reaches((s) => s.phase === 'call', 'a call', 20_000))
  const ms = Date.now() - began
  w.checks.check('not before', ms > 14_000, `${ms} ms`)
  await together(w, 'by time', a, b)
  await w.checks.reach('who has widened is told what the other one picked', a.page.getByText('They picked Movies & TV', { exact: true }).waitFor())
  await home(a, b)
}

async function byButton(w: World): Promise<void> {
  const [a, b] = [await w.arrive('red'), await w.arrive('green')]
  for (const v of [a, b]) await v.seek(() => v.at('way-ask').check())
  w.checks.check('the choice is kept', (await a.page.evaluate(() => localStorage.getItem('st.widen'))) === 'ask')
  await a.go('sports')
  await b.go('movies-tv')
  await apart(w, 'different topics', a, b)
  await a.page.bringToFront()
  await w.checks.reach('who is alone in line is offered more people', a.at('widen-topics').waitFor())
  const since = (await a.state()).queue?.since
  // Out of the reach of the other, to see what it does to the wait.
  await b.at('cancel').click()
  await a.at('widen-topics').click()
  await w.checks.reach('the search says that it has widened', a.page.getByTestId('widened').getByText('Any topic will do now.').waitFor())
  w.checks.check('the place in line is kept', (await a.state()).queue?.since === since)
  w.checks.check('the focus is not lost', (await a.page.evaluate(() => document.activeElement?.tagName)) === 'H1')
  w.checks.check('it is not offered again', !(await a.at('widen-topics').isVisible()))
  await b.begin()
  await together(w, 'by button', a, b)
  await home(a, b)
}

async function languages(w: World): Promise<void> {
  const [a, b] = [await w.arrive('red', { locale: 'de-AT' }), await w.arrive('green', { locale: 'fr-FR' })]
  await a.go('gaming')
  await b.go('gaming')
  w.checks.check('the language of the browser is the first choice', (await a.state()).queue?.langs.join() === 'de' && (await b.state()).queue?.langs.join() === 'fr')
  await apart(w, 'German and French', a, b)
  await b.page.bringToFront()
  await w.checks.reach('any language is offered', b.at('widen-langs').waitFor())
  await b.at('widen-langs').click()
  await together(w, 'any language', a, b)
  await home(a, b)
  // Two languages, one of them shared.
  const [c, d] = [await w.arrive('blue', { locale: 'de-AT' }), await w.arrive('yellow', { locale: 'fr-FR' })]
  await d.seek(async () => {
    await d.at('lang').selectOption('de')
    await d.at('lang-add').click()
    await d.page.getByRole('button', { name: 'Remove German' }).waitFor()
  })
  w.checks.check('the first screen says so', /in French or German/.test(await d.page.locator('.picked').innerText()), await d.page.locator('.picked').innerText())
  await c.go('gaming')
  await d.go('gaming')
  await together(w, 'one language shared', c, d)
  await home(c, d)
}

async function ownTopics(w: World): Promise<void> {
  const [a, b] = [await w.arrive('red'), await w.arrive('green')]
  await a.seek(async () => {
    await a.at('own-topic').fill('é'.repeat(40))
    await a.page.keyboard.press('Enter')
    w.checks.check('what is too long is said to be', (await a.at('own-help').innerText()).includes('too long'), await a.at('own-help').innerText())
    w.checks.check('and by the field itself', (await a.at('own-topic').getAttribute('aria-invalid')) === 'true')
    await a.at('own-topic').fill('  Board   GAMES ')
    await a.page.keyboard.press('Enter')
    await a.page.getByRole('dialog').getByRole('button', { name: 'Remove board games' }).waitFor()
    await a.at('own-topic').fill('gaming')
    await a.page.keyboard.press('Enter')
  })
  w.checks.check('one that the server lists is that', (await a.at('tile-gaming').getAttribute('aria-pressed')) === 'true')
  await a.at('tile-gaming').click()
  await b.seek(async () => {
    await b.at('own-topic').fill('board games')
    await b.at('own-add').click()
    w.checks.check('the focus stays in the field', (await b.page.evaluate(() => document.activeElement?.getAttribute('data-testid'))) === 'own-topic')
  })
  await b.page.reload()
  await w.checks.reach('own topics are kept', b.at('own').getByText('board games').waitFor())
  await a.begin()
  await b.begin()
  await together(w, 'the same words', a, b)
  await w.checks.reach('the words are shown', a.page.getByText('You both picked board games', { exact: true }).waitFor())
  await home(a, b)
}

async function onlyOwn(w: World): Promise<void> {
  const [a, b] = [await w.arrive('red'), await w.arrive('green')]
  await a.seek(() => a.at('way-strict').check())
  await a.go('news')
  await b.go('any')
  await apart(w, 'one who wants nobody else and one who takes anything', a, b)
  await home(a, b)
}
