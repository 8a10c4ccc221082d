import { Server } from '../lib/server.js'
import { Visitor, type Look } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'
import { capture } from './screens.js'

const password = 'three lamps and a ladder'

/** Servers that do not let everybody in: by invitation, and with an account only. */
export const access: Journey = {
  name: 'access',
  async run(w) {
    await at(w, 'invite', invited)
    await at(w, 'guests-off', guestsOff)
  },
}

async function at(w: World, mode: string, fn: (w: World, server: Server) => Promise<void>): Promise<void> {
  const server = await Server.start(undefined, { flags: ['--access', mode] })
  try {
    await fn(w, server)
  } finally {
    await server.stop()
  }
}

/** Somebody who is let in by nothing yet: the page asks for a guest, and is refused. */
async function outside(w: World, server: Server, look: Look): Promise<Visitor> {
  const v = await Visitor.arrive(w.browser, server.url, look, { first: 'door' })
  w.visitors.push(v)
  await v.forgive()
  return v
}

async function signUp(v: Visitor, username: string, code?: string): Promise<void> {
  await v.page.bringToFront()
  const form = v.at('sign-up')
  await form.getByLabel('User name').fill(username)
  await form.getByLabel('Password', { exact: true }).fill(password)
  if (code !== undefined) await form.getByLabel('Invitation code').fill(code)
  await v.at('sign-up-go').click()
}

async function refused(v: Visitor): Promise<void> {
  await v.at('sign-up').locator('.field', { hasText: 'Invitation code' }).locator('.wrong').waitFor()
  await v.forgive()
}

async function letIn(v: Visitor): Promise<void> {
  await v.page.getByTestId('codes').waitFor()
  await v.at('codes-done').click()
  await v.reaches((s) => s.link === 'online' && s.user?.guest === false, 'an account')
  await v.at('back-home').click()
  await v.at('start').waitFor()
}

async function invited(w: World, server: Server): Promise<void> {
  const a = await outside(w, server, 'red')
  w.checks.check('nobody comes in without an account', (await a.state()).link === 'closed' && (await a.state()).user === undefined)
  await w.checks.reach('an invitation is asked for', a.at('sign-up').getByLabel('Invitation code').waitFor())
  w.checks.check('nobody can go on as a guest', !(await a.at('as-guest').isVisible()))
  await capture(w, a, 'door-invite')
  await signUp(a, 'invited.anna', 'nonsense')
  await w.checks.reach('one that was never made is refused', refused(a))
  const { code } = (await server.admin('invite', 'create', '--uses', '1')) as { code: string }
  await signUp(a, 'invited.anna', code)
  await w.checks.reach('one that the operator has made lets in', letIn(a))
  const b = await outside(w, server, 'green')
  await signUp(b, 'invited.bert', code)
  await w.checks.reach('it is good for one only', refused(b))
  const { code: another } = (await server.admin('invite', 'create', '--uses', '1')) as { code: string }
  await signUp(b, 'invited.bert', another)
  await w.checks.reach('another one lets the next in', letIn(b))
  await a.go('gaming')
  await b.go('gaming')
  await w.checks.reach('the two meet', a.sees('green'))
  await w.checks.reach('and see each other', b.sees('red'))
  const c = await outside(w, server, 'blue')
  await c.at('to-log-in').click()
  const form = c.at('log-in')
  await form.getByLabel('User name').fill('invited.anna')
  await form.getByLabel('Password', { exact: true }).fill(password)
  await c.at('log-in-go').click()
  const id = (await a.state()).user?.id
  await w.checks.reach('who has an account logs in without one', c.reaches((s) => s.link === 'online' && s.user?.id === id, 'logged in'))
}

async function guestsOff(w: World, server: Server): Promise<void> {
  const a = await outside(w, server, 'red')
  w.checks.check('where guests are off nobody comes in as one', (await a.state()).link === 'closed' && !(await a.at('as-guest').isVisible()))
  w.checks.check('but no invitation is asked for', !(await a.at('sign-up').getByLabel('Invitation code').isVisible()))
  await capture(w, a, 'door-guests-off')
  await signUp(a, 'own.account')
  await w.checks.reach('whoever makes an account is let in', letIn(a))
  await a.at('people').click()
  await a.at('tab-account').click()
  await a.at('log-out').click()
  await w.checks.reach('logged out, one stands at the door again', a.page.getByTestId('door').waitFor())
  await a.forgive()
  w.checks.check('and is nobody', (await a.state()).link === 'closed')
}
