import type { State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { LocalState } from '../media/local'
import type { Model, Ui } from '../model'
import { useNow } from '../parts/now'
import { mediaFails } from '../parts/trouble'
import { clock } from '../parts/words'
import { listed, topicNames } from '../screen'
import { HUES } from './home'

/** After this long the screen owns up that it is quiet here, in ms. */
const QUIET_MS = 20_000

/** Most connections are made within this, in ms. */
const SLOW_MS = 5_000

/** A failure that is over sooner than this is nobody's business, in ms. */
const GRACE_MS = 1_500

/** How long the button to try again says so, in ms. */
const TRYING_MS = 3_000

/** How many bars the wave has. */
const BARS = [0, 1, 2, 3, 4, 5, 6]

/** The wave of the first Small Talk, in the colours of what was picked. */
export function Waiting({ model, state, ui, local }: { model: Model; state: State; ui: Ui; local: LocalState }) {
  const { queue, topics } = state
  const now = useNow(1000)
  const ids = queue ? (queue.topics === 'any' ? [] : queue.topics) : ui.picked
  const hues = (ids.length ? ids : topics.map((t) => t.id)).map((id) => topics.findIndex((t) => t.id === id)).filter((i) => i >= 0)
  const waited = queue ? now - queue.since : 0
  const cut = useLate(state.link === 'online' && mediaFails(state), GRACE_MS)
  return (
    <section class="waiting" data-testid="waiting">
      {!cut && (
        <div class="wave" aria-hidden="true">
          {BARS.map((i) => (
            <i key={i} class={`h${(hues[i % hues.length] ?? i) % HUES}`} />
          ))}
        </div>
      )}
      <h1 tabIndex={-1}>{cut ? 'Your video cannot get through' : local.asking ? 'Starting your camera' : 'Looking for someone'}</h1>
      <div role="status">{cut && <p data-testid="media-failed">{CUT}</p>}</div>
      {cut ? (
        <Again model={model} />
      ) : (
        <>
          <p class="about">{ids.length ? `to talk about ${listed(topicNames(ids, topics))}` : 'to talk about anything'}</p>
          <p class="many">
            {!queue ? '\u00a0' : state.rtc === 'connecting' && waited > SLOW_MS ? 'Your video is still connecting' : queue.waiting > 1 ? `${queue.waiting} people are waiting` : waited > QUIET_MS ? 'It is quiet here right now. Stay, and you meet whoever comes next.' : 'You are the first in line'}
          </p>
          <p class="since" aria-hidden="true">
            {queue ? clock(waited) : '\u00a0'}
          </p>
        </>
      )}
      <button class="quiet" data-testid="cancel" onClick={() => model.home()}>
        Cancel
      </button>
    </section>
  )
}

/** Nobody is matched without media: this is not a wait, but a thing to be put right. */
const CUT = 'The network you are on seems to block it, so nobody can be found for you. Try another Wi-Fi or mobile data, or switch off a VPN.'

function Again({ model }: { model: Model }) {
  const [trying, setTrying] = useState(false)
  useEffect(() => {
    if (!trying) return
    const id = setTimeout(() => setTrying(false), TRYING_MS)
    return () => clearTimeout(id)
  }, [trying])
  const again = () => {
    if (!trying) model.client.retryMedia()
    setTrying(true)
  }
  return (
    <button class="primary big" data-testid="retry-media" onClick={again}>
      {trying ? 'Trying again' : 'Try again'}
    </button>
  )
}

/** `on`, but only once it has been so for `ms`. */
function useLate(on: boolean, ms: number): boolean {
  const [late, set] = useState(false)
  useEffect(() => {
    if (!on) return set(false)
    const id = setTimeout(() => set(true), ms)
    return () => clearTimeout(id)
  }, [on, ms])
  return on && late
}
