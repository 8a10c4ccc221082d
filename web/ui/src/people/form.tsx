import type { ComponentChildren } from 'preact'
import { useId, useRef, useState } from 'preact/hooks'
import { trouble, type Social } from './social'
import { wait } from './words'

/** What is wrong, and beside which field it is said; without one below the form. */
export interface Wrong {
  readonly field: string | undefined
  readonly text: string
  readonly code?: string | undefined
}

/** Which field of a form an error code is about. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  bad_username: ['username'],
  username_taken: ['username'],
  bad_password: ['new-password'],
  wrong_login: ['code', 'password'],
  confirm_required: ['password'],
  invite_required: ['invite'],
  bad_email: ['email'],
  email_domain: ['email'],
  email_required: ['email'],
  email_taken: ['email'],
  wrong_code: ['email-code', 'email'],
}

/** Gives the focus back that a button has lost by being disabled, or by being gone. */
function refocus(el: Element | null): void {
  if ((document.activeElement ?? document.body) !== document.body) return
  const to = el?.isConnected ? el : document.querySelector('.people h1')
  ;(to as HTMLElement | null)?.focus()
}

/** Runs what a form is for: one at a time, not before the server wants to hear of it again, and what went wrong is shown and gets the focus. */
export function useSubmit() {
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Wrong>()
  const form = useRef<HTMLFormElement>(null)
  const running = useRef(false)
  // A form may be there for more than one thing, and wait with one of them only.
  const until = useRef<Record<string, number>>({})
  const run = async (fn: () => Promise<unknown>, what = ''): Promise<boolean> => {
    // The second click of a double click comes before the button is disabled.
    if (running.current) return false
    const rest = (until.current[what] ?? 0) - performance.now()
    if (rest > 0) {
      setWrong({ field: undefined, text: `Not yet. Try again in ${wait(rest)}.` })
      return false
    }
    running.current = true
    const from = document.activeElement
    setBusy(true)
    setWrong(undefined)
    try {
      await fn()
      return true
    } catch (err) {
      const t = trouble(err)
      if (!t) return false
      until.current[what] = performance.now() + (t.waitMs ?? 0)
      const field = FIELDS[t.code]?.find((name) => form.current?.elements.namedItem(name))
      setWrong({ field, ...t })
      if (field) (form.current?.elements.namedItem(field) as HTMLElement | null)?.focus()
      return false
    } finally {
      running.current = false
      setBusy(false)
      // Once that is on the screen.
      setTimeout(refocus, 0, from)
    }
  }
  return { busy, wrong, form, run }
}

/** A field's value, trimmed unless it is a secret. */
export function valueOf(form: HTMLFormElement | null, name: string): string {
  const el = form?.elements.namedItem(name)
  return el instanceof HTMLInputElement ? (/password/.test(name) ? el.value : el.value.trim()) : ''
}

interface FieldProps {
  name: string
  label: string
  autocomplete: string
  wrong?: Wrong | undefined
  help?: string
  type?: 'email'
  required?: boolean
  readOnly?: boolean
  minLength?: number
  maxLength?: number
  value?: string
}

/** A field with its label in sight, and its error beside it. */
export function Field({ name, label, autocomplete, wrong, help, type, value, ...rest }: FieldProps) {
  const id = useId()
  const mine = wrong?.field === name ? wrong.text : undefined
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        {...(type ? { type } : { type: 'text' as const })}
        autocomplete={autocomplete}
        autocapitalize="none"
        spellcheck={false}
        aria-invalid={mine !== undefined}
        aria-describedby={help || mine ? `${id}-said` : undefined}
        // As a value it would take the place of what is being typed, whenever anything else on the page changes.
        defaultValue={value}
        {...rest}
      />
      <Said id={`${id}-said`} wrong={mine} help={help} />
    </div>
  )
}

/** A password, which can be shown. */
export function Password({ name, label, autocomplete, wrong, help }: Pick<FieldProps, 'name' | 'label' | 'autocomplete' | 'wrong' | 'help'>) {
  const [open, setOpen] = useState(false)
  const id = useId()
  const mine = wrong?.field === name ? wrong.text : undefined
  const fresh = autocomplete === 'new-password'
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="secret">
        <input
          id={id}
          name={name}
          {...(open ? { type: 'text' as const } : { type: 'password' as const })}
          autocomplete={autocomplete}
          autocapitalize="none"
          spellcheck={false}
          required
          minLength={fresh ? 8 : undefined}
          aria-invalid={mine !== undefined}
          aria-describedby={help || mine ? `${id}-said` : undefined}
        />
        <button type="button" class="quiet" aria-pressed={open} aria-label={`Show ${label.toLowerCase()}`} onClick={() => setOpen(!open)}>
          {open ? 'Hide' : 'Show'}
        </button>
      </div>
      <Said id={`${id}-said`} wrong={mine} help={help} />
    </div>
  )
}

function Said({ id, wrong, help }: { id: string; wrong: string | undefined; help: string | undefined }) {
  return (
    <p id={id} class={wrong ? 'wrong' : 'fine'} role={wrong ? 'alert' : undefined}>
      {wrong ?? help}
    </p>
  )
}

/** What is wrong with a form as a whole; its frame is always there, so that it is heard. With `social` it offers to confirm where no password can. */
export function FormNote({ wrong, social, children }: { wrong: Wrong | undefined; social?: Social; children?: ComponentChildren }) {
  const whole = wrong && !wrong.field
  const confirm = social && whole && wrong.code === 'confirm_required'
  return (
    <>
      <p class={whole ? 'wrong' : 'fine'} role="status" data-testid="form-note">
        {confirm ? 'Confirm it with your passkey first, then try again.' : whole ? wrong.text : children}
      </p>
      {confirm && <ByPasskey social={social} />}
    </>
  )
}

function ByPasskey({ social }: { social: Social }) {
  const { busy, wrong, run } = useSubmit()
  return (
    <>
      <button type="button" class="quiet" data-testid="confirm-passkey" disabled={busy} onClick={() => void run(() => social.confirm())}>
        Confirm with the passkey
      </button>
      <FormNote wrong={wrong} />
    </>
  )
}

/** A part of a page, with its heading. */
export function Part({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h2>{title}</h2>
      {children}
    </section>
  )
}
