import type { Client, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
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
  useEffect(() => {
    if (!error) return
    const id = setTimeout(() => client.dismissError(), Math.max(STAY_MS, error.retryAfterMs ?? 0))
    return () => clearTimeout(id)
  }, [error])
  return (
    <div role="status">
      {error && state.link !== 'closed' && (
        <p class="toast" data-testid="error" data-code={error.code}>
          <Icon name="warn" />
          <span>{errorLine(error)}</span>
          <button class="round ghost" aria-label="Dismiss" onClick={() => client.dismissError()}>
            <Icon name="close" />
          </button>
        </p>
      )}
    </div>
  )
}
