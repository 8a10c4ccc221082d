import type { ErrorCode, ErrorRetry } from './protocol.js'

/** The signaling connection. `closed` is for good: only a person's action opens it again. */
export type Link = 'idle' | 'connecting' | 'online' | 'reconnecting' | 'closed'

/** What the person is doing. `left`: the partner has gone and the person has not chosen yet what comes next. */
export type Phase = 'idle' | 'queued' | 'call' | 'left'

/** Why the link is closed for good. */
export type ClosedBy = 'replaced' | 'banned' | 'unauthorized' | 'unsupported' | 'too_many' | 'full' | 'user'

/** The media connection to the server. */
export type Rtc = 'none' | 'connecting' | 'connected' | 'disconnected' | 'failed'

/** How the partner's connection is doing, as the server sees it. */
export type PeerQuality = 'ok' | 'poor' | 'reconnecting'

/** How much data the person wants to use: all that helps, about 300 kbit/s each way, or sound only. */
export type DataUse = 'normal' | 'low' | 'audio'

/** How much of the own picture is sent: all of it, a little, a trickle that keeps the encoder warm, or nothing. */
export type Pace = 'full' | 'low' | 'warm' | 'off'

/** Why a call ended. */
export type EndReason = 'next' | 'left' | 'lost' | 'blocked' | 'kicked' | 'restart'

/** What a search can widen to: any topic, any language. */
export type Side = 'topics' | 'langs'

/** A topic that people can pick, with how many are there now: 4 means 1 to 4, other numbers are exact. */
export interface Topic {
  id: string
  name: string
  online: number
  waiting: number
}

/** One line of the chat of the current call. `id` is the sender's own id of the line, `at` is milliseconds since the epoch. */
export interface ChatLine {
  id: string
  from: 'me' | 'peer'
  text: string
  at: number
  state: 'sending' | 'sent' | 'failed'
}

/** Whom a person looks for. */
export interface Search {
  /** 1 to 8, or any. */
  topics: string[] | 'any'
  /** Up to 3 language tags; none meets every language. */
  langs?: string[]
  /** Meet nobody but those who named one of these topics themselves, in one of these languages. */
  strict?: boolean
  /** From then on any topic will do, and after twice as long any language; absent: never. In milliseconds, 1000 to 600000. */
  widenAfterMs?: number
}

/** The place in the queue. `since` is milliseconds since the epoch. */
export interface QueueInfo {
  topics: string[] | 'any'
  langs: string[]
  strict: boolean
  since: number
  /** How many wait on these topics, oneself included; 0: not known yet. */
  waiting: number
  /** How long such a wait usually takes; absent: not known. */
  etaMs?: number | undefined
  /** What the search has widened to, by time or because it was asked to. */
  widened: readonly Side[]
}

/** The partner of the last call, who can be asked back for a while. They meet again when both have asked. */
export interface Undo {
  call: string
  name: string
  /** Milliseconds since the epoch, by this machine's clock. */
  until: number
  /** The person has asked. */
  asked: boolean
  /** The partner has asked. */
  wanted: boolean
}

/** The running call. `peer.id` is good for this call only. */
export interface CallInfo {
  id: string
  peer: { id: string; name: string; friend: boolean }
  /** One of the two has rung the other. */
  rung: boolean
  topics: string[]
  startedAt: number
  peerAudio: boolean
  peerVideo: boolean
  /** Whether the partner receives our picture, when there is one. */
  peerWatching: boolean
  peerConnection: PeerQuality
}

/** The last thing that went wrong and that a person should hear of. */
export interface ClientError {
  code: ErrorCode
  message: string
  retry: ErrorRetry
  retryAfterMs?: number | undefined
}

/** Something that the server wants the person to know; nothing has failed. `text` is for people. */
export interface Notice {
  code: string
  text: string
}

/** What a user interface shows. Immutable: each change is a new object, and unchanged parts keep their identity. */
export interface State {
  readonly link: Link
  readonly closedBy?: ClosedBy | undefined
  /** When the next attempt to reconnect is made, in milliseconds since the epoch. */
  readonly retryAt?: number | undefined
  readonly user?: { id: string; name: string; guest: boolean } | undefined
  readonly topics: Topic[]
  /** Whether other topics than these may be named. */
  readonly freeTopics: boolean
  readonly rtc: Rtc
  /** How often in a row the media connection has failed, so that `connecting` may be one more try; 0 once it is connected. */
  readonly rtcFailures: number
  readonly phase: Phase
  readonly queue?: QueueInfo | undefined
  readonly call?: CallInfo | undefined
  readonly left?: { reason: EndReason; name: string; rung: boolean } | undefined
  readonly undo?: Undo | undefined
  readonly chat: ChatLine[]
  readonly peerTyping: boolean
  /** Is my microphone on: there is a track and it is enabled. */
  readonly audio: boolean
  /** Is my camera on: there is a track, it is enabled, and pictures are not left out to save data. */
  readonly video: boolean
  readonly dataUse: DataUse
  readonly error?: ClientError | undefined
  /** The last notice, until it is dismissed or the search or call that it came in is over. */
  readonly notice?: Notice | undefined
}
