import type {
  Bounds,
  GuestReply,
  IceServer,
  MediaKind,
  MediaStreamLike,
  MediaTrackLike,
  PeerConnectionAdapter,
  PeerEvents,
  Platform,
  SocketEvents,
  SocketLike,
  StatEntry,
} from '../src/platform/types.js'
import type { ClientMessage, ServerMessage } from '../src/protocol.js'

/** A WebSocket whose server side is the test. */
export class FakeSocket implements SocketLike {
  readonly url: string
  readonly events: SocketEvents
  readonly sent: ClientMessage[] = []
  closedWith: number | undefined

  constructor(url: string, events: SocketEvents) {
    this.url = url
    this.events = events
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientMessage)
  }

  close(code: number): void {
    this.closedWith = code
  }

  say(message: ServerMessage): void {
    this.events.onMessage(JSON.stringify({ n: 1, ...message }))
  }

  /** The messages of one type that the client has sent on this socket. */
  of<T extends ClientMessage['type']>(type: T): Extract<ClientMessage, { type: T }>[] {
    return this.sent.filter((m): m is Extract<ClientMessage, { type: T }> => m.type === type)
  }
}

export class FakeTrack implements MediaTrackLike {
  readonly id: string
  readonly kind: MediaKind
  enabled = true

  constructor(kind: MediaKind, id: string) {
    this.kind = kind
    this.id = id
  }
}

class FakeStream implements MediaStreamLike {
  readonly id = 'remote'
  #tracks: MediaTrackLike[] = []

  getTracks(): MediaTrackLike[] {
    return [...this.#tracks]
  }

  addTrack(track: MediaTrackLike): void {
    if (!this.#tracks.includes(track)) this.#tracks.push(track)
  }

  removeTrack(track: MediaTrackLike): void {
    this.#tracks = this.#tracks.filter((t) => t !== track)
  }
}

/** A peer connection that answers at once and reports what the test says. */
export class FakePeer implements PeerConnectionAdapter {
  readonly raw = this
  readonly events: PeerEvents
  readonly iceServers: readonly IceServer[]
  readonly offers: boolean[] = []
  readonly answers: string[] = []
  readonly sending: { audio: MediaTrackLike | null; video: MediaTrackLike | null } = { audio: null, video: null }
  readonly bounds: Bounds[] = []
  closed = false
  /** Bytes that have come in, for the statistics. */
  received = 0

  constructor(iceServers: readonly IceServer[], events: PeerEvents) {
    this.iceServers = iceServers
    this.events = events
  }

  async offer(restart: boolean): Promise<string> {
    this.offers.push(restart)
    return `offer ${this.offers.length}`
  }

  async answer(sdp: string): Promise<void> {
    if (sdp === 'broken') throw new Error('broken answer')
    this.answers.push(sdp)
  }

  async replaceTrack(kind: MediaKind, track: MediaTrackLike | null): Promise<void> {
    this.sending[kind] = track
  }

  bound(b: Bounds): void {
    this.bounds.push(b)
  }

  async stats(): Promise<StatEntry[]> {
    return [{ type: 'candidate-pair', nominated: true, state: 'succeeded', bytesReceived: this.received }]
  }

  close(): void {
    this.closed = true
  }
}

/** A platform in memory. Timers are the global ones, which vitest fakes. */
export class FakePlatform implements Platform {
  readonly name = 'fake'
  readonly sockets: FakeSocket[] = []
  readonly peers: FakePeer[] = []
  readonly kept = new Map<string, string>()
  readonly storage = {
    get: (key: string): string | null => this.kept.get(key) ?? null,
    set: (key: string, value: string | null): void => {
      if (value === null) this.kept.delete(key)
      else this.kept.set(key, value)
    },
  }
  guestCalls = 0
  network: (up: boolean) => void = () => undefined
  gone: () => void = () => undefined
  ensureGuest?: (base: string) => Promise<GuestReply>

  constructor(guest?: () => Promise<GuestReply>) {
    if (!guest) return
    this.ensureGuest = () => {
      this.guestCalls++
      return guest()
    }
  }

  now(): number {
    return Date.now()
  }

  random(): number {
    return 0.5
  }

  setTimer(ms: number, fn: () => void): () => void {
    const id = setTimeout(fn, ms)
    return () => clearTimeout(id)
  }

  openSocket(url: string, events: SocketEvents): SocketLike {
    const s = new FakeSocket(url, events)
    this.sockets.push(s)
    return s
  }

  createPeer(iceServers: readonly IceServer[], events: PeerEvents): PeerConnectionAdapter {
    const p = new FakePeer(iceServers, events)
    this.peers.push(p)
    return p
  }

  createStream(): MediaStreamLike {
    return new FakeStream()
  }

  onNetwork(fn: (up: boolean) => void): () => void {
    this.network = fn
    return () => undefined
  }

  onGone(fn: () => void): () => void {
    this.gone = fn
    return () => undefined
  }

  get socket(): FakeSocket {
    const s = this.sockets.at(-1)
    if (!s) throw new Error('no WebSocket was opened')
    return s
  }

  get peer(): FakePeer {
    const p = this.peers.at(-1)
    if (!p) throw new Error('no peer connection was made')
    return p
  }
}

type Welcome = Extract<ServerMessage, { type: 'welcome' }>

/** A welcome, with what the test changes. */
export function welcome(change: Partial<Welcome> = {}): Welcome {
  return {
    type: 'welcome',
    version: 1,
    session: 's1',
    resume: 'r1',
    user: { id: 'u1', name: 'Calm Otter', guest: true },
    ping_ms: 10_000,
    grace_ms: 30_000,
    ice_servers: [],
    topics: [{ id: 'news', name: 'News', online: 3, waiting: 1 }],
    resumed: false,
    media: 'new',
    state: { phase: 'idle' },
    ...change,
  }
}

/** A match with the named partner. */
export function match(call: string, name = 'Brave Fox'): Extract<ServerMessage, { type: 'match' }> {
  return { type: 'match', call, peer: { id: `p-${call}`, name, friend: false }, topics: ['news'], langs: [] }
}
