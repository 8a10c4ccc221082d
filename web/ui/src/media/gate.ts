/** What is known of one presented frame; times in ms of `performance.now()`. */
export interface Frame {
  readonly now: number
  /** When its last packet came in, where the browser says so. */
  readonly receiveTime?: number | undefined
}

/**
 * How long a frame without a receive time must come after the match to be
 * believed: longer than a jitter buffer and a decoder hold on to the old one.
 */
export const SETTLE_MS = 150

/**
 * Decides from which frame on the partner's picture may be seen.
 *
 * Every partner arrives in the same track of the same <video>, so after a match
 * the element still holds the picture of the one before, and the decoder may
 * yet deliver more of it. Only a frame that came in after the match is proof.
 */
export class FrameGate {
  #since = Infinity
  #open = false

  get open(): boolean {
    return this.#open
  }

  /** Nothing may be seen until the next `arm`. */
  close(): void {
    this.#since = Infinity
    this.#open = false
  }

  /** A partner was matched, or turned the camera on again, at `since`. */
  arm(since: number): void {
    this.#since = since
    this.#open = false
  }

  /** Says whether the picture may be seen, now that `frame` is presented. */
  offer(frame: Frame): boolean {
    if (!this.#open) {
      this.#open =
        frame.receiveTime === undefined
          ? frame.now >= this.#since + SETTLE_MS
          : frame.receiveTime > this.#since
    }
    return this.#open
  }
}
