import type { Client, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { Model } from '../model'
import { Icon } from './icon'
import { useNow } from './now'
import { errorLine } from './words'

/** A reconnect that takes less than this is nobody's business, in ms; a first connection has its own screen for a while. */
const GRACE_MS = { reconnecting: 600, connecting: 4000 }

/** How long an error stays, in ms. */
const STAY_MS = 9000

/** Says that the server cannot be reached, and when it is tried again. */
export function ServerGone({ state }: { state: State }) {
  const { link } = state
  const gone = link === 'reconnecting' || link === 'connecting'
  const [show, setShow] = useState(false)
  useEffect(() => {
    setShow(false)
    if (link !== 'reconnecting' && link !== 'connecting') return
    const id = setTimeout(() => setShow(true), GRACE_MS[link])
    return () => clearTimeout(id)
  }, [link])
  const now = useNow(500, gone)
  const left = state.retryAt ? Math.ceil((state.retryAt - now) / 1000) : 0
  return (
    <div role="status">
      {gone && show && (
        <p class="gone" data-testid="server-gone">
          <span>
            {state.phase === 'call' ? 'The server cannot be reached. Your call may go on.' : 'The server cannot be reached.'}
          </span>{' '}
          <span aria-hidden="true">{left > 0 ? `Next try in ${left} s` : 'Trying again'}</span>
        </p>
      )}
    </div>
  )
}

/** The last error, until it is read or its time is up. */
export function ErrorNote({ state, client }: { state: State; client: Client }) {
  const { error } = state
  const dismiss = () => client.dismissError()
  useEffect(() => {
    if (!error) return
    const id = setTimeout(dismiss, Math.max(STAY_MS, error.retryAfterMs ?? 0))
    return () => clearTimeout(id)
  }, [error])
  const on = error && state.link !== 'closed'
  return <Toast id="error" code={error?.code} text={on && errorLine(error)} onDismiss={dismiss} />
}

/** What the server wants the person to know. It stays as long as it matters, which the client knows. */
export function ServerNote({ state, client }: { state: State; client: Client }) {
  const { notice } = state
  return <Toast id="notice" code={notice?.code} text={notice?.text} onDismiss={() => client.dismissNotice()} />
}

/** The longest name that is repeated to whoever brought it, in UTF-16 code units. */
const NAME = 40

/** An invitation was to a topic that is not offered here. */
export function LostInvitation({ model, topic }: { model: Model; topic: string | undefined }) {
  return (
    <Toast
      id="no-topic"
      text={topic && `There is no topic “${topic.length > NAME ? `${topic.slice(0, NAME)}…` : topic}” here. Pick another.`}
      onDismiss={() => model.ui.patch({ missing: undefined })}
    />
  )
}

interface ToastProps {
  id: string
  code?: string | undefined
  /** Nothing hides it. */
  text: string | false | undefined
  onDismiss: () => void
}

/** A line over the screen. Its frame is there all the time, so that a screen reader hears what comes into it. */
function Toast({ id, code, text, onDismiss }: ToastProps) {
  return (
    <div role="status">
      {text && (
        <p class={`toast ${id}`} data-testid={id} data-code={code}>
          {id === 'error' && <Icon name="warn" />}
          <span>{text}</span>
          <button class="round ghost" aria-label="Dismiss" onClick={onDismiss}>
            <Icon name="close" />
          </button>
        </p>
      )}
    </div>
  )
}
