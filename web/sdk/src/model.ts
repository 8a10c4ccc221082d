/** The vocabulary of the state machine: what it remembers, what happens to it, and what it wants done. */
import type { IceServer, PeerState } from './platform/types.js'
import type { ClientMessage, ServerMessage } from './protocol.js'
import type { DataUse, Pace, Search, Side, State } from './state.js'

/** Timers by name; setting one again replaces it. */
export type TimerName =
  /** Time for the next attempt to connect. */
  | 'dial'
  /** The attempt under way has taken too long. */
  | 'welcome'
  /** Time for the next ping. */
  | 'ping'
  /** A probe after a change of network or the loss of media was not answered. */
  | 'probe'
  /** The peer connection has been disconnected for too long. */
  | 'ice'
  /** The server has not answered an offer. */
  | 'answer'
  /** Time to try a new peer connection. */
  | 'rtc'
  /** The partner's "is typing" has gone stale. */
  | 'typing'
  /** Time to queue again after the server asked for patience. */
  | 'queue'
  /** Nobody has watched the own picture for long. */
  | 'rest'
  /** The peer connection has sent a picture for long enough to know what its path takes. */
  | 'scout'
  /** It is too late to ask the last partner back. */
  | 'undo'

/** Everything that can happen. */
export type Action =
  | { type: 'connect' }
  | { type: 'close' }
  | { type: 'takeover' }
  | { type: 'fresh' }
  | { type: 'signIn'; token: string | undefined }
  | { type: 'expect'; on: boolean }
  | { type: 'say'; message: ClientMessage }
  | { type: 'join'; search: Search }
  | { type: 'widen'; sides: readonly Side[] }
  | { type: 'cancel' }
  | { type: 'next' }
  | { type: 'leave' }
  | { type: 'undo' }
  | { type: 'requeue' }
  | { type: 'retryMedia' }
  | { type: 'chat'; cid: string; text: string }
  | { type: 'resend'; cid: string }
  | { type: 'typing'; on: boolean }
  | { type: 'watch'; on: boolean }
  | { type: 'dismiss'; what: 'error' | 'notice' }
  | { type: 'media'; has: { audio?: boolean; video?: boolean } }
  | { type: 'enable'; on: { audio?: boolean; video?: boolean } }
  | { type: 'use'; dataUse: DataUse }
  | { type: 'opened' }
  | { type: 'message'; message: ServerMessage }
  | { type: 'closed'; code: number }
  | { type: 'refused'; status: number; code: string; message: string; retryAfterMs: number | undefined }
  | { type: 'offer'; gen: number; sdp: string; restart: boolean }
  | { type: 'rtc'; state: PeerState }
  | { type: 'timer'; name: TimerName }
  | { type: 'network'; up: boolean }

/** What survives a reload of the tab. */
export interface Saved {
  readonly token?: string
  readonly resume?: string
  readonly pair?: string
  readonly gen: number
}

/** Everything that the machine can want done. */
export type Effect =
  | { type: 'open'; guest: boolean }
  | { type: 'send'; message: ClientMessage }
  | { type: 'hangup'; code: number }
  | { type: 'timer'; name: TimerName; ms: number }
  | { type: 'untimer'; name: TimerName }
  | { type: 'save'; saved: Saved | null }
  | { type: 'pc.open'; gen: number; iceServers: readonly IceServer[] }
  | { type: 'pc.restart'; gen: number }
  | { type: 'pc.answer'; gen: number; sdp: string }
  | { type: 'pc.close' }
  | { type: 'enable'; on: { audio: boolean; video: boolean } }
  | { type: 'pace'; pace: Pace }

/** The time (milliseconds since the epoch) and a random number in [0, 1) at the moment of an action. */
export interface Clock {
  readonly now: number
  readonly random: number
}

/** How this client introduces itself. */
export interface Identity {
  readonly client: { name: string; version: string; platform: string }
  readonly lang: string | undefined
  /** Sessions live in cookies here, so the first connection needs one. */
  readonly cookies: boolean
}

/** What the machine remembers. `view` is what the outside sees. */
export interface Model {
  readonly view: State
  readonly identity: Identity
  readonly token: string | undefined
  readonly resume: string | undefined
  /** Proof of the running call, for a server that has lost it. */
  readonly pair: string | undefined
  /** The generation of the last offer; it only ever rises. */
  readonly gen: number
  /** Where the one offer of the present peer connection is. */
  readonly negotiation: 'none' | 'offering' | 'done'
  readonly iceServers: readonly IceServer[]
  readonly settings: Search | undefined
  readonly ticket: string | undefined
  /** What the person has asked this wait to widen to; the server may not know yet. */
  readonly widen: readonly Side[]
  /** The call that the person ended by Next or leave; the server may not know yet. */
  readonly abandoned: { call: string; by: 'next' | 'leave'; name: string } | undefined
  /** This person rings a friend or has answered one: the match that comes of it is wanted, whatever else goes on. */
  readonly expecting: boolean
  /** Attempts to connect in a row that did not last. */
  readonly attempts: number
  readonly onlineSince: number | undefined
  /** The server asked to stay away this long after its restart, in milliseconds. */
  readonly drainDelay: number | undefined
  /** Ask for a guest session over HTTP before the next connection. */
  readonly needsGuest: boolean
  /** Become a guest of its own in the next `hello`, whatever the cookie says. */
  readonly fresh: boolean
  /** The credentials were refused once already. */
  readonly refused: boolean
  readonly pingMs: number
  /** Pings in a row without any sign of life. */
  readonly missed: number
  /** A probe is out. Apart from the pings: it has a deadline of its own and must not shorten theirs. */
  readonly probing: boolean
  readonly watching: boolean
  readonly has: { audio: boolean; video: boolean }
  readonly wants: { audio: boolean; video: boolean }
  /** How much of the own picture is sent now. */
  readonly pace: Pace
  /** Nobody has watched the own picture for long. */
  readonly resting: boolean
  /** What the path of the peer connection takes is not known yet. */
  readonly scouting: boolean
  /** When "is typing" was last sent, in milliseconds since the epoch; `undefined` when the partner was told that it stopped. */
  readonly typingAt: number | undefined
}

/** The outcome of an action. */
export interface Step {
  readonly model: Model
  readonly effects: readonly Effect[]
}

/** Changes the model. */
export function step(model: Model, change: Partial<Model>, ...effects: Effect[]): Step {
  return { model: { ...model, ...change }, effects }
}

/** Changes only what is seen. */
export function show(model: Model, view: Partial<State>, ...effects: Effect[]): Step {
  return { model: { ...model, view: { ...model.view, ...view } }, effects }
}

/** Changes what is seen and what is remembered. */
export function both(model: Model, view: Partial<State>, change: Partial<Model>, ...effects: Effect[]): Step {
  return { model: { ...model, ...change, view: { ...model.view, ...view } }, effects }
}

/** Does one thing after the other. (Not called `then`: a module with an export of that name is taken for a promise by `import()`.) */
export function and(first: Step, next: (m: Model) => Step): Step {
  const second = next(first.model)
  return { model: second.model, effects: [...first.effects, ...second.effects] }
}

/** Nothing changes. */
export function stay(model: Model, ...effects: Effect[]): Step {
  return { model, effects }
}

/** Sets a timer. */
export function after(name: TimerName, ms: number): Effect {
  return { type: 'timer', name, ms }
}

/** Stops timers. */
export function stop(...names: TimerName[]): Effect[] {
  return names.map((name) => ({ type: 'untimer', name }))
}

/** Writes down what a reload of the tab needs. */
export function save(m: Model): Effect {
  const { token, resume, pair, gen } = m
  return { type: 'save', saved: { gen, ...(token === undefined ? {} : { token }), ...(resume === undefined ? {} : { resume }), ...(pair === undefined ? {} : { pair }) } }
}

/** A message to the server, as an effect; nothing while there is no session to hear it. */
export function say(model: Model, message: ClientMessage): Effect[] {
  return model.view.link === 'online' ? [{ type: 'send', message }] : []
}
