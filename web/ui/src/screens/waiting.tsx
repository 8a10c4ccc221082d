import type { State } from '@smalltalk/client'
import type { LocalState } from '../media/local'
import type { Model, Ui } from '../model'
import { useNow } from '../parts/now'
import { clock } from '../parts/words'
import { listed, topicNames } from '../screen'
import { HUES } from './home'

/** After this long the screen owns up that it is quiet here, in ms. */
const QUIET_MS = 20_000

/** How many bars the wave has. */
const BARS = [0, 1, 2, 3, 4, 5, 6]

/** The wave of the first Small Talk, in the colours of what was picked. */
export function Waiting({ model, state, ui, local }: { model: Model; state: State; ui: Ui; local: LocalState }) {
  const { queue, topics } = state
  const now = useNow(1000)
  const ids = queue ? (queue.topics === 'any' ? [] : queue.topics) : ui.picked
  const hues = (ids.length ? ids : topics.map((t) => t.id)).map((id) => topics.findIndex((t) => t.id === id)).filter((i) => i >= 0)
  const waited = queue ? now - queue.since : 0
  return (
    <section class="waiting" data-testid="waiting">
      <div class="wave" aria-hidden="true">
        {BARS.map((i) => (
          <i key={i} class={`h${(hues[i % hues.length] ?? i) % HUES}`} />
        ))}
      </div>
      <h1 tabIndex={-1}>{local.asking ? 'Starting your camera' : 'Looking for someone'}</h1>
      <p class="about">{ids.length ? `to talk about ${listed(topicNames(ids, topics))}` : 'to talk about anything'}</p>
      <p class="many">
        {!queue ? '\u00a0' : queue.waiting > 1 ? `${queue.waiting} people are waiting` : waited > QUIET_MS ? 'It is quiet here right now. Stay, and you meet whoever comes next.' : 'You are the first in line'}
      </p>
      <p class="since" aria-hidden="true">
        {queue ? clock(waited) : '\u00a0'}
      </p>
      <button class="quiet" data-testid="cancel" onClick={() => model.home()}>
        Cancel
      </button>
    </section>
  )
}
