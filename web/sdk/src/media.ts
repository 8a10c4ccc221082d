import type { Action } from './machine.js'
import type { Bounds, IceServer, MediaKind, MediaStreamLike, MediaTrackLike, PeerConnectionAdapter, Platform, StatEntry } from './platform/types.js'
import type { Pace } from './state.js'

/** Something for each kind of media that is meant. */
interface Both<T> {
  audio?: T
  video?: T
}

/**
 * What a pace means for the picture. The trickle keeps its size, or the next partner would look at a small one for many seconds; it saves by
 * showing less often instead. But not much less: an encoder takes a while to notice that pictures come faster, and sends too much meanwhile.
 */
const bounds: Readonly<Record<Pace, Bounds>> = {
  full: { active: true },
  low: { active: true, maxBitrate: 230_000 },
  warm: { active: true, maxBitrate: 50_000, maxFramerate: 15, keepSize: true },
  off: { active: false },
}

const kinds: readonly MediaKind[] = ['audio', 'video']

/**
 * The peer connection to the server and the tracks on it. There is one peer connection at a time; when it has to be replaced, the new
 * one's tracks go into the same remote stream, so that a video element never has to be told.
 */
export class Media {
  readonly #platform: Platform
  readonly #dispatch: (a: Action) => void
  readonly #log: (text: string) => void
  readonly #listeners = new Set<(s: MediaStreamLike) => void>()
  readonly #tracks: { audio: MediaTrackLike | null; video: MediaTrackLike | null } = { audio: null, video: null }
  readonly #enabled = { audio: true, video: true }
  #pace: Pace = 'warm'
  #pc: PeerConnectionAdapter | undefined
  #remote: MediaStreamLike | undefined
  /** The generation of the last offer; an answer to an older one is not applied. */
  #gen = 0

  constructor(platform: Platform, dispatch: (a: Action) => void, log: (text: string) => void) {
    this.#platform = platform
    this.#dispatch = dispatch
    this.#log = log
  }

  get remote(): MediaStreamLike | undefined {
    return this.#remote
  }

  get raw(): unknown {
    return this.#pc?.raw
  }

  onRemote(fn: (s: MediaStreamLike) => void): () => void {
    this.#listeners.add(fn)
    if (this.#remote) fn(this.#remote)
    return () => this.#listeners.delete(fn)
  }

  /** Replaces the peer connection by a new one and offers it. */
  open(gen: number, iceServers: readonly IceServer[]): void {
    this.close()
    this.#gen = gen
    const pc = this.#platform.createPeer(iceServers, {
      onTrack: (kind, track) => {
        if (pc === this.#pc) this.#onTrack(kind, track)
      },
      onState: (state) => {
        if (pc !== this.#pc) return
        this.#log(`peer connection ${state}`)
        this.#dispatch({ type: 'rtc', state })
      },
    })
    this.#pc = pc
    pc.bound(bounds[this.#pace])
    const ready = Promise.all(kinds.map((k) => pc.replaceTrack(k, this.#tracks[k])))
    this.#offer(pc, gen, false, ready)
  }

  /** Offers an ICE restart on the same peer connection. */
  restart(gen: number): void {
    if (!this.#pc) return
    this.#gen = gen
    this.#offer(this.#pc, gen, true, Promise.resolve())
  }

  /** Applies the answer to the last offer. */
  answer(gen: number, sdp: string): void {
    const pc = this.#pc
    if (!pc || gen !== this.#gen) return
    pc.answer(sdp).then(
      // Not every platform can do so before it knows what is sent.
      () => pc.bound(bounds[this.#pace]),
      (err: unknown) => this.#fail(pc, `answer: ${String(err)}`),
    )
  }

  /** Gives the peer connection up; the remote stream stays for the next one. */
  close(): void {
    const pc = this.#pc
    this.#pc = undefined
    pc?.close()
  }

  /** Takes over the tracks at once; resolves when the peer connection sends them. */
  async setTracks(m: Both<MediaTrackLike | null>): Promise<void> {
    const changed = kinds.filter((k) => m[k] !== undefined)
    for (const k of changed) {
      const track = m[k] ?? null
      if (track) track.enabled = this.#enabled[k]
      this.#tracks[k] = track
    }
    const pc = this.#pc
    if (pc) await Promise.all(changed.map((k) => pc.replaceTrack(k, this.#tracks[k])))
  }

  /** Mutes and unmutes the tracks that are there, and those to come. */
  setEnabled(on: { audio: boolean; video: boolean }): void {
    for (const k of kinds) {
      this.#enabled[k] = on[k]
      const track = this.#tracks[k]
      if (track) track.enabled = on[k]
    }
  }

  /** Sends as much of the picture as the pace allows, from now on and on all peer connections to come. */
  setPace(pace: Pace): void {
    this.#pace = pace
    this.#pc?.bound(bounds[pace])
  }

  async stats(): Promise<StatEntry[]> {
    return this.#pc ? this.#pc.stats() : []
  }

  #offer(pc: PeerConnectionAdapter, gen: number, restart: boolean, ready: Promise<unknown>): void {
    ready
      .then(() => pc.offer(restart))
      .then((sdp) => {
        if (pc === this.#pc && gen === this.#gen) this.#dispatch({ type: 'offer', gen, sdp, restart })
      })
      .catch((err: unknown) => this.#fail(pc, `offer: ${String(err)}`))
  }

  #fail(pc: PeerConnectionAdapter, text: string): void {
    this.#log(text)
    if (pc === this.#pc) this.#dispatch({ type: 'rtc', state: 'failed' })
  }

  #onTrack(kind: MediaKind, track: MediaTrackLike): void {
    const stream = (this.#remote ??= this.#platform.createStream())
    for (const old of stream.getTracks()) if (old.kind === kind && old !== track) stream.removeTrack(old)
    stream.addTrack(track)
    for (const fn of [...this.#listeners]) fn(stream)
  }
}
