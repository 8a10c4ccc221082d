import type { QueueInfo, Side, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { LocalState } from '../media/local'
import type { Model, Ui } from '../model'
import { useNow } from '../parts/now'
import { mediaFails } from '../parts/trouble'
import { aboutLine, clock, manyLine, usualLine, widenedLine } from '../parts/wait'
import { topicNames } from '../screen'
import { searchOf } from '../search'
import { HUES } from './home'

/** After this long it is offered to widen the search, in ms; at once where nobody else waits. */
const PATIENCE_MS = 8_000

/** As soon as the server has counted, but not before, in ms. */
const COUNTED_MS = 1_500

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
  const ids = queue ? (queue.topics === 'any' ? [] : queue.topics) : model.topics()
  const langs = queue ? queue.langs : ui.langs
  const widened = queue?.widened ?? []
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
          <p class="about">{aboutLine(topicNames(ids, topics), langs, widened)}</p>
          <p class="many">{!queue ? '\u00a0' : state.rtc === 'connecting' && waited > SLOW_MS ? 'Your video is still connecting' : manyLine(queue.waiting, waited)}</p>
          {queue?.etaMs !== undefined && <p class="usual">{usualLine(queue.etaMs, waited)}</p>}
          <p class="since" aria-hidden="true">
            {queue ? clock(waited) : '\u00a0'}
          </p>
          <Widen model={model} ui={ui} queue={queue} named={ids.length > 0} waited={waited} />
        </>
      )}
      <button class="quiet" data-testid="cancel" onClick={() => model.home()}>
        Cancel
      </button>
    </section>
  )
}

const SIDES = ['topics', 'langs'] as const

const OFFERS: Record<Side, string> = { topics: 'Any topic', langs: 'Any language' }

/** What the search has widened to, and the offer to widen it now. */
function Widen({ model, ui, queue, named, waited }: { model: Model; ui: Ui; queue: QueueInfo | undefined; named: boolean; waited: number }) {
  const [since] = useState(Date.now)
  const here = Date.now() - since
  const narrow = SIDES.filter((side) => (side === 'topics' ? named : !!queue?.langs.length))
  const open = queue ? narrow.filter((side) => !queue.widened.includes(side)) : []
  const offered = open.length > 0 && (here > PATIENCE_MS || (queue?.waiting === 1 && here > COUNTED_MS))
  const ask = (...sides: Side[]) => {
    model.client.widen(...sides)
    // The button goes away, and the focus must not go with it.
    document.querySelector<HTMLElement>('h1')?.focus()
  }
  const { widenAfterMs } = searchOf([], [], ui.widening)
  const soon = widenAfterMs !== undefined && queue && !queue.strict ? nextLine(open, widenAfterMs, waited) : undefined
  return (
    <>
      <p class="widened" role="status" data-testid="widened">
        {queue && widenedLine(narrow.filter((side) => queue.widened.includes(side)))}
        {offered && <span class="sr"> You can widen the search.</span>}
      </p>
      {offered && (
        <div class="offer" role="group" aria-label="Widen the search" data-testid="offer">
          <p>{soon ?? 'Meet more people with'}</p>
          <div class="sides">
            {open.map((side) => (
              <button key={side} class="quiet" data-testid={`widen-${side}`} onClick={() => ask(side)}>
                {OFFERS[side]}
                <span class="sr">, now</span>
              </button>
            ))}
          </div>
        </div>
      )}
    </>
  )
}

/** What will widen by itself next, and when. */
function nextLine(open: readonly Side[], afterMs: number, waited: number): string | undefined {
  const side = open[0]
  const at = side === 'topics' ? afterMs : 2 * afterMs
  return side && waited < at ? `From ${clock(at)} on any ${side === 'topics' ? 'topic' : 'language'} will do. Or at once:` : undefined
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
