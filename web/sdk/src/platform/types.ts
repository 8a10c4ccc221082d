/**
 * What the client needs from the place it runs in: a browser, Node, a phone. The core imports nothing else, so that it compiles without
 * a DOM library; each platform is one small file that provides a {@link Platform}.
 */

/** The part of a media track that the client touches. A DOM `MediaStreamTrack` fits as it is. */
export interface MediaTrackLike {
  readonly id: string
  readonly kind: string
  enabled: boolean
}

/** The part of a media stream that the client touches. A DOM `MediaStream` fits as it is. */
export interface MediaStreamLike {
  readonly id: string
  getTracks(): MediaTrackLike[]
  addTrack(track: MediaTrackLike): void
  removeTrack(track: MediaTrackLike): void
}

/** A STUN or TURN server as the server names it in `welcome`. */
export interface IceServer {
  readonly urls: string | string[]
  readonly username?: string
  readonly credential?: string
}

/** The two kinds of media; there is exactly one transceiver for each. */
export type MediaKind = 'audio' | 'video'

/** The state of a peer connection as W3C names it (RTCPeerConnectionState). */
export type PeerState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed'

/** One entry of a W3C statistics report, untyped because platforms differ in what they fill in. */
export type StatEntry = Readonly<Record<string, unknown>>

/** What is sent of a picture; where a bound is absent, as the platform likes. */
export interface Bounds {
  /** Whether anything is sent. */
  readonly active: boolean
  /** The most, in bit/s. */
  readonly maxBitrate?: number
  /** The most, in frames a second. */
  readonly maxFramerate?: number
  /** Send fewer frames rather than smaller ones where the bitrate is not enough. */
  readonly keepSize?: boolean
}

/** What a peer connection reports. Nothing is called after {@link PeerConnectionAdapter.close}. */
export interface PeerEvents {
  onTrack(kind: MediaKind, track: MediaTrackLike): void
  onState(state: PeerState): void
}

/**
 * One peer connection with one audio and one video transceiver, both sendrecv from the start. Adapters hide the platform's own listener
 * types, which differ too much to share.
 */
export interface PeerConnectionAdapter {
  /** The platform's own object, for tests and statistics. */
  readonly raw: unknown
  /** Makes an offer, applies it locally and returns its SDP at once: the server learns our candidates from our first packets. */
  offer(restart: boolean): Promise<string>
  /** Applies the server's answer. */
  answer(sdp: string): Promise<void>
  /** Sends this track, or nothing, from now on. Never renegotiates. */
  replaceTrack(kind: MediaKind, track: MediaTrackLike | null): Promise<void>
  /** Bounds the picture that is sent, at once. A platform that cannot do it leaves it. Never renegotiates. */
  bound(b: Bounds): void
  stats(): Promise<StatEntry[]>
  close(): void
}

/** What a WebSocket reports. `onClose` comes exactly once, also when the connection was never made; nothing comes after it. */
export interface SocketEvents {
  onOpen(): void
  onMessage(text: string): void
  onClose(code: number): void
}

/** A WebSocket that is opening or open. */
export interface SocketLike {
  send(text: string): void
  close(code: number): void
}

/** The outcome of asking the server for a guest session over HTTP. */
export interface GuestReply {
  readonly status: number
  /** The error body of a refused request. */
  readonly error?: { readonly code: string; readonly message: string }
  readonly retryAfterMs?: number
}

/** Everything a platform provides. */
export interface Platform {
  /** Sent in `hello.client.platform`. */
  readonly name: string
  /** Milliseconds since the epoch. */
  now(): number
  /** A number in [0, 1), for jitter and line ids. */
  random(): number
  /** Runs `fn` once after `ms`; the returned function cancels it. */
  setTimer(ms: number, fn: () => void): () => void
  openSocket(url: string, events: SocketEvents): SocketLike
  createPeer(iceServers: readonly IceServer[], events: PeerEvents): PeerConnectionAdapter
  createStream(): MediaStreamLike
  /** Small strings that survive a reload of this tab only. `null` removes. */
  readonly storage: { get(key: string): string | null; set(key: string, value: string | null): void }
  /**
   * Present where sessions are kept in cookies: makes sure that there is one. Idempotent on the server. Rejects when the server cannot
   * be reached.
   */
  ensureGuest?(baseUrl: string): Promise<GuestReply>
  /** Calls `fn` with true when the device has got a network (again), with false when it says it has none. The returned function stops it. */
  onNetwork(fn: (up: boolean) => void): () => void
  /** Calls `fn` when the page or app goes away for good. The returned function stops it. */
  onGone(fn: () => void): () => void
}
