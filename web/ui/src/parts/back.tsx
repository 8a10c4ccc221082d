import type { Undo } from '@smalltalk/client'
import { useEffect, useRef } from 'preact/hooks'
import type { Model } from '../model'
import { useNow } from './now'

/** How long there is time to ask, in ms; where the fuse begins. */
const WHOLE_MS = 10_000

/** For some seconds after a call: asking the partner back, and answering one who asks. */
export function Back({ model, undo, letters }: { model: Model; undo: Undo; letters: boolean }) {
  const { name, asked, wanted, until } = undo
  const now = useNow(250)
  const left = until - now
  const fuse = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // Set once: the style sheet lets it burn down.
    fuse.current?.style.setProperty('--spent', `${Date.now() - (until - WHOLE_MS)}ms`)
  }, [until])
  const ask = () => {
    model.undo()
    // The button goes away, and the focus must not go with it.
    document.querySelector<HTMLElement>('h1')?.focus()
  }
  const seconds = Math.max(0, Math.ceil(left / 1000))
  return (
    <div class={`again ${wanted ? 'wanted' : ''}`} data-testid="again" hidden={left <= 0}>
      <div class="words">
        <p role="status">{backLine(undo)}</p>
        {!asked && <p class="fine">{wanted ? 'You meet when you say so too.' : 'You meet again if you both ask.'}</p>}
      </div>
      {!asked && (
        <button class={wanted ? 'primary' : 'quiet'} data-testid="undo" aria-keyshortcuts={letters ? 'b' : undefined} onClick={ask}>
          {wanted ? 'Meet again' : 'Get back'}
          <span class="sr"> {name}</span>
        </button>
      )}
      <p class="time" aria-hidden="true">
        {seconds} s
      </p>
      <div ref={fuse} class="ember" aria-hidden="true" />
    </div>
  )
}

/** How things stand with the last partner. */
export function backLine({ name, asked, wanted }: Pick<Undo, 'name' | 'asked' | 'wanted'>): string {
  if (asked) return `You asked ${name} to come back. Now they have to ask too.`
  return wanted ? `${name} would like to come back` : `Get ${name} back?`
}
