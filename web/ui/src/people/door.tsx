import type { api } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import { useCell } from '../cell'
import { EmailFields, emailHelp, Reset, useMailedCode } from './email'
import { Field, FormNote, Password, useSubmit, valueOf } from './form'
import { deviceName, type Social, type Way } from './social'

const TITLES: Record<Way, string> = { 'sign-up': 'Create an account', 'log-in': 'Log in', recover: 'Use a recovery code', reset: 'Set a new password' }

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
          <SignUp social={social} passkeys={passkeys} access={access} />
        </>
      )}
      {way === 'log-in' && <LogIn social={social} passkeys={passkeys} />}
      {way === 'recover' && <Recover social={social} />}
      {way === 'reset' && <Reset social={social} />}
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
        {way === 'log-in' && access?.email && (
          <button class="link" data-testid="to-reset" onClick={() => go('reset')}>
            Forgot your password?
          </button>
        )}
        {(way === 'log-in' || way === 'reset') && (
          <button class="link" data-testid="to-recover" onClick={() => go('recover')}>
            {access?.email ? 'I have a recovery code' : 'Forgot the password?'}
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

function SignUp({ social, passkeys, access }: { social: Social; passkeys: boolean; access: api.AccessReply | undefined }) {
  const { busy, wrong, form, run } = useSubmit()
  const { account } = social
  const mailed = useMailedCode(social, 'sign_up')
  const of = (name: string) => valueOf(form.current, name)
  // Without an answer of the server what it asks for shows only with its refusal.
  const invited = access?.invite || wrong?.code === 'invite_required'
  const given = () => ({
    username: of('username'),
    ...(invited ? { invite: of('invite') } : {}),
    ...(mailed.to === undefined ? {} : { email: mailed.to, email_code: of('email-code') }),
  })
  /** An address that is given and not yet shown to be one's own comes first. */
  const toShow = () => (mailed.to === undefined ? of('email') : '')
  const signUp = (e: Event) => {
    e.preventDefault()
    const email = toShow()
    if (email) return void run(() => mailed.send(email), 'mail')
    const password = of('new-password')
    void run(async () => {
      await account.signUp({ ...given(), password, device: deviceName() })
      await social.welcome(password)
    })
  }
  const byPasskey = () => {
    // Of all fields only the password may be empty.
    for (const field of ['username', 'invite', 'email', 'email-code']) {
      const el = form.current?.elements.namedItem(field)
      if (el instanceof HTMLInputElement && !el.reportValidity()) return
    }
    const email = toShow()
    if (email) return void run(() => mailed.send(email), 'mail')
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
      {access?.email && (
        <EmailFields
          mailed={mailed}
          wrong={wrong}
          label={access.email_domains ? 'E-mail address' : 'E-mail address, if you like'}
          help={emailHelp(access)}
          required={access.email_domains !== undefined}
          busy={busy}
          run={run}
          form={form}
        />
      )}
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
