import type { ComponentChildren } from 'preact'
import { useId, useRef, useState } from 'preact/hooks'
import { trouble } from './social'

/** What is wrong, and beside which field it is said; without one below the form. */
export interface Wrong {
  readonly field: string | undefined
  readonly text: string
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

/** Runs what a form is for: one at a time, and what went wrong is shown and gets the focus. */
export function useSubmit() {
  const [busy, setBusy] = useState(false)
  const [wrong, setWrong] = useState<Wrong>()
  const form = useRef<HTMLFormElement>(null)
  const run = async (fn: () => Promise<unknown>): Promise<boolean> => {
    if (busy) return false
    setBusy(true)
    setWrong(undefined)
    try {
      await fn()
      return true
    } catch (err) {
      const t = trouble(err)
      if (!t) return false
      const field = FIELDS[t.code]?.find((name) => form.current?.elements.namedItem(name))
      setWrong({ field, text: t.text })
      if (field) (form.current?.elements.namedItem(field) as HTMLElement | null)?.focus()
      return false
    } finally {
      setBusy(false)
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
export function Field({ name, label, autocomplete, wrong, help, type, ...rest }: FieldProps) {
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
          maxLength={128}
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

/** What is wrong with a form as a whole; its frame is always there, so that it is heard. */
export function FormNote({ wrong, children }: { wrong: Wrong | undefined; children?: ComponentChildren }) {
  return (
    <p class={wrong && !wrong.field ? 'wrong' : 'fine'} role="status" data-testid="form-note">
      {wrong && !wrong.field ? wrong.text : children}
    </p>
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
