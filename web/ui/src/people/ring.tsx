import type { State } from '@smalltalk/client'
import type { Ring } from '@smalltalk/client/people'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from '../parts/icons'
import type { Social } from './social'

/** Keys that were meant for what was there before do not answer, for so long, in ms. */
const GUARD_MS = 800

/** A friend rings. */
export function Incoming({ social, ring, state, letters }: { social: Social; ring: Ring; state: State; letters: boolean }) {
  const ref = useRef<HTMLDialogElement>(null)
  const head = useRef<HTMLHeadingElement>(null)
  const since = useRef(0)
  const { name } = ring.friend
  useLayoutEffect(() => {
    const el = ref.current
    since.current = performance.now()
    el?.showModal()
    head.current?.focus()
    return () => el?.close()
  }, [])
  useEffect(() => {
    const title = document.title
    document.title = `${name} is calling`
    return () => {
      document.title = title
    }
  }, [name])
  const awake = () => performance.now() - since.current > GUARD_MS
  const answer = (mode?: 'video' | 'audio') => social.answer(mode)
  const key = (e: KeyboardEvent) => {
    // The keys of a call that lies below are not for now.
    e.stopPropagation()
    if (e.repeat || e.ctrlKey || e.metaKey || e.altKey || !awake() || ring.answered) return
    if (letters && /^a$/i.test(e.key)) answer()
    else if (letters && /^d$/i.test(e.key)) social.people.decline()
  }
  const cancel = (e: Event) => {
    e.preventDefault()
    if (awake()) social.people.decline()
  }
  const costs = state.phase === 'call' ? 'Answering ends your present call.' : state.phase === 'queued' ? 'Answering ends your search.' : ''
  return (
    <dialog ref={ref} class="ringing" data-testid="ringing" aria-labelledby="ringing-title" aria-describedby="ringing-costs" onKeyDown={key} onCancel={cancel}>
      <div class="caller" aria-hidden="true">
        <span>{[...name][0] ?? ''}</span>
      </div>
      <h2 id="ringing-title" ref={head} tabIndex={-1}>
        <bdi>{name}</bdi> {ring.answered ? 'is being connected' : 'is calling'}
      </h2>
      <p id="ringing-costs">{costs}</p>
      {!ring.answered && (
        <div class="answers">
          <button class="primary big" data-testid="ring-accept" aria-keyshortcuts={letters ? 'a' : undefined} onClick={() => answer()}>
            <Icon name="phone" /> Answer
          </button>
          <button class="quiet" data-testid="ring-accept-audio" onClick={() => answer('audio')}>
            Answer with sound only
          </button>
          <button class="quiet alarm" data-testid="ring-decline" aria-keyshortcuts={letters ? 'd Escape' : 'Escape'} onClick={() => social.people.decline()}>
            Decline
          </button>
        </div>
      )}
    </dialog>
  )
}

/** A friend is rung. One stays where one is meanwhile. */
export function Outgoing({ social, ring }: { social: Social; ring: Ring }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // Nothing else changes on the screen: the button is the one thing to be found.
    box.current?.querySelector('button')?.focus()
    return () => {
      if (box.current?.contains(document.activeElement)) document.querySelector<HTMLElement>('h1')?.focus()
    }
  }, [])
  return (
    <div ref={box} class="outgoing" data-testid="outgoing">
      <p role="status">
        Calling <bdi>{ring.friend.name}</bdi>
      </p>
      <button class="quiet" data-testid="ring-cancel" onClick={() => social.people.cancel()}>
        Cancel
      </button>
    </div>
  )
}
