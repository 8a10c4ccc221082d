import type { State } from '@smalltalk/client'
import { pictured } from '../screen'
import { FrameGate, SETTLE_MS } from './gate'

/** The part of HTMLVideoElement that is needed here. */
export interface RemoteElement {
  muted: boolean
  dataset: DOMStringMap
  play(): Promise<void>
  requestVideoFrameCallback?(
    fn: (now: number, meta: { receiveTime?: number }) => void,
  ): number
  getVideoPlaybackQuality?(): { totalVideoFrames: number }
}

/** Clock and timers; replaced in tests. */
export interface Clock {
  now(): number
  after(ms: number, fn: () => void): () => void
}

export const browserClock: Clock = {
  now: () => performance.now(),
  after: (ms, fn) => {
    const id = setTimeout(fn, ms)
    return () => clearTimeout(id)
  },
}

/**
 * Keeps the one partner <video> honest. It is fed every state of the client,
 * synchronously, and not through rendering: the picture and the sound of a
 * partner must be gone in the instant the call ends.
 *
 * `data-live="true"` is on the element only while the picture of the present
 * partner is in it; the style sheet hides it otherwise.
 */
export class RemoteView {
  #gate = new FrameGate()
  #call = ''
  #video = false
  #watch = 0
  #cancelUnmute = () => {}

  constructor(
    private readonly el: RemoteElement,
    private readonly onBlocked: (blocked: boolean) => void,
    private readonly clock: Clock = browserClock,
  ) {
    el.muted = true
  }

  update(state: Pick<State, 'phase' | 'call' | 'dataUse'>): void {
    const call = state.phase === 'call' ? state.call : undefined
    const id = call?.id ?? ''
    const video = pictured({ call, dataUse: state.dataUse })
    if (id !== this.#call) this.#change(id)
    else if (video === this.#video) return
    this.#video = video
    if (video) this.#await()
    else this.#hide()
  }

  /** The element has got its stream, or another track in it. */
  attached(): void {
    if (this.el.muted) void this.el.play().catch(() => {})
    else void this.unmute()
  }

  /** Tries to play with sound; call it from a user's gesture. */
  async unmute(): Promise<void> {
    this.el.muted = false
    try {
      await this.el.play()
      this.onBlocked(false)
    } catch (err) {
      // A stream came in between: `attached` plays that.
      if ((err as DOMException).name === 'AbortError') return
      // The browser wants a gesture first. The picture may still run, muted.
      this.el.muted = true
      this.onBlocked(this.#call !== '')
      await this.el.play().catch(() => {})
    }
  }

  #change(id: string): void {
    this.#call = id
    this.#cancelUnmute()
    this.el.muted = true
    this.onBlocked(false)
    // The old partner's last words are still in the jitter buffer at the match.
    if (id) this.#cancelUnmute = this.clock.after(SETTLE_MS, () => void this.unmute())
  }

  #hide(): void {
    this.#watch++
    this.#gate.close()
    delete this.el.dataset['live']
  }

  #await(): void {
    this.#hide()
    this.#gate.arm(this.clock.now())
    const watch = this.#watch
    const seen = (now: number, receiveTime?: number) => {
      if (watch !== this.#watch) return
      if (this.#gate.offer({ now, receiveTime })) this.el.dataset['live'] = 'true'
      else next()
    }
    const next = this.el.requestVideoFrameCallback
      ? () => this.el.requestVideoFrameCallback!((now, meta) => seen(now, meta.receiveTime))
      : this.#poller(seen)
    next()
  }

  /** Stands in for requestVideoFrameCallback where a browser lacks it. */
  #poller(seen: (now: number) => void): () => void {
    const count = () => this.el.getVideoPlaybackQuality?.().totalVideoFrames ?? this.clock.now()
    const step = (last: number, watch: number) => {
      if (watch !== this.#watch) return
      const n = count()
      if (n !== last) seen(this.clock.now())
      else this.clock.after(16, () => step(last, watch))
    }
    return () => {
      const last = count()
      const watch = this.#watch
      this.clock.after(16, () => step(last, watch))
    }
  }
}
