/** The queue and the call: joining, being matched, Next, leaving, and finding one's place again after a reconnect. */
import { after, and, both, save, say, show, stay, step, stop, type Clock, type Effect, type Model, type Step } from './model.js'
import type { CallSnapshot, ClientMessage, ServerMessage, Snapshot } from './protocol.js'
import { announce } from './rtc.js'
import type { CallInfo, ClientError, QueueInfo, Search, Side, State } from './state.js'
import * as undo from './undo.js'

type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

type End = NonNullable<Snapshot['ended']>

/** How long to wait before queueing again when the server asks for patience without saying how much. */
const queueRetryMs = 2_000

function sendJoin(m: Model): Effect[] {
  if (!m.settings) return []
  const { topics, langs, strict, widenAfterMs } = m.settings
  const message: Extract<ClientMessage, { type: 'queue.join' }> = { type: 'queue.join', id: 'queue:', topics }
  if (langs !== undefined) message.langs = langs
  if (strict) message.strict = strict
  if (widenAfterMs) message.widen_after_ms = widenAfterMs
  if (m.ticket !== undefined) message.ticket = m.ticket
  return [...say(m, message), ...sendWiden(m)]
}

function sendWiden(m: Model): Effect[] {
  if (m.widen.length === 0) return []
  const message: Extract<ClientMessage, { type: 'queue.widen' }> = { type: 'queue.widen', id: 'widen:' }
  for (const side of m.widen) message[side] = true
  return say(m, message)
}

function waiting(m: Model, clock: Clock): QueueInfo {
  const { topics = 'any', langs = [], strict = false } = m.settings ?? {}
  return { topics, langs, strict, since: clock.now, waiting: 0, widened: [] }
}

/** Shows the queue, without telling the server. */
function enter(m: Model, clock: Clock, ...effects: Effect[]): Step {
  return show(m, { phase: 'queued', queue: waiting(m, clock), call: undefined, left: undefined, peerTyping: false, notice: undefined }, ...stop('typing'), ...effects)
}

function same(a: readonly string[] | 'any' = [], b: readonly string[] | 'any' = []): boolean {
  if (a === 'any' || b === 'any') return a === b
  return a.length === b.length && a.every((t) => b.includes(t))
}

/** Whether a place in line for one search is one for the other. */
function sameSearch(a: Search, b: Search): boolean {
  return same(a.topics, b.topics) && same(a.langs, b.langs) && !a.strict === !b.strict && (a.widenAfterMs ?? 0) === (b.widenAfterMs ?? 0)
}

/** The person asks for a partner. The ticket of an earlier wait is good for the same search only. */
export function join(m: Model, settings: Search, clock: Clock): Step {
  if (m.view.phase === 'queued' || m.view.phase === 'call') return stay(m)
  const ticket = m.settings && sameSearch(m.settings, settings) ? m.ticket : undefined
  const model: Model = { ...m, settings, ticket, widen: [] }
  return enter(model, clock, ...sendJoin(model))
}

/** Queues again with the same settings. */
export function requeue(m: Model, clock: Clock): Step {
  return join(m, m.settings ?? { topics: 'any' }, clock)
}

/** The person takes more from now on, until this wait is over. */
export function widen(m: Model, sides: readonly Side[]): Step {
  const wide = [...m.widen, ...sides.filter((s) => !m.widen.includes(s))]
  if (m.view.phase !== 'queued' || wide.length === m.widen.length) return stay(m)
  const model: Model = { ...m, widen: wide }
  return stay(model, ...sendWiden(model))
}

/** Sends the wish to queue again, if it still stands. */
export function rejoin(m: Model): Step {
  return m.view.phase === 'queued' ? stay(m, ...sendJoin(m)) : stay(m)
}

/** Stops waiting. */
export function cancel(m: Model): Step {
  if (m.view.phase !== 'queued') return stay(m)
  const idle = both(m, { phase: 'idle', queue: undefined, notice: undefined }, { ticket: undefined, widen: [] }, ...stop('queue'), ...say(m, { type: 'queue.leave' }))
  return and(idle, undo.withdraw)
}

/** Ends the call and queues again at the end of the line; the partner is hidden at once, before the server knows. */
export function next(m: Model, clock: Clock): Step {
  if (m.view.phase === 'left') return requeue(m, clock)
  if (!m.view.call) return stay(m)
  const call = m.view.call.id
  const abandoned = { call, by: 'next', name: m.view.call.peer.name } as const
  const model: Model = { ...m, abandoned, ticket: undefined, widen: [], settings: m.settings ?? { topics: 'any' }, typingAt: undefined }
  return enter(model, clock, ...say(m, { type: 'call.next', id: `next:${call}`, call }))
}

/** Ends the call for good; from partner-left it only goes back to the start. */
export function leave(m: Model): Step {
  const idle = { phase: 'idle', call: undefined, left: undefined, peerTyping: false } as const
  // Whoever has asked for the partner back waits for him on the server too.
  if (m.view.phase === 'left') return and(show(m, idle, ...(m.view.undo?.asked ? say(m, { type: 'queue.leave' }) : [])), undo.withdraw)
  if (!m.view.call) return stay(m)
  const call = m.view.call.id
  const change = { abandoned: { call, by: 'leave', name: m.view.call.peer.name }, ticket: undefined, typingAt: undefined } as const
  return both(m, idle, change, ...stop('typing'), ...say(m, { type: 'call.leave', call }))
}

/** The server says that we wait. */
export function queued(m: Model, q: Message<'queue.state'>): Step {
  if (m.view.phase === 'idle' || m.view.phase === 'call') return stay(m)
  const { topics = m.settings?.topics ?? 'any', langs = [], strict = false, widened = [] } = q
  const queue: QueueInfo = { topics, langs, strict, since: q.since, waiting: q.waiting ?? 0, etaMs: q.eta_ms, widened }
  return both(m, { phase: 'queued', queue, left: undefined }, { ticket: q.ticket })
}

/** Until the partner says otherwise, microphone and camera are taken to be on, and the partner to be watching. */
function toCall(c: CallSnapshot, startedAt: number, rung: boolean): CallInfo {
  const { audio, video, watching = true, connection } = c.peer_state ?? { audio: true, video: true, connection: 'ok' }
  return {
    id: c.call,
    peer: { id: c.peer.id, name: c.peer.name, friend: c.peer.friend === true },
    rung,
    topics: c.topics,
    startedAt,
    peerAudio: audio,
    peerVideo: video,
    peerWatching: watching,
    peerConnection: connection,
  }
}

/** Whether it is the call that was rung for: while one rings, strangers may still be met. */
function agreed(m: Model, c: CallSnapshot): boolean {
  return m.expecting && c.peer.friend === true
}

/** Shows a call. */
function begin(m: Model, c: CallSnapshot, startedAt: number): Step {
  const rung = agreed(m, c)
  const view: Partial<State> = { phase: 'call', call: toCall(c, startedAt, rung), queue: undefined, left: undefined, chat: [], peerTyping: false, notice: undefined }
  const change = { abandoned: undefined, expecting: m.expecting && !rung, typingAt: undefined, widen: [], pair: c.pair }
  return and(and(both(m, view, change, ...stop('typing', 'queue')), undo.forget), (x) => stay(x, ...(x.pair === m.pair ? [] : [save(x)])))
}

/** The proof of a call is of no use after it. */
export function proved({ model, effects }: Step): Step {
  if (model.pair === undefined || model.view.call || model.view.link !== 'online') return { model, effects }
  const without: Model = { ...model, pair: undefined }
  return { model: without, effects: [...effects, save(without)] }
}

/** A partner is found. Who has given up waiting in the same moment gives the partner back, unless it is one who was asked back, or rung. */
export function matched(m: Model, match: Message<'match'>, clock: Clock): Step {
  if (m.view.call?.id === match.call) return stay(m)
  if ((m.view.phase === 'idle' || m.view.phase === 'left') && !m.view.undo?.asked && !agreed(m, match)) {
    return step(m, { abandoned: { call: match.call, by: 'leave', name: match.peer.name } }, ...say(m, { type: 'call.leave', call: match.call }))
  }
  return begin(m, match, clock.now)
}

/** A call is over: the one that we left ourselves, or the one that we are in. */
export function ended(m: Model, end: Message<'call.end'>, clock: Clock): Step {
  if (m.abandoned?.call === end.call) {
    const done: Model = { ...m, abandoned: undefined }
    const joined = end.requeued || m.view.phase !== 'queued' ? stay(done) : stay(done, ...sendJoin(done))
    return and(joined, (x) => undo.offer(x, end.call, m.abandoned?.name ?? '', end.undo_ms, clock))
  }
  if (m.view.call?.id !== end.call) return stay(m)
  const { name } = m.view.call.peer
  if (end.requeued) return and(enter(m, clock), (x) => undo.offer(x, end.call, name, end.undo_ms, clock))
  return leftAlone(m, end, clock)
}

function leftAlone(m: Model, end: End | undefined, clock: Clock): Step {
  const { id = '', peer: { name } = { name: '' }, rung = false } = m.view.call ?? {}
  // An end of another call tells nothing of this one.
  const of = end?.call === id ? end : undefined
  const view = { phase: 'left', call: undefined, left: { reason: of?.reason ?? 'lost', name, rung }, peerTyping: false } as const
  return and(both(m, view, { typingAt: undefined }, ...stop('typing')), (x) => undo.offer(x, id, name, of?.undo_ms, clock))
}

/** What the partner's microphone, camera and connection are doing. */
export function peerState(m: Model, p: Message<'peer.state'>): Step {
  const call = m.view.call
  if (!call) return stay(m)
  return show(m, {
    call: {
      ...call,
      peerAudio: p.audio ?? call.peerAudio,
      peerVideo: p.video ?? call.peerVideo,
      peerWatching: p.watching ?? call.peerWatching,
      peerConnection: p.connection ?? call.peerConnection,
    },
  })
}

/** The person's tracks or their switches have changed, or whether pictures are left out. */
export function media(m: Model, change: Partial<Pick<Model, 'has' | 'wants'>>): Step {
  const model: Model = { ...m, ...change }
  const audio = model.has.audio && model.wants.audio
  const video = model.has.video && model.wants.video && model.view.dataUse !== 'audio'
  const changed = audio !== m.view.audio || video !== m.view.video
  const shown = changed ? show(model, { audio, video }) : stay(model)
  return and(shown, (x) => stay(x, { type: 'enable', on: x.wants }, ...(changed ? announce(x) : [])))
}

/** After `welcome`: brings what the server remembers and what the person wants together. What the person wants wins. */
export function restored(m: Model, s: Snapshot, clock: Clock): Step {
  const model = s.ticket === undefined ? m : { ...m, ticket: s.ticket }
  switch (s.phase) {
    case 'call':
      return s.call ? restoredCall(model, s.call, clock) : stay(model)
    case 'queued':
      return restoredQueue(model, s.ended, clock)
    case 'idle':
    case 'ringing':
      break
  }
  if (model.view.call) return leftAlone(model, s.ended, clock)
  return stay({ ...model, abandoned: undefined }, ...(model.view.phase === 'queued' ? sendJoin(model) : []))
}

function restoredQueue(m: Model, end: End | undefined, clock: Clock): Step {
  switch (m.view.phase) {
    case 'queued':
      return stay({ ...m, abandoned: undefined }, ...sendWiden(m))
    case 'call':
      return and(leftAlone(m, end, clock), (x) => stay(x, ...say(x, { type: 'queue.leave' })))
    case 'idle':
    case 'left':
      return m.settings ? stay(m, ...say(m, { type: 'queue.leave' })) : enter(m, clock)
  }
}

function restoredCall(m: Model, c: CallSnapshot, clock: Clock): Step {
  if (m.view.call?.id === c.call) {
    const call = toCall(c, m.view.call.startedAt, m.view.call.rung)
    return both(m, { call }, { pair: c.pair ?? m.pair })
  }
  if (m.abandoned?.call === c.call) {
    const message = m.abandoned.by === 'next' ? ({ type: 'call.next', id: `next:${c.call}`, call: c.call } as const) : ({ type: 'call.leave', call: c.call } as const)
    return stay(m, ...say(m, message))
  }
  // A page that was reloaded in a call knows nothing of it and shows it; one that has since given up on being matched does not want it.
  const reloaded = m.settings === undefined
  if (m.view.phase === 'queued' || m.view.phase === 'call' || reloaded || agreed(m, c)) return begin(m, c, c.started_at ?? clock.now)
  return stay(m, ...say(m, { type: 'call.leave', call: c.call }))
}

/** The server refused to queue us, or to end a call that was over already. */
export function refused(m: Model, what: 'queue' | 'next', e: ClientError, clock: Clock): Step {
  if (e.code === 'already_queued' || m.view.phase !== 'queued') return stay(m)
  if (what === 'next' && e.code === 'not_in_call') return stay({ ...m, abandoned: undefined }, ...sendJoin(m))
  if (e.retry === 'later' || e.retry === 'same') {
    const ms = e.retryAfterMs ?? Math.round(queueRetryMs * (1 + clock.random / 2))
    return show(m, { error: e }, after('queue', ms))
  }
  return both(m, { phase: 'idle', queue: undefined, error: e }, { ticket: undefined, widen: [] })
}
