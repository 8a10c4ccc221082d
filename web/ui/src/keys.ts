/** What a key asks for in a call, or after one. */
export type Command = 'arm-next' | 'next' | 'mute' | 'camera' | 'chat' | 'help' | 'back'

/** How soon the second Esc must follow the first, in ms. */
export const ESC_WINDOW_MS = 1500

/** The part of a KeyboardEvent that matters. */
export interface Key {
  readonly key: string
  readonly ctrlKey?: boolean
  readonly metaKey?: boolean
  readonly altKey?: boolean
  readonly repeat?: boolean
  /** Part of choosing a character, as for Chinese or Japanese. */
  readonly isComposing?: boolean
}

/**
 * Maps keys to commands. Esc pressed twice is Next, as in every chat of this
 * kind; the single letters can be turned off, for those who dictate to their
 * computer or brush the keys by accident (WCAG 2.1.4).
 */
export class Keys {
  #armed = -Infinity

  /** `typing` is true while the focus is in a field. */
  press(k: Key, at: number, typing: boolean, letters: boolean, inCall = true): Command | undefined {
    if (k.ctrlKey || k.metaKey || k.altKey || k.repeat || k.isComposing) return undefined
    if (!inCall) return letters && !typing && /^b$/i.test(k.key) ? 'back' : undefined
    if (k.key === 'Escape') {
      const second = at - this.#armed <= ESC_WINDOW_MS
      this.#armed = second ? -Infinity : at
      return second ? 'next' : 'arm-next'
    }
    if (typing || !letters) return undefined
    switch (k.key) {
      case 'm':
      case 'M':
        return 'mute'
      case 'v':
      case 'V':
        return 'camera'
      case '/':
      case 't':
      case 'T':
        return 'chat'
      case '?':
        return 'help'
      default:
        return undefined
    }
  }

  /** Forgets a first Esc, as when the call it was meant for has ended. */
  reset(): void {
    this.#armed = -Infinity
  }
}
