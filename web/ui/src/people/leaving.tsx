import type { api } from '@smalltalk/client'
import { useEffect, useRef, useState } from 'preact/hooks'
import { FormNote, Part, Password, useSubmit, valueOf } from './form'
import { save } from './save'
import type { Social } from './social'

/** Logging out, taking one's data along, and going for good. */
export function Leaving({ social, me, guest }: { social: Social; me: api.MeReply; guest: boolean }) {
  const { busy, wrong, form, run } = useSubmit()
  const [sure, ask] = useState(false)
  const asked = useRef(false)
  const { account } = social
  useEffect(() => {
    // The button that was pressed is gone.
    if (sure) form.current?.querySelector('h2')?.focus()
    else if (asked.current) document.querySelector<HTMLElement>('[data-testid=delete]')?.focus()
    asked.current = sure
  }, [sure])
  const take = () => void run(async () => save(JSON.stringify(await account.exportData(), null, 2), 'small-talk-export.json', 'application/json'))
  const remove = (e: Event) => {
    e.preventDefault()
    void run(() => account.remove(valueOf(form.current, 'password') || undefined)).then((done) => (done ? social.model.home() : undefined))
  }
  return (
    <Part title={guest ? 'Your data' : 'Log out, your data'}>
      <div class="go">
        {!guest && (
          <button class="quiet" disabled={busy} data-testid="log-out" onClick={() => void run(() => account.logOut()).then((done) => (done ? social.model.home() : undefined))}>
            Log out
          </button>
        )}
        <button class="quiet" disabled={busy} data-testid="export" onClick={take}>
          Download all that is kept of you
        </button>
        {!sure && (
          <button class="quiet alarm" data-testid="delete" onClick={() => ask(true)}>
            {guest ? 'Delete all of it' : 'Delete the account'}
          </button>
        )}
      </div>
      {sure && (
        <form ref={form} class="card danger" onSubmit={remove} data-testid="delete-form">
          <h2 tabIndex={-1}>
            Delete {guest ? 'everything' : 'the account'} of <bdi>{me.name}</bdi>?
          </h2>
          <p>Your name, friends, requests, blocks and missed calls are gone for good, at once. Nobody can bring them back, nor can we.</p>
          {me.account?.password && <Password name="password" label="Your password, to delete for good" autocomplete="current-password" wrong={wrong} />}
          <div class="go">
            <button type="button" class="primary" onClick={() => ask(false)}>
              Keep it
            </button>
            <button class="quiet alarm" disabled={busy} data-testid="delete-go">
              Delete for good
            </button>
          </div>
        </form>
      )}
      <FormNote wrong={wrong} social={social} />
    </Part>
  )
}
