import { until, type Visitor } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'

/** Presence has to be there within this, in ms. */
const presenceMs = 1_000

/** A ring that nobody answers lasts 40 s. */
const timeoutMs = 50_000

/** Strangers become friends, see each other come and go, and ring each other. */
export const friends: Journey = {
  name: 'friends',
  async run(w) {
    const [a, b] = await w.pair('gaming')
    await befriend(w, a, b)
    await accounts(w, a, b)
    await presence(w, a, b)
    await call(w, a, b)
    await endings(w, a, b)
    await devices(w, a, b)
    await busy(w, a, b)
    await blocked(w, a, b)
  },
}

/** Two who see each other become friends and are back at the topics. */
export async function befriend(w: World, a: Visitor, b: Visitor): Promise<void> {
  await ask(a)
  await w.checks.reach('b is told that a asks', b.page.getByTestId('news').filter({ hasText: 'would like to be friends' }).waitFor())
  await ask(b)
  for (const v of [a, b]) await w.checks.reach(`${v.look} has a friend now`, v.page.locator('.mark', { hasText: 'Friend' }).waitFor())
  await a.at('leave').click()
  await b.reaches((s) => s.phase !== 'call', 'left')
  await b.page.bringToFront()
  await b.at('back-home').or(b.at('cancel')).first().click()
}

/** Asks the partner for friendship, by the menu of the call. */
export async function ask(v: Visitor): Promise<void> {
  await v.page.bringToFront()
  await v.at('person').click()
  await v.at('add-friend').click()
  await v.page.keyboard.press('Escape')
}

/** Both become accounts and stay friends. */
async function accounts(w: World, a: Visitor, b: Visitor): Promise<void> {
  for (const v of [a, b]) {
    const before = (await v.state()).user
    await people(v)
    await v.at('open-sign-up').click()
    const form = v.page.getByTestId('sign-up')
    const complaints = v.complaints.length
    const tokens = await form.locator('input').evaluateAll((all) => all.map((el) => el.getAttribute('autocomplete')))
    w.checks.check(`${v.look}: a password manager knows the fields`, tokens.join() === 'username,new-password', tokens.join())
    await form.getByLabel('User name').fill('a!')
    await form.getByLabel('Password', { exact: true }).fill('12345678')
    await v.at('sign-up-go').click()
    w.checks.check(`${v.look}: the browser asks for a longer name`, !(await form.getByLabel('User name').evaluate((el: HTMLInputElement) => el.checkValidity())))
    await form.getByLabel('User name').fill(`journey.${v.look}`)
    await v.at('sign-up-go').click()
    await w.checks.reach(`${v.look}: a password that anybody would guess is refused beside the field`, form.locator('.field', { hasText: 'Password' }).locator('.wrong').waitFor())
    // The browser reports the refusal on its console.
    v.complaints.splice(complaints)
    await form.getByLabel('Password', { exact: true }).fill('three otters on a bike')
    await v.at('sign-up-go').click()
    await w.checks.reach(`${v.look}: ten recovery codes are shown`, until(() => v.page.getByTestId('codes').locator('code').count(), (n) => n === 10, 'codes'))
    await v.at('codes-done').click()
    const after = await v.reaches((s) => s.link === 'online' && s.user?.guest === false, 'an account')
    w.checks.check(`${v.look}: the guest has become the account`, after.user?.id === before?.id)
  }
}

/** Goes to the friends of a visitor who is in no call. */
export async function people(v: Visitor): Promise<void> {
  await v.page.bringToFront()
  if (!(await v.page.getByTestId('people-page').isVisible())) await v.at('people').click()
  await v.at('tab-friends').click()
  await v.page.getByTestId('people-page').waitFor()
}

/** When the only friend is shown to be so, by `Date.now()` of the page: what the test itself takes is not in it. */
function shown(v: Visitor, look: string): Promise<number> {
  return v.page.evaluate(
    (want) =>
      new Promise<number>((resolve, reject) => {
        const see = (): void => {
          if (document.querySelector('[data-testid=friend]')?.getAttribute('data-look') !== want) return
          watch.disconnect()
          resolve(Date.now())
        }
        const watch = new MutationObserver(see)
        watch.observe(document, { subtree: true, childList: true, attributes: true })
        setTimeout(() => reject(new Error(`the friend is not shown ${want}`)), 10_000)
        see()
      }),
    look,
  )
}

async function presence(w: World, a: Visitor, b: Visitor): Promise<void> {
  await people(a)
  await people(b)
  await w.checks.reach('a sees that the friend is here', shown(a, 'online'))
  const going = shown(a, 'offline')
  const off = await b.page.evaluate(() => {
    const at = Date.now()
    globalThis.__smalltalk.close()
    return at
  })
  const gone = (await w.checks.reach('a sees the friend go', going)) - off
  w.checks.check('within a second', gone < presenceMs, `${gone} ms`)
  const coming = shown(a, 'online')
  const on = await b.page.evaluate(() => {
    const at = Date.now()
    void globalThis.__smalltalk.connect()
    return at
  })
  const back = (await w.checks.reach('a sees the friend come', coming)) - on
  w.checks.check('within a second too', back < presenceMs, `${back} ms`)
}

/** A rings b, whose screen says so. */
export async function ring(a: Visitor, b: Visitor): Promise<void> {
  await people(a)
  await a.at('call-friend').first().click()
  await b.page.bringToFront()
  await b.page.getByTestId('ringing').waitFor()
}

async function call(w: World, a: Visitor, b: Visitor): Promise<void> {
  await w.checks.reach('b hears a ring', ring(a, b))
  await b.page.waitForTimeout(900)
  const at = Date.now()
  await b.page.keyboard.press('a')
  await w.checks.reach('answered by key: b sees a', b.sees('red'))
  const first = Date.now() - at
  await w.checks.reach('a sees b', a.sees('green'))
  console.log(`     from answering to the picture: ${first} ms at b, ${Date.now() - at} ms at both, seen one after the other`)
  const [sa, sb] = [await a.state(), await b.state()]
  w.checks.check('it is a call of friends', sa.call?.rung === true && sb.call?.rung === true && sa.call.peer.friend)
  w.checks.check('nobody is offered a stranger next', (await a.page.getByTestId('next').count()) === 0)
  await a.at('leave').click()
  await b.reaches((s) => s.phase === 'left', 'left')
  await b.page.bringToFront()
  await b.page.waitForTimeout(4_000)
  w.checks.check('no search begins by itself after it', (await b.state()).phase === 'left')
  await b.at('back-home').click()
}

function note(v: Visitor, code: string): Promise<void> {
  return v.page.locator(`[data-testid=rung][data-code=${code}]`).waitFor()
}

async function endings(w: World, a: Visitor, b: Visitor): Promise<void> {
  await ring(a, b)
  await b.at('ring-decline').click()
  await w.checks.reach('declined: a is told', note(a, 'declined'))
  await ring(a, b)
  await a.page.bringToFront()
  await a.at('ring-cancel').click()
  await w.checks.reach('cancelled: b no longer rings', b.page.getByTestId('ringing').waitFor({ state: 'detached' }))
  await people(b)
  await w.checks.reach('and finds the missed call', b.at('missed').first().waitFor())

  await ring(a, b)
  await w.checks.reach('not answered: a is told', a.page.locator('[data-testid=rung][data-code=timeout]').waitFor({ timeout: timeoutMs }))
  await w.checks.reach('and b no longer rings', b.page.getByTestId('ringing').waitFor({ state: 'detached' }))
}

/** Two devices of one person: both ring, the first to answer has it. */
async function devices(w: World, a: Visitor, b: Visitor): Promise<void> {
  const c = await w.arrive('blue')
  await people(c)
  await c.at('open-log-in').click()
  const form = c.page.getByTestId('log-in')
  const tokens = await form.locator('input').evaluateAll((all) => all.map((el) => el.getAttribute('autocomplete')))
  w.checks.check('a password manager can fill in the log-in', tokens.join() === 'username,current-password', tokens.join())
  await form.getByLabel('User name').fill('Journey.Green')
  await form.getByLabel('Password', { exact: true }).fill('three otters on a bike')
  await form.getByLabel('Password', { exact: true }).press('Enter')
  const id = (await b.state()).user?.id
  await w.checks.reach('b logs in on another device', c.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in'))
  w.checks.check('and stays where he was', (await b.state()).link === 'online')
  await c.page.waitForTimeout(500)
  await ring(a, b)
  await w.checks.reach('both devices ring', c.page.getByTestId('ringing').waitFor())
  await c.page.bringToFront()
  await c.at('ring-accept').click()
  await w.checks.reach('the first to answer has the call', c.sees('red'))
  await w.checks.reach('the other is told', note(b, 'answered_elsewhere'))
  await a.page.bringToFront()
  await a.at('leave').click()
  await c.leave()
}

/** Two friends ring the same one. */
async function busy(w: World, a: Visitor, b: Visitor): Promise<void> {
  const d = await w.arrive('yellow')
  await people(b)
  await b.at('back-home').click()
  await b.go('news')
  await d.go('news')
  await d.sees('green')
  await ask(d)
  await ask(b)
  await w.checks.reach('b has one more friend', d.page.locator('.mark', { hasText: 'Friend' }).waitFor())
  await d.at('leave').click()
  await b.page.bringToFront()
  await b.reaches((s) => s.phase !== 'call', 'left')
  await b.at('back-home').or(b.at('cancel')).first().click()
  await ring(a, b)
  await people(d)
  await d.at('call-friend').first().click()
  await w.checks.reach('who rings second hears that b is busy', note(d, 'busy'))
  await b.page.bringToFront()
  await b.page.waitForTimeout(900)
  await b.page.keyboard.press('Escape')
  await w.checks.reach('declined by key: a is told', note(a, 'declined'))
  await d.leave()
}

async function blocked(w: World, a: Visitor, b: Visitor): Promise<void> {
  await people(b)
  const row = b.at('friend').filter({ hasText: (await a.state()).user?.name ?? '?' })
  await row.getByRole('button', { name: 'More about' }).click()
  await row.getByRole('button', { name: 'Block' }).click()
  await w.checks.reach('b has blocked a', b.at('blocked').waitFor())
  await people(a)
  await w.checks.reach('a has no such friend any more', a.page.getByTestId('friend').waitFor({ state: 'detached' }))
}
