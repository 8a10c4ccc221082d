import type { Action } from './machine.js'
import type { GuestReply, Platform, SocketLike } from './platform/types.js'
import { decode, peopleId, type ClientMessage } from './protocol.js'

/** The address of the WebSocket of the server at `base`. */
function socketUrl(base: string): string {
  return base.replace(/^http/, 'ws') + '/api/v1/ws'
}

/**
 * One WebSocket at a time. What an abandoned one still reports is not passed on, so that the reducer only ever hears of the present one.
 */
export class Session {
  readonly #platform: Platform
  readonly #base: string
  readonly #dispatch: (a: Action) => void
  readonly #log: (text: string) => void
  readonly #other: (text: string) => void
  #socket: SocketLike | undefined
  /** Rises with each attempt; callbacks of an older one are stale. */
  #attempt = 0

  constructor(platform: Platform, base: string, dispatch: (a: Action) => void, log: (text: string) => void, other: (text: string) => void) {
    this.#platform = platform
    this.#base = base.replace(/\/+$/, '')
    this.#dispatch = dispatch
    this.#log = log
    this.#other = other
  }

  /** Opens the WebSocket, after making sure of a guest session in the cookie when `guest` is set. */
  open(guest: boolean): void {
    this.#drop()
    const attempt = this.#attempt
    const ensure = this.#platform.ensureGuest
    if (!guest || !ensure) return this.#dial(attempt)
    ensure(this.#base).then(
      (r) => {
        if (attempt === this.#attempt) this.#onGuest(attempt, r)
      },
      (err: unknown) => {
        this.#log(`guest session: ${String(err)}`)
        if (attempt === this.#attempt) this.#dispatch({ type: 'closed', code: 1006 })
      },
    )
  }

  /** Sends a message; without a connection it is dropped, since the reducer sends again what matters after `welcome`. */
  send(m: ClientMessage): void {
    this.#log(`> ${m.type}`)
    this.#socket?.send(JSON.stringify(m))
  }

  /** Closes the WebSocket and forgets it: nothing more is heard of it. */
  close(code: number): void {
    const s = this.#socket
    this.#drop()
    s?.close(code)
  }

  #drop(): void {
    this.#attempt++
    this.#socket = undefined
  }

  #onGuest(attempt: number, r: GuestReply): void {
    if (r.status >= 200 && r.status < 300) return this.#dial(attempt)
    this.#dispatch({
      type: 'refused',
      status: r.status,
      code: r.error?.code ?? 'internal',
      message: r.error?.message ?? `HTTP status ${r.status}`,
      retryAfterMs: r.retryAfterMs,
    })
  }

  #dial(attempt: number): void {
    const live = (): boolean => attempt === this.#attempt
    this.#socket = this.#platform.openSocket(socketUrl(this.#base), {
      onOpen: () => {
        if (live()) this.#dispatch({ type: 'opened' })
      },
      onMessage: (text) => {
        if (live()) this.#onText(text)
      },
      onClose: (code) => {
        if (!live()) return
        this.#log(`closed ${code}`)
        this.#drop()
        this.#dispatch({ type: 'closed', code })
      },
    })
  }

  #onText(text: string): void {
    const message = decode(text)
    // What is about friends is read by those who want to know.
    if (!message || ('re' in message && message.re?.startsWith(peopleId))) return this.#other(text)
    if (message.type === 'welcome') this.#other(text)
    this.#log(`< ${message.type}`)
    this.#dispatch({ type: 'message', message })
  }
}
