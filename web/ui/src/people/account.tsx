import type { api, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import { useCell } from '../cell'
import { useNow } from '../parts/now'
import { EmailPart } from './email'
import { Field, FormNote, Part, Password, useSubmit, valueOf } from './form'
import { Leaving } from './leaving'
import { deviceName, trouble, type Social } from './social'
import { ago, day } from './words'

interface Known {
  me: api.MeReply
  devices: api.DeviceInfo[]
  passkeys: api.PasskeyInfo[]
  access: api.AccessReply
}

/** Who one is here, and everything about it. */
export function AccountPage({ social, state, guest }: { social: Social; state: State; guest: boolean }) {
  const [known, set] = useState<Known>()
  const [failed, fail] = useState('')
  const { said } = useCell(social.cell)
  const [heard, hear] = useState('')
  const { account } = social
  const load = async () => {
    try {
      const [me, access] = await Promise.all([account.me(), account.access()])
      const [devices, passkeys] = await Promise.all([account.devices(), me.account ? account.passkeys() : []])
      set({ me, devices, passkeys, access })
      fail('')
    } catch (err) {
      fail(trouble(err)?.text ?? '')
    }
  }
  // Also after signing up, when one is somebody else.
  useEffect(() => void (state.link === 'online' && load()), [state.link, state.user])
  // Only what comes into a frame that is there already is read aloud.
  useEffect(() => hear(said), [said])
  return (
    <>
      <h1 tabIndex={-1}>Account</h1>
      <p role="status" data-testid="said">
        {heard}
      </p>
      <p class="wrong" role="status">
        {failed}
      </p>
      {failed && (
        <div class="go">
          <button class="quiet" onClick={() => void load()}>
            Try again
          </button>
        </div>
      )}
      {!known && !failed && <p class="nothing late">Loading</p>}
      {known && <Parts social={social} known={known} guest={guest} reload={load} />}
    </>
  )
}

function Parts({ social, known, guest, reload }: { social: Social; known: Known; guest: boolean; reload: () => Promise<void> }) {
  const { me, passkeys, access } = known
  const [bell, setBell] = useState(social.bell.on)
  const ring = (on: boolean) => {
    social.bell.on = on
    setBell(on)
  }
  return (
    <>
      {guest && (
        <div class="card">
          <p>You are a guest, kept on this device only.</p>
          <div class="go">
            <button class="primary" data-testid="open-sign-up" onClick={() => social.show('door', 'sign-up')}>
              Create an account
            </button>
            <button class="quiet" data-testid="open-log-in" onClick={() => social.show('door', 'log-in')}>
              Log in
            </button>
          </div>
        </div>
      )}
      <Name social={social} me={me} reload={reload} />
      {me.account && <Username social={social} account={me.account} reload={reload} />}
      <fieldset>
        <legend>Friends</legend>
        <label class="check">
          <input type="checkbox" data-testid="bell" checked={bell} onChange={(e) => ring(e.currentTarget.checked)} />
          A sound when a friend calls, on this device
        </label>
        {me.account && <Hide social={social} hidden={me.account.hide_presence} reload={reload} />}
      </fieldset>
      {me.account && <NewPassword social={social} account={me.account} reload={reload} />}
      {me.account && access.email && <EmailPart social={social} account={me.account} access={access} done={() => void reload()} />}
      {me.account && social.passkeys && access.passkeys && <Passkeys social={social} account={me.account} passkeys={passkeys} reload={reload} />}
      {me.account && <Recovery social={social} account={me.account} />}
      <Devices social={social} devices={known.devices} reload={reload} />
      <Leaving social={social} me={me} guest={guest} />
    </>
  )
}

interface PartProps {
  social: Social
  reload: () => Promise<void>
}

function Name({ social, me, reload }: PartProps & { me: api.MeReply }) {
  const { busy, wrong, form, run } = useSubmit()
  const [said, say] = useState('')
  const submit = (e: Event) => {
    e.preventDefault()
    void run(() => social.account.change({ name: valueOf(form.current, 'name') })).then((done) => {
      if (!done) return
      social.tell('Your name is changed.', form.current ? say : undefined)
      void reload()
    })
  }
  return (
    <form ref={form} class="part" onSubmit={submit} data-testid="name-form">
      <Field name="name" label="Name that others see" autocomplete="nickname" required maxLength={64} value={me.name} wrong={wrong} />
      <button class="quiet" disabled={busy}>
        Change
      </button>
      <FormNote wrong={wrong}>{said}</FormNote>
    </form>
  )
}

function Username({ social, account, reload }: PartProps & { account: api.AccountInfo }) {
  const { busy, wrong, form, run } = useSubmit()
  const [said, say] = useState('')
  const submit = (e: Event) => {
    e.preventDefault()
    void run(() => social.account.change({ username: valueOf(form.current, 'username') })).then((done) => {
      if (!done) return
      say('From now on you log in with it.')
      void reload()
    })
  }
  return (
    <form ref={form} class="part" onSubmit={submit} data-testid="username-form">
      <Field name="username" label="User name" autocomplete="username" help="You log in with it. Nobody else sees it." required minLength={3} maxLength={40} value={account.username} wrong={wrong} />
      <button class="quiet" disabled={busy}>
        Change
      </button>
      <FormNote wrong={wrong}>{said}</FormNote>
    </form>
  )
}

function Hide({ social, hidden, reload }: PartProps & { hidden: boolean }) {
  const { busy, wrong, run } = useSubmit()
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          data-testid="hide-presence"
          // What was asked for, until it is known whether it was done.
          checked={busy ? !hidden : hidden}
          disabled={busy}
          onChange={(e) => {
            const hide_presence = e.currentTarget.checked
            void run(async () => {
              await social.account.change({ hide_presence })
              await reload()
            })
          }}
        />
        Do not show my friends when I am here
      </label>
      <FormNote wrong={wrong} />
    </>
  )
}

function NewPassword({ social, account, reload }: PartProps & { account: api.AccountInfo }) {
  const { busy, wrong, form, run } = useSubmit()
  const [said, say] = useState('')
  const submit = (e: Event) => {
    e.preventDefault()
    const password = valueOf(form.current, 'new-password')
    const current = valueOf(form.current, 'password')
    void run(() => social.account.change({ password, ...(account.password ? { current } : {}) })).then((done) => {
      if (!done) return
      form.current?.reset()
      social.tell('The password is changed. Other devices are logged out.', form.current ? say : undefined)
      void reload()
    })
  }
  return (
    <form ref={form} class="part" onSubmit={submit} data-testid="password-form">
      <h2>{account.password ? 'Change the password' : 'Set a password'}</h2>
      {/* A password manager looks for whose password it is. */}
      <input class="sr" name="username" autocomplete="username" value={account.username} readOnly tabIndex={-1} aria-hidden="true" />
      {account.password && <Password name="password" label="Present password" autocomplete="current-password" wrong={wrong} />}
      <Password name="new-password" label="New password" autocomplete="new-password" help="At least 8 characters." wrong={wrong} />
      <button class="quiet" disabled={busy}>
        {account.password ? 'Change' : 'Set'}
      </button>
      <FormNote wrong={wrong} social={social}>
        {said}
      </FormNote>
    </form>
  )
}

function Passkeys({ social, account, passkeys, reload }: PartProps & { account: api.AccountInfo; passkeys: api.PasskeyInfo[] }) {
  const { busy, wrong, form, run } = useSubmit()
  const add = (e: Event) => {
    e.preventDefault()
    void run(() => social.account.addPasskey(valueOf(form.current, 'password') || undefined, deviceName())).then((done) => (done ? reload() : undefined))
  }
  return (
    <Part title="Passkeys">
      {passkeys.length === 0 && <p>Log in with your fingerprint, face or the device's own code instead of a password.</p>}
      <ul>
        {passkeys.map((p) => (
          <li key={p.id} class="row">
            <span class="whom">
              <bdi>{p.label || 'Passkey'}</bdi>
              <span class="about">since {day(p.created)}</span>
            </span>
            <span class="acts">
              <button class="quiet" disabled={busy} onClick={() => void run(() => social.account.removePasskey(p.id)).then((done) => (done ? reload() : undefined))}>
                Remove<span class="sr"> {p.label}</span>
              </button>
            </span>
          </li>
        ))}
      </ul>
      <form ref={form} onSubmit={add}>
        {account.password && <Confirm wrong={wrong} />}
        <button class="quiet" disabled={busy} data-testid="add-passkey">
          Add a passkey
        </button>
        <FormNote wrong={wrong} social={social} />
      </form>
    </Part>
  )
}

/** What would give the account away takes the password again. */
function Confirm({ wrong }: { wrong: Parameters<typeof Password>[0]['wrong'] }) {
  return <Password name="password" label="Your password, to confirm" autocomplete="current-password" wrong={wrong} />
}

function Recovery({ social, account }: { social: Social; account: api.AccountInfo }) {
  const { busy, wrong, form, run } = useSubmit()
  const submit = (e: Event) => {
    e.preventDefault()
    void run(async () => social.cell.patch({ codes: await social.account.newCodes(valueOf(form.current, 'password') || undefined) }))
  }
  return (
    <Part title="Recovery codes">
      <p>{account.recovery_codes === 0 ? 'You have none.' : `${account.recovery_codes} are left.`} New ones take the place of the old.</p>
      <form ref={form} onSubmit={submit}>
        {account.password && <Confirm wrong={wrong} />}
        <button class="quiet" disabled={busy} data-testid="new-codes">
          Make new codes
        </button>
        <FormNote wrong={wrong} social={social} />
      </form>
    </Part>
  )
}

function Devices({ social, devices, reload }: PartProps & { devices: api.DeviceInfo[] }) {
  const { busy, wrong, run } = useSubmit()
  const now = useNow(60_000)
  return (
    <Part title="Where you are logged in">
      <ul>
        {devices.map((d) => (
          <li key={d.id} class="row" data-testid="device">
            <span class="whom">
              <bdi>{d.device || 'A device'}</bdi>
              <span class="about">{d.current ? 'This one' : `last here ${ago(d.seen, now)}`}</span>
            </span>
            <span class="acts">
              {!d.current && (
                <button class="quiet" data-testid="end-device" disabled={busy} onClick={() => void run(() => social.account.endDevice(d.id)).then((done) => (done ? reload() : undefined))}>
                  End<span class="sr"> {d.device}</span>
                </button>
              )}
            </span>
          </li>
        ))}
      </ul>
      <FormNote wrong={wrong} />
    </Part>
  )
}
