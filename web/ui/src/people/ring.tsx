import type { State } from '@smalltalk/client'
import type { Ring } from '@smalltalk/client/people'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from '../parts/icons'
import type { Social } from './social'

/** Keys that were meant for what was there before do not answer, for so long, in ms. The style sheet has it for touches. */
const GUARD_MS = 800

/** How long either title stands, in ms. */
const TITLE_MS = 1_000

/** Says it in the title too, in turns with what else stands there, so that it is noticed from another tab. */
function useTitle(text: string): void {
  useEffect(() => {
    let below = document.title
    const turn = () => {
      // What lies below may have changed it meanwhile.
      if (document.title !== text) below = document.title
      document.title = document.title === text ? below : text
    }
    turn()
    const timer = setInterval(turn, TITLE_MS)
    return () => {
      clearInterval(timer)
      if (document.title === text) document.title = below
    }
  }, [text])
}

/** Whether what is new has been there for long enough to be meant. */
function useGuard(): () => boolean {
  const since = useRef(0)
  useLayoutEffect(() => {
    since.current = performance.now()
  }, [])
  return () => performance.now() - since.current > GUARD_MS
}

/** A friend rings. */
export function Incoming({ social, ring, state, letters }: { social: Social; ring: Ring; state: State; letters: boolean }) {
  const ref = useRef<HTMLDialogElement>(null)
  const head = useRef<HTMLHeadingElement>(null)
  const awake = useGuard()
  const { answered } = ring
  const name = ring.friend.name || 'A friend'
  const decline = () => social.people.decline()
  useLayoutEffect(() => {
    const el = ref.current
    el?.showModal()
    return () => el?.close()
  }, [])
  // Also when the button that had the focus is gone.
  useLayoutEffect(() => head.current?.focus(), [answered])
  useTitle(`${name} is calling`)
  useLayoutEffect(() => {
    const key = (e: KeyboardEvent) => {
      // The keys of a call that lies below are not for now, wherever the focus is.
      e.stopPropagation()
      if (e.repeat || e.ctrlKey || e.metaKey || e.altKey || answered || !letters || !awake()) return
      if (/^a$/i.test(e.key)) social.answer()
      else if (/^d$/i.test(e.key)) decline()
    }
    addEventListener('keydown', key, true)
    return () => removeEventListener('keydown', key, true)
  }, [letters, answered])
  const cancel = (e: Event) => {
    e.preventDefault()
    if (awake()) decline()
  }
  // A browser lets nobody keep a dialog open against a second Esc, or against Back: but it still rings.
  const closed = ({ currentTarget: el }: { currentTarget: HTMLDialogElement }) => {
    if (el.isConnected && !el.open) el.showModal()
  }
  const costs = state.phase === 'call' ? 'Answering ends your present call.' : state.phase === 'queued' ? 'Answering ends your search.' : ''
  return (
    <dialog ref={ref} class="ringing" data-testid="ringing" aria-labelledby="ringing-title" aria-describedby="ringing-costs" onCancel={cancel} onClose={closed}>
      <div class="caller" aria-hidden="true">
        <span>{[...name][0]}</span>
      </div>
      <h2 id="ringing-title" ref={head} tabIndex={-1}>
        <bdi>{name}</bdi> {answered ? 'is being connected' : 'is calling'}
      </h2>
      <p id="ringing-costs" role="status">
        {answered ? 'One moment.' : costs}
      </p>
      <div class="answers" key={String(answered)}>
        {answered ? (
          <button class="quiet alarm" data-testid="ring-hang-up" onClick={decline}>
            Hang up
          </button>
        ) : (
          <>
            <button class="primary big" data-testid="ring-accept" aria-keyshortcuts={letters ? 'a' : undefined} onClick={() => social.answer()}>
              <Icon name="phone" /> Answer
            </button>
            <button class="quiet" data-testid="ring-accept-audio" onClick={() => social.answer('audio')}>
              Answer with sound only
            </button>
            <button class="quiet alarm" data-testid="ring-decline" aria-keyshortcuts={letters ? 'd Escape' : 'Escape'} onClick={decline}>
              Decline
            </button>
          </>
        )}
      </div>
    </dialog>
  )
}

/** A friend is rung. One stays where one is meanwhile. */
export function Outgoing({ social, ring }: { social: Social; ring: Ring }) {
  const box = useRef<HTMLDivElement>(null)
  const awake = useGuard()
  // Before it is gone: afterwards nobody knows where the focus was.
  useLayoutEffect(() => {
    const from = document.activeElement
    // Nothing else changes on the screen: the button is the one thing to be found.
    box.current?.querySelector('button')?.focus()
    return () => {
      if (!box.current?.contains(document.activeElement)) return
      const back = from?.isConnected && from !== document.body ? from : document.querySelector('h1')
      ;(back as HTMLElement | null)?.focus()
    }
  }, [])
  return (
    <div ref={box} class="outgoing" data-testid="outgoing" role="group" aria-labelledby="outgoing-whom">
      <p id="outgoing-whom">
        {ring.answered ? 'Connecting' : 'Calling'} <bdi>{ring.friend.name || 'your friend'}</bdi>
      </p>
      {/* The key that began the ring, held a little too long, does not end it. */}
      <button class="quiet" data-testid="ring-cancel" onClick={(e) => (e.detail > 0 || awake()) && social.people.cancel()}>
        Cancel
      </button>
    </div>
  )
}
