/** The platform of a web page. */
import type { GuestReply, IceServer, MediaKind, PeerConnectionAdapter, PeerEvents, Platform, SocketEvents, SocketLike } from './types.js'
import { adaptPeer } from './webrtc.js'

function openSocket(url: string, events: SocketEvents): SocketLike {
  const ws = new WebSocket(url)
  ws.onopen = () => events.onOpen()
  ws.onmessage = (e: MessageEvent<unknown>) => {
    if (typeof e.data === 'string') events.onMessage(e.data)
  }
  ws.onclose = (e) => events.onClose(e.code)
  return {
    send: (text) => {
      if (ws.readyState === WebSocket.OPEN) ws.send(text)
    },
    close: (code) => ws.close(code),
  }
}

function iceServer({ urls, username, credential }: IceServer): RTCIceServer {
  return { urls, ...(username === undefined ? {} : { username }), ...(credential === undefined ? {} : { credential }) }
}

function createPeer(iceServers: readonly IceServer[], events: PeerEvents): PeerConnectionAdapter {
  // The pool begins to gather, and so to allocate at TURN, while the offer is still being made.
  const pool = iceServers.length > 0 ? { iceCandidatePoolSize: 1 } : {}
  const pc = new RTCPeerConnection({ iceServers: iceServers.map(iceServer), bundlePolicy: 'max-bundle', ...pool })
  pc.ontrack = (e) => events.onTrack(e.track.kind as MediaKind, e.track)
  pc.onconnectionstatechange = () => events.onState(pc.connectionState)
  const adapter = adaptPeer(pc, RTCRtpReceiver.getCapabilities('video')?.codecs)
  return {
    ...adapter,
    close: () => {
      pc.ontrack = null
      pc.onconnectionstatechange = null
      adapter.close()
    },
  }
}

async function ensureGuest(base: string): Promise<GuestReply> {
  const res = await fetch(`${base}/api/v1/guests`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
    credentials: 'same-origin',
  })
  // Also a body that nobody wants has to be read, else the request stays open.
  const body: unknown = await res.json().catch(() => undefined)
  const reply: GuestReply = { status: res.status }
  if (res.ok) return reply
  const after = Number(res.headers.get('Retry-After'))
  if (typeof body !== 'object' || body === null) return reply
  const { code, message, retry_after_ms: ms } = body as { code?: unknown; message?: unknown; retry_after_ms?: unknown }
  return {
    ...reply,
    ...(typeof code === 'string' && typeof message === 'string' ? { error: { code, message } } : {}),
    ...(typeof ms === 'number' ? { retryAfterMs: ms } : after > 0 ? { retryAfterMs: after * 1000 } : {}),
  }
}

/** Session storage may be switched off; the tab then forgets on reload and nothing else. */
const storage: Platform['storage'] = {
  get(key) {
    try {
      return sessionStorage.getItem(key)
    } catch {
      return null
    }
  },
  set(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key)
      else sessionStorage.setItem(key, value)
    } catch {
      // Nothing depends on it.
    }
  },
}

function onNetwork(fn: (up: boolean) => void): () => void {
  const listener = (e: Event): void => fn(e.type === 'online')
  for (const type of ['online', 'offline']) addEventListener(type, listener)
  return () => ['online', 'offline'].forEach((type) => removeEventListener(type, listener))
}

function onGone(fn: () => void): () => void {
  // A page that goes into the back-forward cache may come back; only one that is torn down says goodbye.
  const listener = (e: PageTransitionEvent): void => {
    if (!e.persisted) fn()
  }
  addEventListener('pagehide', listener)
  return () => removeEventListener('pagehide', listener)
}

/** The platform of the page that this runs in. */
export function browserPlatform(): Platform {
  return {
    name: 'web',
    now: () => Date.now(),
    random: () => Math.random(),
    setTimer(ms, fn) {
      const id = setTimeout(fn, ms)
      return () => clearTimeout(id)
    },
    openSocket,
    createPeer,
    createStream: () => new MediaStream(),
    storage,
    ensureGuest,
    onNetwork,
    onGone,
  }
}
