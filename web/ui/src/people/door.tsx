import type { api } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import { useCell } from '../cell'
import { Field, FormNote, Password, useSubmit, valueOf } from './form'
import { deviceName, type Social, type Way } from './social'

const TITLES: Record<Way, string> = { 'sign-up': 'Create an account', 'log-in': 'Log in', recover: 'Use a recovery code' }

/** Signing up, logging in, and getting back in. */
export function Door({ social, guest }: { social: Social; guest: boolean }) {
  const { way } = useCell(social.cell)
  const [access, setAccess] = useState<api.AccessReply>()
  useEffect(() => {
    // Without an answer the form shows what every server takes.
    social.account.access().then(setAccess, () => undefined)
  }, [social])
  const passkeys = social.passkeys && access?.passkeys === true
  const go = (to: Way) => social.cell.patch({ way: to })
  return (
    <div class="doors" data-testid="door">
      <h1 tabIndex={-1}>{TITLES[way]}</h1>
      {way === 'sign-up' && (
        <>
          {guest && <p>Friends and blocks that you have as a guest stay yours. No e-mail address is needed.</p>}
          <SignUp social={social} passkeys={passkeys} invite={access?.invite === true} />
        </>
      )}
      {way === 'log-in' && <LogIn social={social} passkeys={passkeys} />}
      {way === 'recover' && <Recover social={social} />}
      <div class="more">
        {way !== 'sign-up' && (
          <button class="link" data-testid="to-sign-up" onClick={() => go('sign-up')}>
            Create an account
          </button>
        )}
        {way !== 'log-in' && (
          <button class="link" data-testid="to-log-in" onClick={() => go('log-in')}>
            {way === 'sign-up' ? 'I have an account' : 'Log in with a password'}
          </button>
        )}
        {way === 'log-in' && (
          <button class="link" data-testid="to-recover" onClick={() => go('recover')}>
            Forgot the password?
          </button>
        )}
        {guest && (
          <button class="link" data-testid="as-guest" onClick={() => social.model.home()}>
            Go on as a guest
          </button>
        )}
      </div>
    </div>
  )
}

function SignUp({ social, passkeys, invite }: { social: Social; passkeys: boolean; invite: boolean }) {
  const { busy, wrong, form, run } = useSubmit()
  const { account } = social
  // Without an answer of the server what it asks for shows only with its refusal.
  const invited = invite || wrong?.code === 'invite_required'
  const given = () => ({ username: valueOf(form.current, 'username'), ...(invited ? { invite: valueOf(form.current, 'invite') } : {}) })
  const signUp = (e: Event) => {
    e.preventDefault()
    const password = valueOf(form.current, 'new-password')
    void run(async () => {
      await account.signUp({ ...given(), password, device: deviceName() })
      await social.welcome(password)
    })
  }
  const byPasskey = () => {
    const name = form.current?.elements.namedItem('username') as HTMLInputElement
    if (!name.reportValidity()) return
    void run(async () => {
      await account.signUpByPasskey(given(), deviceName())
      await social.welcome(undefined)
    })
  }
  return (
    <form ref={form} onSubmit={signUp} data-testid="sign-up">
      <Field name="username" label="User name" autocomplete="username" help="3 to 20 letters and digits. You log in with it." required minLength={3} maxLength={40} wrong={wrong} />
      <Password name="new-password" label="Password" autocomplete="new-password" help="At least 8 characters. A few words in a row are good." wrong={wrong} />
      {invited && <Field name="invite" label="Invitation code" autocomplete="off" required wrong={wrong} />}
      <div class="go">
        <button class="primary big" disabled={busy} data-testid="sign-up-go">
          Create account
        </button>
        {passkeys && (
          <button type="button" class="quiet" disabled={busy} data-testid="sign-up-passkey" onClick={byPasskey}>
            With a passkey, no password
          </button>
        )}
      </div>
      <FormNote wrong={wrong} />
    </form>
  )
}

function LogIn({ social, passkeys }: { social: Social; passkeys: boolean }) {
  const { busy, wrong, form, run } = useSubmit()
  const { account } = social
  const enter = (fn: () => Promise<unknown>) => void run(fn).then((done) => (done ? social.show('friends') : undefined))
  const logIn = (e: Event) => {
    e.preventDefault()
    enter(() => account.logIn({ username: valueOf(form.current, 'username'), password: valueOf(form.current, 'password'), device: deviceName() }))
  }
  return (
    <form ref={form} onSubmit={logIn} data-testid="log-in">
      <Field name="username" label="User name" autocomplete="username" required wrong={wrong} />
      <Password name="password" label="Password" autocomplete="current-password" wrong={wrong} />
      <div class="go">
        <button class="primary big" disabled={busy} data-testid="log-in-go">
          Log in
        </button>
        {passkeys && (
          <button type="button" class="quiet" disabled={busy} data-testid="log-in-passkey" onClick={() => enter(() => account.logInByPasskey(deviceName()))}>
            With a passkey
          </button>
        )}
      </div>
      <FormNote wrong={wrong} />
    </form>
  )
}

function Recover({ social }: { social: Social }) {
  const { busy, wrong, form, run } = useSubmit()
  const recover = (e: Event) => {
    e.preventDefault()
    const of = (name: string) => valueOf(form.current, name)
    void run(() => social.account.recover({ username: of('username'), code: of('code'), password: of('new-password'), device: deviceName() })).then((done) => (done ? social.arrive({ said: 'The password is set. You are logged out everywhere else.' }) : undefined))
  }
  return (
    <form ref={form} onSubmit={recover} data-testid="recover">
      <p>One of the codes that you kept when you made the account. It is used up by this, and you are logged out everywhere else.</p>
      <Field name="username" label="User name" autocomplete="username" required wrong={wrong} />
      <Field name="code" label="Recovery code" autocomplete="off" required wrong={wrong} />
      <Password name="new-password" label="New password" autocomplete="new-password" help="At least 8 characters." wrong={wrong} />
      <button class="primary big" disabled={busy} data-testid="recover-go">
        Set the password and log in
      </button>
      <FormNote wrong={wrong} />
    </form>
  )
}
