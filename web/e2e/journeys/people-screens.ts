import type { Journey, World } from '../lib/world.js'
import type { Look, Visitor } from '../lib/visitor.js'
import { ask, people, ring } from './friends.js'
import { capture } from './screens.js'

/** The screens about accounts, friends and ringing, as `screens` has the others. */
export const peopleScreens: Journey = {
  name: 'people screens',
  async run(w) {
    await guest(w)
    const [a, b] = await w.pair('gaming')
    await becomeFriends(w, a, b)
    await makeAccount(w, a)
    await ringing(w, a, b)
    await lists(w, a)
    await accountScreens(w, a)
  },
}

async function guest(w: World): Promise<void> {
  const v = await w.arrive('red')
  await people(v)
  await v.page.getByText('Nobody yet').waitFor()
  await capture(w, v, 'friends-guest')
  await v.at('tab-account').click()
  await v.at('name-form').waitFor()
  await capture(w, v, 'account-guest')
  await v.at('open-log-in').click()
  await v.at('log-in').waitFor()
  await capture(w, v, 'door-log-in')
  await v.at('to-recover').click()
  await capture(w, v, 'door-recover')
  await v.leave()
}

async function becomeFriends(w: World, a: Visitor, b: Visitor): Promise<void> {
  await a.at('person').click()
  await a.at('add-friend').waitFor()
  await capture(w, a, 'call-person')
  await a.page.keyboard.press('Escape')
  await ask(b)
  await a.page.getByTestId('news').waitFor()
  await capture(w, a, 'call-asked')
  await ask(a)
  await a.page.locator('.mark', { hasText: 'Friend' }).waitFor()
  await capture(w, a, 'call-friend')
  await a.at('leave').click()
  await b.reaches((s) => s.phase !== 'call', 'left')
  await b.page.bringToFront()
  await b.at('back-home').or(b.at('cancel')).first().click()
}

async function makeAccount(w: World, a: Visitor): Promise<void> {
  await people(a)
  await a.at('open-sign-up').click()
  const form = a.at('sign-up')
  await form.getByLabel('User name').fill('otter.77')
  await form.getByLabel('Password', { exact: true }).fill('12345678')
  await a.at('sign-up-go').click()
  await form.locator('.field', { hasText: 'Password' }).locator('.wrong').waitFor()
  await a.forgive()
  await capture(w, a, 'door-sign-up')
  await form.getByLabel('Password', { exact: true }).fill('otters on a raft')
  await a.at('sign-up-go').click()
  await a.page.getByTestId('codes').waitFor()
  await capture(w, a, 'codes')
  await a.at('codes-done').click()
}

async function ringing(w: World, a: Visitor, b: Visitor): Promise<void> {
  await people(b)
  await ring(a, b)
  await capture(w, b, 'ringing')
  await a.page.bringToFront()
  await capture(w, a, 'outgoing')
  await b.page.bringToFront()
  await b.at('ring-decline').click()
  await a.page.locator('[data-testid=rung][data-code=declined]').waitFor()
  await capture(w, a, 'rung-declined')
  // In a call with somebody else.
  const d = await w.arrive('yellow')
  await b.at('back-home').click()
  await b.go('news')
  await d.go('news')
  await d.sees('green')
  await ring(a, b)
  await capture(w, b, 'ringing-in-call')
  await a.page.bringToFront()
  await a.at('ring-cancel').click()
  await b.page.getByTestId('ringing').waitFor({ state: 'detached' })
  await capture(w, b, 'call-missed')
  await b.page.bringToFront()
  await b.at('leave').click()
  await d.leave()
}

/** All that there may be on the page of friends: a request, a missed call, friends here and gone, partners, somebody blocked. */
async function lists(w: World, a: Visitor): Promise<void> {
  const c = await meet(w, a, 'blue')
  await ask(c)
  await a.page.getByTestId('news').waitFor()
  await a.page.bringToFront()
  await a.at('leave').click()
  await c.leave()
  await people(a)
  const d = await meet(w, a, 'yellow')
  await a.page.bringToFront()
  await a.at('person').click()
  await a.at('block').click()
  await a.at('cancel').click()
  await d.leave()
  await people(a)
  await a.at('blocked').waitFor()
  await a.at('request').waitFor()
  await a.at('partner').first().waitFor()
  await capture(w, a, 'friends')
  await a.at('friend').getByRole('button', { name: 'More about' }).click()
  await capture(w, a, 'friends-more', a.at('friend'))
}

/** From the page of friends into a call with somebody new. */
async function meet(w: World, a: Visitor, look: Look): Promise<Visitor> {
  const v = await w.arrive(look)
  await a.page.bringToFront()
  await a.at('back-home').click()
  await a.go('sports')
  await v.go('sports')
  await v.sees('red')
  return v
}

async function accountScreens(w: World, a: Visitor): Promise<void> {
  await a.at('tab-account').click()
  await a.at('name-form').waitFor()
  await capture(w, a, 'account')
  await capture(w, a, 'account-password', a.at('password-form'))
  await a.at('delete').click()
  await capture(w, a, 'account-delete', a.at('delete-form'))
}
