import { readFile } from 'node:fs/promises'
import type { Locator } from 'playwright-core'
import { until, type Visitor } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'
import { befriend, people } from './friends.js'

const username = 'anna.account'
const passwords = ['seven green lanterns', 'a kettle full of rain', 'nobody whistles at noon'] as const
/** What she calls herself in the end. */
const shownName = 'Anna from the harbour'

/** An account from its beginning to its end, on two devices, with a friend who sees what there is to see of it. */
export const account: Journey = {
  name: 'account',
  async run(w) {
    const [a, b] = await w.pair('gaming')
    const guestName = (await a.state()).user?.name ?? ''
    await befriend(w, a, b)
    const codes = await signUp(w, a, b)
    const c = await w.arrive('blue')
    await anotherDevice(w, a, c)
    await changeName(w, a, b)
    await changePassword(w, a, c)
    await recover(w, a, c, codes)
    await takeData(w, a, b, codes)
    await remove(w, a, b, c, guestName)
  },
}

/** What the fields of a form tell a password manager. */
export async function autocomplete(form: Locator): Promise<string> {
  return (await form.locator('input').evaluateAll((all) => all.map((el) => el.getAttribute('autocomplete')))).join()
}

/** Goes to the account of a visitor who is in no call, as it is now. */
async function accountPage(v: Visitor): Promise<void> {
  await people(v)
  await v.at('tab-account').click()
  await v.at('name-form').waitFor()
}

/** Goes to the form for logging in, wherever one stands. */
async function door(v: Visitor): Promise<void> {
  await v.page.bringToFront()
  if (!(await v.page.getByTestId('door').isVisible())) {
    await people(v)
    await v.at('open-log-in').click()
  }
  if (!(await v.at('log-in').isVisible())) await v.at('to-log-in').click()
}

/** Fills in the log-in and sends it off with Enter. */
async function logIn(v: Visitor, password: string): Promise<void> {
  await door(v)
  const form = v.at('log-in')
  await form.getByLabel('User name').fill(username)
  await form.getByLabel('Password', { exact: true }).fill(password)
  await form.getByLabel('Password', { exact: true }).press('Enter')
}

async function wrongBeside(v: Visitor, form: string, label: string): Promise<void> {
  await v.at(form).locator('.field', { hasText: label }).locator('.wrong').waitFor()
  await v.forgive()
}

async function isGuest(v: Visitor): Promise<void> {
  await v.reaches((s) => s.link === 'online' && s.user?.guest === true, 'a guest')
}

/** What the browser saves when `press` is done: name and content. */
async function saved(v: Visitor, press: () => Promise<void>): Promise<[name: string, text: string]> {
  const coming = v.page.waitForEvent('download')
  await press()
  const download = await coming
  return [download.suggestedFilename(), await readFile(await download.path(), 'utf8')]
}

/** The guest becomes an account and keeps the friend; the recovery codes are shown this once. */
async function signUp(w: World, a: Visitor, b: Visitor): Promise<string[]> {
  const before = (await a.state()).user
  const friend = (await b.state()).user?.name ?? '?'
  await people(a)
  await w.checks.reach('the guest has a friend', a.at('friend').filter({ hasText: friend }).waitFor())
  await a.at('open-sign-up').click()
  const form = a.at('sign-up')
  w.checks.check('signing up: a password manager knows the fields', (await autocomplete(form)) === 'username,new-password', await autocomplete(form))
  await form.getByLabel('User name').fill(username)
  await form.getByLabel('Password', { exact: true }).fill(passwords[0])
  await form.getByLabel('Password', { exact: true }).press('Enter')
  const shown = a.page.getByTestId('codes').locator('code')
  await w.checks.reach('recovery codes are shown', until(() => shown.count(), (n) => n === 10, 'ten codes'))
  const codes = await shown.allInnerTexts()
  w.checks.check('each is another one', new Set(codes).size === 10)

  await a.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: w.server.url })
  await a.at('codes-copy').click()
  await a.page.getByTestId('codes').getByText('Copied').waitFor()
  const copied = await a.page.evaluate(() => navigator.clipboard.readText())
  w.checks.check('Copy takes all of them', copied.trim().split('\n').join() === codes.join(), copied.slice(0, 60))
  const [name, text] = await saved(a, () => a.at('codes-download').click())
  w.checks.check('Download saves all of them', name === 'small-talk-recovery-codes.txt' && codes.every((c) => text.includes(c)), name)
  await a.at('codes-done').click()
  const after = await a.reaches((s) => s.link === 'online' && s.user?.guest === false, 'an account')
  w.checks.check('the guest has become the account', after.user?.id === before?.id)
  await w.checks.reach('the account page is next', a.at('username-form').waitFor())

  await a.page.reload()
  await a.at('start').waitFor()
  await accountPage(a)
  w.checks.check('the codes are not shown again', !(await a.page.getByTestId('codes').isVisible()))
  const kept = await a.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
  w.checks.check('nor kept in the browser', !codes.some((c) => kept.includes(c)))
  await people(a)
  await w.checks.reach('the account keeps the friend of the guest', a.at('friend').filter({ hasText: friend }).waitFor())
  return codes
}

/** Devices are listed, and one is ended from another. */
async function anotherDevice(w: World, a: Visitor, c: Visitor): Promise<void> {
  const id = (await a.state()).user?.id
  await logIn(c, passwords[0])
  await w.checks.reach('one logs in on another device', c.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in'))
  await accountPage(a)
  const rows = a.at('device')
  await w.checks.reach('both devices are listed', until(() => rows.count(), (n) => n === 2, 'two devices'))
  w.checks.check('one of them is this one', (await rows.filter({ hasText: 'This one' }).count()) === 1)
  w.checks.check('each says what it is', (await rows.filter({ hasText: 'Chrome on Linux' }).count()) === 2, (await rows.allInnerTexts()).join(' | '))
  await a.at('end-device').click()
  await w.checks.reach('the other one is gone from the list', until(() => rows.count(), (n) => n === 1, 'one device'))
  await w.checks.reach('it is logged out', isGuest(c))
  w.checks.check('this one is not', (await a.state()).link === 'online' && (await a.state()).user?.id === id)
}

async function changeName(w: World, a: Visitor, b: Visitor): Promise<void> {
  const id = (await a.state()).user?.id
  await accountPage(a)
  const form = a.at('name-form')
  w.checks.check('the name to show is known for one', (await autocomplete(form)) === 'nickname')
  await form.locator('input').fill(shownName)
  await form.getByRole('button', { name: 'Change' }).click()
  await w.checks.reach('the name is changed', a.reaches((s) => s.link === 'online' && s.user?.name === shownName, 'the name'))
  w.checks.check('it is the same account', (await a.state()).user?.id === id)
  await w.checks.reach('it stands at the top of the page', a.at('people').getByText(shownName).waitFor())
  await accountPage(b)
  await people(b)
  await w.checks.reach('the friend sees it', b.at('friend').filter({ hasText: shownName }).waitFor())
}

/** A new password takes the present one, and ends all other sessions. */
async function changePassword(w: World, a: Visitor, c: Visitor): Promise<void> {
  const id = (await a.state()).user?.id
  await logIn(c, passwords[0])
  await c.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in')
  await accountPage(a)
  const form = a.at('password-form')
  w.checks.check('changing the password: a password manager knows the fields', (await autocomplete(form)) === 'username,current-password,new-password', await autocomplete(form))
  w.checks.check('and whose password it is', (await form.locator('[autocomplete=username]').inputValue()) === username)
  await form.getByLabel('New password', { exact: true }).fill(passwords[1])
  await form.getByLabel('Present password', { exact: true }).fill('not my password')
  await form.getByRole('button', { name: 'Change' }).click()
  await w.checks.reach('it takes the present one', wrongBeside(a, 'password-form', 'Present password'))
  await form.getByLabel('Present password', { exact: true }).fill(passwords[0])
  await form.getByRole('button', { name: 'Change' }).click()
  await w.checks.reach('the password is changed', a.page.getByText('The password is changed').waitFor())
  w.checks.check('here one stays logged in', (await a.state()).link === 'online' && (await a.state()).user?.id === id)
  await w.checks.reach('the other device is logged out', isGuest(c))
  await logIn(c, passwords[0])
  await w.checks.reach('the old password is refused', wrongBeside(c, 'log-in', 'Password'))
}

/** Back in by a recovery code, which is used up by that. */
async function recover(w: World, a: Visitor, c: Visitor, codes: readonly string[]): Promise<void> {
  const id = (await a.state()).user?.id
  const fill = async (v: Visitor, password: string): Promise<Locator> => {
    await door(v)
    await v.at('to-recover').click()
    const form = v.at('recover')
    await form.getByLabel('User name').fill(username)
    await form.getByLabel('Recovery code').fill(codes[0] ?? '')
    await form.getByLabel('New password', { exact: true }).fill(password)
    return form
  }
  const form = await fill(c, passwords[2])
  w.checks.check('recovery: a password manager knows the fields', (await autocomplete(form)) === 'username,off,new-password', await autocomplete(form))
  await c.at('recover-go').click()
  await w.checks.reach('a recovery code lets one in', c.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in'))
  await w.checks.reach('and one less is left', c.page.getByText('9 are left.').waitFor())
  await w.checks.reach('it logs out the other device', isGuest(a))
  await fill(a, 'some other password')
  await a.at('recover-go').click()
  await w.checks.reach('the same code is refused', wrongBeside(a, 'recover', 'Recovery code'))
  w.checks.check('and logs nobody out', (await c.state()).link === 'online' && (await c.state()).user?.id === id)
  await logIn(a, passwords[2])
  await w.checks.reach('the new password is good', a.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in'))
}

/** All that the server keeps of the person, as a file. */
async function takeData(w: World, a: Visitor, b: Visitor, codes: readonly string[]): Promise<void> {
  const [me, friend] = [(await a.state()).user, (await b.state()).user]
  await accountPage(a)
  const [name, text] = await saved(a, () => a.at('export').click())
  const all = JSON.parse(text) as { user?: { id?: string; name?: string }; account?: object; devices?: unknown[]; friends?: { user?: string; name?: string }[]; partners?: { user?: string; name?: string }[] }
  w.checks.check('the export is a file', name === 'small-talk-export.json', name)
  w.checks.check('it says who one is', all.user?.id === me?.id && all.user?.name === shownName, JSON.stringify(all.user))
  const said = { username, password: true, recovery_codes: 9, hide_presence: false }
  w.checks.check('how one logs in', Object.entries(said).every(([k, v]) => Object.entries(all.account ?? {}).some(([x, y]) => x === k && y === v)), JSON.stringify(all.account))
  w.checks.check('where', all.devices?.length === 2, JSON.stringify(all.devices))
  w.checks.check('who the friends are', all.friends?.length === 1 && all.friends[0]?.user === friend?.id && all.friends[0]?.name === friend?.name, JSON.stringify(all.friends))
  const met = all.partners ?? []
  w.checks.check('and whom one has met, but not by an id', met.some((p) => p.name === friend?.name) && met.every((p) => p.user === undefined), JSON.stringify(met))
  w.checks.check('but no secret', !text.includes('$argon2') && ![...codes, ...passwords].some((x) => text.includes(x)))
}

/** Deleted, nothing is left: no way in, and nothing for the friend to see. */
async function remove(w: World, a: Visitor, b: Visitor, c: Visitor, guestName: string): Promise<void> {
  const id = (await a.state()).user?.id ?? ''
  await people(b)
  await b.at('friend').waitFor()
  await accountPage(a)
  await a.at('delete').click()
  const form = a.at('delete-form')
  w.checks.check('deleting: a password manager knows the field', (await autocomplete(form)) === 'current-password', await autocomplete(form))
  await form.locator('input').fill(passwords[0])
  await a.at('delete-go').click()
  await w.checks.reach('it takes the password', wrongBeside(a, 'delete-form', 'Your password'))
  await form.locator('input').fill(passwords[2])
  await a.at('delete-go').click()
  await w.checks.reach('deleted, one is a guest at the topics', a.reaches((s) => s.link === 'online' && s.user?.guest === true && s.user.id !== id, 'another guest'))
  await a.at('start').waitFor()
  await w.checks.reach('the other device is logged out', isGuest(c))
  await w.checks.reach('the friend sees nobody any more', b.at('friend').waitFor({ state: 'detached' }))
  await logIn(a, passwords[2])
  await w.checks.reach('logging in is refused', wrongBeside(a, 'log-in', 'Password'))
  await b.page.reload()
  await b.at('start').waitFor()
  await people(b)
  await b.page.getByText('Nobody yet').waitFor()
  const page = await b.page.locator('main').innerText()
  const kept = await b.page.evaluate(async () => (await fetch('/api/v1/users/me/export')).text())
  const stale = [id, username, shownName, guestName].filter((x) => page.includes(x) || kept.includes(x))
  w.checks.check('nor does anything of hers come back', stale.length === 0 && kept.includes('"user"'), stale.join())
}
