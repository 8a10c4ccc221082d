import type { api, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import { listed } from '../screen'
import { Field, FormNote, Part, Password, useSubmit, valueOf, type Wrong } from './form'
import { Leaving } from './leaving'
import { deviceName, trouble, type Social } from './social'

/** The code that shows that an address is one's own: it is mailed there, and comes back with what the form is for. */
export function useMailedCode(social: Social, purpose: api.EmailCodeBody['for']) {
  const [to, set] = useState<string>()
  return {
    /** The address that the form is about, once it has a code or says so. */
    to,
    send: async (email: string) => {
      await social.account.mailCode(email, purpose)
      set(email)
    },
    /** Goes on with a code that has come before, as when the page was loaded again meanwhile. */
    have: set,
    back: () => set(undefined),
  }
}

export type MailedCode = ReturnType<typeof useMailedCode>

interface EmailFieldsProps {
  mailed: MailedCode
  wrong: Wrong | undefined
  label?: string
  help: string
  required: boolean
  busy: boolean
  /** Runs something for the form, as its own purpose. */
  run: ReturnType<typeof useSubmit>['run']
  form: { current: HTMLFormElement | null }
}

/** The address, and then the code that was mailed to it. */
export function EmailFields({ mailed, wrong, label = 'E-mail address', help, required, busy, run, form }: EmailFieldsProps) {
  const { to } = mailed
  const [said, say] = useState('')
  useEffect(() => {
    say('')
    if (to !== undefined) (form.current?.elements.namedItem('email-code') as HTMLElement | null)?.focus()
  }, [to])
  const have = () => {
    const field = form.current?.elements.namedItem('email')
    if (field instanceof HTMLInputElement && field.value !== '' && field.reportValidity()) mailed.have(valueOf(form.current, 'email'))
    else (field as HTMLElement | null)?.focus()
  }
  if (to === undefined) {
    return (
      <>
        <Field name="email" type="email" label={label} autocomplete="email" help={help} required={required} maxLength={254} wrong={wrong} />
        <button type="button" class="link" data-testid="have-code" onClick={have}>
          I have a code already
        </button>
      </>
    )
  }
  return (
    <>
      <Field name="email" type="email" label={label} autocomplete="email" value={to} readOnly wrong={wrong} />
      <Field name="email-code" label="Code from the mail" autocomplete="one-time-code" help="It comes to this address and is good for 15 minutes. Nothing there? Look among the spam." required maxLength={20} wrong={wrong} />
      <div class="more">
        <button type="button" class="link" disabled={busy} data-testid="another-code" onClick={() => void run(() => mailed.send(to), 'mail').then((done) => say(done ? 'Sent again. Only the newest counts.' : ''))}>
          Send another code
        </button>
        <button type="button" class="link" data-testid="another-address" onClick={mailed.back}>
          Another address
        </button>
      </div>
      <p class="fine" role="status">
        {said}
      </p>
    </>
  )
}

/** What the address is for, where it need not be given; else which are taken. */
export function emailHelp(access: api.AccessReply): string {
  return access.email_domains ? `Of ${listed(access.email_domains, 'or')}. A code is sent to it.` : 'If you forget your password, a code for a new one is sent to it. Nobody else sees it.'
}

interface EmailProps {
  social: Social
  account: api.AccountInfo
  access: api.AccessReply
  done: () => void
}

/** Gives the account an address. */
export function EmailForm({ social, account, access, done }: EmailProps) {
  const { busy, wrong, form, run } = useSubmit()
  const mailed = useMailedCode(social, 'account')
  const submit = (e: Event) => {
    e.preventDefault()
    const of = (name: string) => valueOf(form.current, name)
    const { to } = mailed
    if (to === undefined) return void run(() => mailed.send(of('email')), 'mail')
    void run(() => social.account.setEmail(to, of('email-code'), of('password') || undefined)).then((ok) => {
      if (!ok) return
      mailed.back()
      done()
    })
  }
  return (
    <form ref={form} onSubmit={submit} data-testid="email-form">
      <EmailFields mailed={mailed} wrong={wrong} label={account.email ? 'New e-mail address' : 'E-mail address'} help={emailHelp(access)} required busy={busy} run={run} form={form} />
      {mailed.to !== undefined && account.password && <Password name="password" label="Your password, to confirm" autocomplete="current-password" wrong={wrong} />}
      <button class="quiet" disabled={busy} data-testid="email-go">
        {mailed.to === undefined ? 'Send a code' : 'Keep this address'}
      </button>
      <FormNote wrong={wrong} social={social} />
    </form>
  )
}

/** The address of the account, on its page. */
export function EmailPart(props: EmailProps) {
  const { account, access } = props
  return (
    <Part title="E-mail address">
      {account.email ? (
        <p>
          It is <bdi data-testid="email">{account.email}</bdi>.
        </p>
      ) : (
        <p>You have given none.</p>
      )}
      <EmailForm key={account.email} {...props} />
      {account.email && access.access !== 'domain' && <Remove {...props} />}
    </Part>
  )
}

function Remove({ social, account, done }: EmailProps) {
  const { busy, wrong, form, run } = useSubmit()
  const [sure, ask] = useState(false)
  const remove = (e: Event) => {
    e.preventDefault()
    void run(() => social.account.removeEmail(valueOf(form.current, 'password') || undefined)).then((ok) => (ok ? done() : undefined))
  }
  if (!sure) {
    return (
      <button class="quiet" data-testid="email-remove" onClick={() => ask(true)}>
        Remove the address
      </button>
    )
  }
  return (
    <form ref={form} onSubmit={remove} data-testid="email-remove-form">
      <p>Without it no new password can be sent to you.</p>
      {account.password && <Password name="password" label="Your password, to remove the address" autocomplete="current-password" wrong={wrong} />}
      <div class="go">
        <button type="button" class="quiet" onClick={() => ask(false)}>
          Keep it
        </button>
        <button class="quiet alarm" disabled={busy} data-testid="email-remove-go">
          Remove it
        </button>
      </div>
      <FormNote wrong={wrong} social={social} />
    </form>
  )
}

/** Lets in who gets the mail of an account, with a new password. */
export function Reset({ social }: { social: Social }) {
  const { busy, wrong, form, run } = useSubmit()
  const mailed = useMailedCode(social, 'reset')
  const submit = (e: Event) => {
    e.preventDefault()
    const of = (name: string) => valueOf(form.current, name)
    const { to } = mailed
    if (to === undefined) return void run(() => mailed.send(of('email')), 'mail')
    const reset = () => social.account.reset({ email: to, code: of('email-code'), password: of('new-password'), device: deviceName() })
    void run(reset).then((ok) => (ok ? social.arrive({ said: 'The password is set. You are logged out everywhere else.' }) : undefined))
  }
  return (
    <form ref={form} onSubmit={submit} data-testid="reset">
      <p>If an account here has your address, a code is sent to it. With that you set a new password, and are logged out everywhere else.</p>
      <EmailFields mailed={mailed} wrong={wrong} help="The one that you gave here, in the account." required busy={busy} run={run} form={form} />
      {mailed.to !== undefined && <Password name="new-password" label="New password" autocomplete="new-password" help="At least 8 characters." wrong={wrong} />}
      <button class="primary big" disabled={busy} data-testid="reset-go">
        {mailed.to === undefined ? 'Send a code' : 'Set the password and log in'}
      </button>
      <FormNote wrong={wrong} />
    </form>
  )
}

interface Known {
  me: api.MeReply
  access: api.AccessReply
}

/** Who is logged in but does not come in without an address. */
export function Prove({ social, state }: { social: Social; state: State }) {
  const [known, set] = useState<Known>()
  const [failed, fail] = useState('')
  const { account, model } = social
  useEffect(() => {
    Promise.all([account.me(), account.access()]).then(
      ([me, access]) => set({ me, access }),
      (err: unknown) => fail(trouble(err)?.text ?? ''),
    )
  }, [social, state.error])
  const info = known?.me.account
  return (
    <div class="doors" data-testid="prove">
      <p class="wrong" role="status">
        {failed}
      </p>
      {known && info && (
        <>
          <h1 tabIndex={-1}>Your e-mail address</h1>
          <p>
            You are logged in as <bdi>{info.username}</bdi>. To come in, show that an address of {listed(known.access.email_domains ?? [], 'or')} is yours.
          </p>
          <EmailForm social={social} account={info} access={known.access} done={() => model.client.signIn(model.client.token)} />
          <Leaving social={social} me={known.me} guest={false} />
        </>
      )}
    </div>
  )
}
