import type { Client, State } from '@smalltalk/client'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from './icons'

/** Typing is reported as over after this long without a key, in ms. */
const PAUSE_MS = 2500

/** The longest line that the protocol takes. */
const MAX = 2000

/** How far from its end a log may be and still follow, in CSS pixels: about two lines. */
const NEAR = 60

function atEnd(el: HTMLElement): boolean {
  return el.scrollHeight - el.scrollTop - el.clientHeight < NEAR
}

interface Props {
  state: State
  client: Client
  onClose: () => void
}

/** The text beside the video: a column on wide windows, a sheet on phones. */
export function Chat({ state, client, onClose }: Props) {
  const box = useRef<HTMLElement>(null)
  const input = useRef<HTMLInputElement>(null)
  const log = useRef<HTMLDivElement>(null)
  /** The newest line is in sight. */
  const end = useRef(true)
  const pause = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const name = state.call?.peer.name ?? ''

  useLayoutEffect(() => {
    // Not by touch: the keyboard would cover the picture unasked.
    if (matchMedia('(pointer: fine)').matches) input.current?.focus()
    return () => {
      clearTimeout(pause.current)
      client.setTyping(false)
      // Closed from within: the focus goes back to the button that opened it.
      if (box.current?.contains(document.activeElement)) document.querySelector<HTMLElement>('[data-testid=chat]')?.focus()
    }
  }, [])
  const last = state.chat.at(-1)
  useLayoutEffect(() => {
    const el = log.current
    // Who reads further up is not pulled down, but by a line of one's own.
    if (el && (end.current || last?.from === 'me')) el.scrollTop = el.scrollHeight
  }, [last?.id, last?.from, state.peerTyping])

  const typing = (on: boolean) => {
    clearTimeout(pause.current)
    client.setTyping(on)
    if (on) pause.current = setTimeout(() => client.setTyping(false), PAUSE_MS)
  }
  const send = (e: Event) => {
    e.preventDefault()
    const el = input.current
    const text = el?.value.trim()
    if (!el || !text) return
    // The line ends the typing; nothing has to say so.
    clearTimeout(pause.current)
    client.sendChat(text)
    el.value = ''
    el.focus()
  }

  return (
    <aside ref={box} class="chat" aria-label="Chat">
      <header>
        <h2>Chat</h2>
        <button class="round ghost" aria-label="Close chat" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div ref={log} data-testid="chat-log" role="log" aria-label="Messages" tabIndex={0} onScroll={(e) => (end.current = atEnd(e.currentTarget))}>
        {state.chat.length === 0 && <p class="empty">Say hello to {name}. Nothing here is kept after the call.</p>}
        {state.chat.map((l) => (
          <p key={l.id + l.from} class={`line ${l.from} ${l.state}`}>
            <span class="sr">{l.from === 'me' ? 'You: ' : `${name}: `}</span>
            <span class="text" dir="auto">
              {l.text}
            </span>
            {l.state === 'failed' && (
              <button class="link" onClick={() => client.resendChat(l.id)}>
                Not sent. Try again
              </button>
            )}
          </p>
        ))}
        {state.peerTyping && (
          <p class="line peer typing">
            <span class="sr">{name} is typing</span>
            <i />
            <i />
            <i />
          </p>
        )}
      </div>
      <form onSubmit={send}>
        <input
          ref={input}
          data-testid="chat-input"
          aria-label={`Message to ${name}`}
          placeholder="Write something"
          maxLength={MAX}
          autocomplete="off"
          enterkeyhint="send"
          dir="auto"
          onInput={(e) => typing(e.currentTarget.value !== '')}
        />
        <button class="round primary" data-testid="chat-send" aria-label="Send">
          <Icon name="send" />
        </button>
      </form>
    </aside>
  )
}
