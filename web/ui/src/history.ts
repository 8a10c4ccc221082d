/** The part of window that is needed here. */
export interface HistoryHost {
  readonly history: Pick<History, 'state' | 'pushState' | 'replaceState' | 'back'>
  readonly location: Pick<Location, 'pathname' | 'search'>
  addEventListener(type: 'popstate', fn: () => void): void
  removeEventListener(type: 'popstate', fn: () => void): void
}

/** Marks an entry as ours. */
const DEEP = 'deep'

/**
 * Gives the Back button a meaning without letting the address own the screen.
 *
 * There are two levels: the topics, and everything past them. Going past them
 * adds one history entry; Back then takes that entry away and only asks for
 * permission (`onBack`), and if the screen stays, the entry is put back. An
 * address never brings up a screen: a reload or a pasted link starts at home.
 */
export class BackButton {
  #want = ''
  #deep = false
  /** Our own history.back() raises popstate too: that many are not a person's. */
  #own = 0
  readonly #pop = () => this.#popped()

  constructor(
    private readonly host: HistoryHost,
    private readonly onBack: () => void,
  ) {
    // A reload in a call leaves us on the deep entry: it is home now.
    if (host.history.state === DEEP) host.history.replaceState(null, '', this.#url(''))
    host.addEventListener('popstate', this.#pop)
  }

  /** Follows the screen: `name` is its word for the address, '' for home. */
  follow(name: string): void {
    this.#want = name
    // A back() under way would land on an entry pushed meanwhile: wait for it.
    if (this.#own === 0) this.#apply()
  }

  close(): void {
    this.host.removeEventListener('popstate', this.#pop)
  }

  #popped(): void {
    if (this.#own > 0) {
      this.#own--
      if (this.#own === 0) this.#apply()
      return
    }
    if (!this.#deep) {
      // Forward onto an entry of a call that is over.
      if (this.host.history.state === DEEP) {
        this.#own++
        this.host.history.back()
      }
      return
    }
    this.host.history.pushState(DEEP, '', this.#url(this.#want))
    this.onBack()
  }

  #apply(): void {
    const name = this.#want
    const { history } = this.host
    if (name && !this.#deep) history.pushState(DEEP, '', this.#url(name))
    else if (name) history.replaceState(DEEP, '', this.#url(name))
    else if (this.#deep) {
      this.#own++
      history.back()
    }
    this.#deep = name !== ''
  }

  #url(name: string): string {
    return this.host.location.pathname + this.host.location.search + (name && `#${name}`)
  }
}

/** The topic that an invitation link `/t/<topic>` names. */
export function invited(pathname: string): string | undefined {
  const m = /^\/t\/([^/]+)\/?$/.exec(pathname)
  if (!m) return undefined
  try {
    return decodeURIComponent(m[1]!)
  } catch {
    return undefined
  }
}
