import { Mailbox } from '../lib/mailbox.js'
import { Server } from '../lib/server.js'
import { World, type Journey } from '../lib/world.js'
import { capture } from './screens.js'

const address = 'anna@example.org'

/** A place for those who have an address of a domain: in by a code that is mailed there, and in again without the password. */
export const mail: Journey = {
  name: 'mail',
  async run(w) {
    const box = await Mailbox.open()
    const flags = ['--smtp', `smtp://127.0.0.1:${box.port}`, '--mail-from', 'talk@example.org', '--access', 'domain', '--email-domains', 'example.org']
    const server = await Server.start(process.env['SMALLTALK_BIN'], { flags })
    const inner = new World(w.browser, server, w.checks)
    try {
      await walk(inner, box)
      // That one is not let in yet is an error to the browser's console, and to nobody else.
      const broken = await Promise.all(inner.visitors.map((v) => v.violations()))
      w.checks.check('no CSP violation in any page', broken.flat().length === 0, broken.flat().join(' | '))
    } finally {
      for (const v of inner.visitors) await v.leave()
      await server.stop()
      box.close()
    }
  },
}

async function walk(w: World, box: Mailbox): Promise<void> {
  const v = await w.arrive('red', { first: 'door' })
  const { checks } = w
  const form = v.page.getByTestId('sign-up')
  await form.getByLabel('User name').fill('anna')
  await form.getByLabel('Password', { exact: true }).fill('three otters on a bike')
  await form.getByLabel('E-mail address').fill('anna@elsewhere.example')
  await v.at('sign-up-go').click()
  await checks.reach('an address of another domain is refused beside its field', form.getByText('addresses of example.org only').waitFor())
  await form.getByLabel('E-mail address').fill(address)
  await v.at('sign-up-go').click()
  const code = await box.code(address)
  await form.getByLabel('Code from the mail').waitFor()
  checks.check('the code has the focus, for password managers', (await v.page.evaluate(() => document.activeElement?.getAttribute('autocomplete'))) === 'one-time-code')
  await capture(w, v, 'sign-up-code')
  await form.getByLabel('Code from the mail').fill('AAAA-AAAA')
  await v.at('sign-up-go').click()
  await checks.reach('a wrong code is refused beside its field', form.getByText('That is not the code').waitFor())
  await form.getByLabel('Code from the mail').fill(code.toLowerCase())
  await v.at('sign-up-go').click()
  await checks.reach('the right one makes the account', v.page.getByTestId('codes').waitFor())
  await v.at('codes-done').click()
  const made = await v.reaches((s) => s.link === 'online' && s.user?.guest === false, 'an account')
  await v.at('tab-account').click()
  await checks.reach('the account has the address', v.at('email').filter({ hasText: address }).waitFor())
  checks.check('and cannot be without', (await v.page.getByTestId('email-remove').count()) === 0)

  await v.at('log-out').click()
  await v.at('door').waitFor()
  await v.at('to-log-in').click()
  await v.at('to-reset').click()
  const reset = v.page.getByTestId('reset')
  await reset.getByLabel('E-mail address').fill(address.toUpperCase())
  await v.at('reset-go').click()
  await reset.getByLabel('Code from the mail').fill(await box.code(address, 2))
  await reset.getByLabel('New password', { exact: true }).fill('four otters on a bus')
  await capture(w, v, 'reset-code')
  await v.at('reset-go').click()
  await checks.reach('whoever gets the mail gets in again', v.reaches((s) => s.link === 'online' && s.user?.id === made.user?.id, 'logged in'))
}
