import type { CDPSession } from 'playwright-core'
import type { Journey } from '../lib/world.js'
import type { Visitor } from '../lib/visitor.js'

async function authenticator(v: Visitor): Promise<CDPSession> {
  const cdp = await v.context.newCDPSession(v.page)
  await cdp.send('WebAuthn.enable')
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  })
  return cdp
}

/** An account without a password: made, left and entered again with a passkey. */
export const passkeys: Journey = {
  name: 'passkeys',
  async run(w) {
    const v = await w.arrive('red')
    await authenticator(v)
    await v.at('people').click()
    await v.at('open-sign-up').click()
    await v.page.getByTestId('sign-up').getByLabel('User name').fill('pass.keeper')
    await v.at('sign-up-passkey').click()
    await w.checks.reach('an account is made with a passkey', v.page.getByTestId('codes').waitFor())
    await v.at('codes-done').click()
    const made = await v.reaches((s) => s.link === 'online' && s.user?.guest === false, 'an account')
    await v.at('tab-account').click()
    await v.at('log-out').click()
    await w.checks.reach('after logging out one is a guest', v.reaches((s) => s.link === 'online' && s.user?.guest === true, 'a guest'))
    await v.at('people').click()
    await v.at('tab-friends').click()
    await v.at('open-log-in').click()
    await v.at('log-in-passkey').click()
    await w.checks.reach('the passkey logs in', v.reaches((s) => s.link === 'online' && s.user?.id === made.user?.id, 'logged in'))
  },
}
