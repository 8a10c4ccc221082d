/**
 * The messages of wire protocol version 1, as `signaling/PROTOCOL.md` describes them, and the reading of what the server sends.
 */
import type { IceServer } from './platform/types.js'
import type { EndReason, PeerQuality, Side, Topic } from './state.js'

/** The version that this client speaks. */
export const PROTOCOL_VERSION = 1

/** Stable error codes. An unknown one from a newer server is passed on as it is. */
export type ErrorCode =
  | 'bad_message'
  | 'unsupported_version'
  | 'unauthorized'
  | 'banned'
  | 'age_required'
  | 'consent_required'
  | 'rate_limited'
  | 'replaced'
  | 'not_in_call'
  | 'not_queued'
  | 'already_queued'
  | 'unknown_topic'
  | 'blocked'
  | 'too_large'
  | 'sdp_rejected'
  | 'media_failed'
  | 'not_ringing'
  | 'already_ringing'
  | 'not_found'
  | 'limit_reached'
  | 'server_full'
  | 'email_required'
  | 'draining'
  | 'internal'
  | (string & {})

/** What helps after an error: nothing, the same again, waiting, or logging in again. */
export type ErrorRetry = 'never' | 'same' | 'later' | 'reauth'

/** WebSocket close codes (RFC 6455 section 7.4.2: 4000 and up are ours). */
export const CloseCode = {
  normal: 1000,
  /** From the client: this connection is given up but the session is not, unlike after `normal`. */
  lost: 4000,
  unauthorized: 4401,
  banned: 4403,
  replaced: 4409,
  tooMany: 4429,
} as const

/** The partner as a call shows him. */
export interface PeerRef {
  id: string
  name: string
  friend?: boolean
}

/** A call, as `match` announces it and `welcome.state` repeats it. */
export interface CallSnapshot {
  call: string
  peer: PeerRef
  topics: string[]
  langs?: string[]
  /** Proves the call to a server that has lost it. */
  pair?: string
  /** Milliseconds since the epoch, by the server's clock. */
  started_at?: number
  peer_state?: { audio: boolean; video: boolean; watching?: boolean; connection: PeerQuality }
}

/** A line of chat from the server. `from` is the partner's id in this call, or `me` in a snapshot. */
export interface ChatEntry {
  from: string
  cid: string
  text: string
  at: number
}

/** What a (resumed) session is doing. */
export interface Snapshot {
  phase: 'idle' | 'queued' | 'call' | 'ringing'
  ticket?: string
  call?: CallSnapshot
  /** The lines of the running call. */
  chat?: ChatEntry[]
  /** The call that ended while the client was away. */
  ended?: { call: string; reason: EndReason; undo_ms?: number }
}

/** What the client sends about the people that a person knows; its `id` begins with {@link peopleId}. */
export type PeopleMessage =
  | { type: 'friend.request'; id: string; call: string }
  | { type: 'block'; id: string; call: string }
  | { type: 'ring'; id: string; user: string }
  | { type: 'ring.accept'; id: string; ring: string }
  | { type: 'ring.decline'; id: string; ring: string }
  | { type: 'ring.cancel'; id: string; ring: string }

/** Replies to messages with such an id are not for the state machine of the call. */
export const peopleId = 'people:'

/** Everything that the client sends. */
export type ClientMessage =
  | {
      type: 'hello'
      versions: number[]
      token?: string
      resume?: string
      pair?: string
      client: { name: string; version: string; platform: string }
      lang?: string
      guest?: { name?: string; fresh?: boolean }
    }
  | { type: 'rtc.offer'; id: string; sdp: string; gen: number; restart?: boolean }
  | { type: 'queue.join'; id: string; topics: string[] | 'any'; langs?: string[]; strict?: boolean; widen_after_ms?: number; ticket?: string }
  | { type: 'queue.widen'; id: string; topics?: boolean; langs?: boolean }
  | { type: 'queue.leave' }
  | { type: 'call.next'; id: string; call: string }
  | { type: 'call.leave'; call: string }
  | { type: 'call.undo'; id: string; call: string }
  | { type: 'peer.state'; audio: boolean; video: boolean }
  | { type: 'media.want'; audio: boolean; video: boolean; max_kbps?: number }
  | { type: 'chat'; id: string; call: string; cid: string; text: string }
  | { type: 'chat.typing'; on: boolean }
  | { type: 'topics.watch'; on: boolean }
  | PeopleMessage
  | { type: 'ping'; t: number }
  | { type: 'pong'; t: number }

/** Everything that the server sends and this client understands. */
export type ServerMessage =
  | {
      type: 'welcome'
      version: number
      session: string
      resume: string
      token?: string
      user: { id: string; name: string; guest: boolean }
      ping_ms: number
      grace_ms: number
      ice_servers?: IceServer[]
      topics: Topic[]
      free_topics?: boolean
      resumed: boolean
      media: 'keep' | 'new'
      state: Snapshot
    }
  | { type: 'rtc.answer'; sdp: string; gen: number }
  | { type: 'rtc.state'; state: 'connected' | 'disconnected' | 'failed' }
  | {
      type: 'queue.state'
      phase: 'queued'
      ticket: string
      topics?: string[] | 'any'
      langs?: string[]
      strict?: boolean
      since: number
      waiting?: number
      eta_ms?: number
      widened?: Side[]
    }
  | ({ type: 'match' } & CallSnapshot)
  | { type: 'call.end'; call: string; reason: EndReason; requeued: boolean; undo_ms?: number }
  | { type: 'call.undo'; call: string; undo_ms: number }
  | { type: 'peer.state'; audio?: boolean; video?: boolean; watching?: boolean; connection?: PeerQuality }
  | ({ type: 'chat' } & ChatEntry)
  | { type: 'chat.typing'; on: boolean }
  | { type: 'topics'; topics: Topic[] }
  | { type: 'notice'; level: string; code: string; text: string }
  | { type: 'drain'; in_ms: number; reconnect_after_ms: number }
  | { type: 'ping'; t: number }
  | { type: 'pong'; t: number }
  | { type: 'ok'; re: string }
  | { type: 'error'; re?: string; code: ErrorCode; message: string; retry: ErrorRetry; retry_after_ms?: number }

type Shape = Readonly<Record<string, 'string' | 'number' | 'boolean' | 'object' | 'array'>>

/** The fields that each message must have to be used; more is welcome and ignored. */
const shapes: { readonly [T in ServerMessage['type']]: Shape } = {
  welcome: { session: 'string', resume: 'string', user: 'object', ping_ms: 'number', topics: 'array', resumed: 'boolean', media: 'string', state: 'object' },
  'rtc.answer': { sdp: 'string', gen: 'number' },
  'rtc.state': { state: 'string' },
  'queue.state': { ticket: 'string', since: 'number' },
  match: { call: 'string', peer: 'object', topics: 'array' },
  'call.end': { call: 'string', reason: 'string', requeued: 'boolean' },
  'call.undo': { call: 'string', undo_ms: 'number' },
  'peer.state': {},
  chat: { cid: 'string', text: 'string', at: 'number' },
  'chat.typing': { on: 'boolean' },
  topics: { topics: 'array' },
  notice: { code: 'string', text: 'string' },
  drain: { reconnect_after_ms: 'number' },
  ping: {},
  pong: {},
  ok: { re: 'string' },
  error: { code: 'string', message: 'string', retry: 'string' },
}

function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v)
}

function isServerMessage(v: unknown): v is ServerMessage {
  if (!isRecord(v) || typeof v['type'] !== 'string' || !Object.hasOwn(shapes, v['type'])) return false
  const shape: Shape = shapes[v['type'] as ServerMessage['type']]
  return Object.entries(shape).every(([key, want]) => {
    const got = v[key]
    if (want === 'array') return Array.isArray(got)
    return want === 'object' ? isRecord(got) : typeof got === want
  })
}

/** Reads one text frame. `undefined` for what is not JSON, of an unknown type, or lacks a field that its type must have. */
export function decode(text: string): ServerMessage | undefined {
  let v: unknown
  try {
    v = JSON.parse(text)
  } catch {
    return undefined
  }
  return isServerMessage(v) ? v : undefined
}
