/** The queue and the call: joining, being matched, Next, leaving, and finding one's place again after a reconnect. */
import { after, and, both, say, show, stay, step, stop, type Clock, type Effect, type Model, type Step } from './model.js'
import type { CallSnapshot, ServerMessage, Snapshot } from './protocol.js'
import { announce } from './rtc.js'
import type { CallInfo, ClientError, EndReason, QueueInfo, State } from './state.js'

type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

/** How long to wait before queueing again when the server asks for patience without saying how much. */
const queueRetryMs = 2_000

function sendJoin(m: Model): Effect[] {
  if (!m.settings) return []
  const { topics, langs } = m.settings
  const message: Extract<Parameters<typeof say>[1], { type: 'queue.join' }> = { type: 'queue.join', id: 'queue:', topics }
  if (langs !== undefined) message.langs = langs
  if (m.ticket !== undefined) message.ticket = m.ticket
  return say(m, message)
}

function waiting(m: Model, clock: Clock): QueueInfo {
  return { topics: m.settings?.topics ?? 'any', since: clock.now, waiting: 0 }
}

/** Shows the queue, without telling the server. */
function enter(m: Model, clock: Clock, ...effects: Effect[]): Step {
  return show(m, { phase: 'queued', queue: waiting(m, clock), call: undefined, left: undefined, peerTyping: false, notice: undefined }, ...stop('typing'), ...effects)
}

function sameTopics(a: string[] | 'any', b: string[] | 'any'): boolean {
  if (a === 'any' || b === 'any') return a === b
  return a.length === b.length && a.every((t) => b.includes(t))
}

/** The person asks for a partner. The ticket of an earlier wait is good for the same topics only. */
export function join(m: Model, topics: string[] | 'any', langs: string[] | undefined, clock: Clock): Step {
  if (m.view.phase === 'queued' || m.view.phase === 'call') return stay(m)
  const ticket = m.settings && sameTopics(m.settings.topics, topics) ? m.ticket : undefined
  const model: Model = { ...m, settings: { topics, langs }, ticket }
  return enter(model, clock, ...sendJoin(model))
}

/** Queues again with the same settings. */
export function requeue(m: Model, clock: Clock): Step {
  return join(m, m.settings?.topics ?? 'any', m.settings?.langs, clock)
}

/** Sends the wish to queue again, if it still stands. */
export function rejoin(m: Model): Step {
  return m.view.phase === 'queued' ? stay(m, ...sendJoin(m)) : stay(m)
}

/** Stops waiting. */
export function cancel(m: Model): Step {
  if (m.view.phase !== 'queued') return stay(m)
  return both(m, { phase: 'idle', queue: undefined, notice: undefined }, { ticket: undefined }, ...stop('queue'), ...say(m, { type: 'queue.leave' }))
}

/** Ends the call and queues again at the end of the line; the partner is hidden at once, before the server knows. */
export function next(m: Model, clock: Clock): Step {
  if (m.view.phase === 'left') return requeue(m, clock)
  if (!m.view.call) return stay(m)
  const call = m.view.call.id
  const model: Model = { ...m, abandoned: { call, by: 'next' }, ticket: undefined, settings: m.settings ?? { topics: 'any', langs: undefined }, typingAt: undefined }
  return enter(model, clock, ...say(m, { type: 'call.next', id: `next:${call}`, call }))
}

/** Ends the call for good; from partner-left it only goes back to the start. */
export function leave(m: Model): Step {
  const idle = { phase: 'idle', call: undefined, left: undefined, peerTyping: false } as const
  if (m.view.phase === 'left') return show(m, idle)
  if (!m.view.call) return stay(m)
  const call = m.view.call.id
  const change = { abandoned: { call, by: 'leave' }, ticket: undefined, typingAt: undefined } as const
  return both(m, idle, change, ...stop('typing'), ...say(m, { type: 'call.leave', call }))
}

/** The server says that we wait. */
export function queued(m: Model, q: Message<'queue.state'>): Step {
  if (m.view.phase === 'idle' || m.view.phase === 'call') return stay(m)
  const queue: QueueInfo = { topics: m.settings?.topics ?? 'any', since: q.since, waiting: q.waiting, etaMs: q.eta_ms }
  return both(m, { phase: 'queued', queue, left: undefined }, { ticket: q.ticket })
}

/** Until the partner says otherwise, microphone and camera are taken to be on, and the partner to be watching. */
function toCall(c: CallSnapshot, startedAt: number): CallInfo {
  const { audio, video, watching = true, connection } = c.peer_state ?? { audio: true, video: true, connection: 'ok' }
  return {
    id: c.call,
    peer: { id: c.peer.id, name: c.peer.name },
    topics: c.topics,
    startedAt,
    peerAudio: audio,
    peerVideo: video,
    peerWatching: watching,
    peerConnection: connection,
  }
}

/** Shows a call. */
function begin(m: Model, c: CallSnapshot, startedAt: number): Step {
  const view: Partial<State> = { phase: 'call', call: toCall(c, startedAt), queue: undefined, left: undefined, chat: [], peerTyping: false, notice: undefined }
  return both(m, view, { abandoned: undefined, typingAt: undefined }, ...stop('typing', 'queue'))
}

/** A partner is found. Who has given up waiting in the same moment gives the partner back. */
export function matched(m: Model, match: Message<'match'>, clock: Clock): Step {
  if (m.view.call?.id === match.call) return stay(m)
  if (m.view.phase === 'idle' || m.view.phase === 'left') {
    return step(m, { abandoned: { call: match.call, by: 'leave' } }, ...say(m, { type: 'call.leave', call: match.call }))
  }
  return begin(m, match, clock.now)
}

/** A call is over: the one that we left ourselves, or the one that we are in. */
export function ended(m: Model, end: Message<'call.end'>, clock: Clock): Step {
  if (m.abandoned?.call === end.call) {
    const done: Model = { ...m, abandoned: undefined }
    return end.requeued || m.view.phase !== 'queued' ? stay(done) : stay(done, ...sendJoin(done))
  }
  if (m.view.call?.id !== end.call) return stay(m)
  if (end.requeued) return enter(m, clock)
  return leftAlone(m, end.reason)
}

function leftAlone(m: Model, reason: Message<'call.end'>['reason']): Step {
  const name = m.view.call?.peer.name ?? ''
  const view = { phase: 'left', call: undefined, left: { reason, name }, peerTyping: false } as const
  return both(m, view, { typingAt: undefined }, ...stop('typing'))
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
      return restoredQueue(model, s.ended?.reason ?? 'lost', clock)
    case 'idle':
    case 'ringing':
      break
  }
  const call = model.view.call?.id
  if (call !== undefined) return leftAlone(model, s.ended?.call === call ? s.ended.reason : 'lost')
  return stay({ ...model, abandoned: undefined }, ...(model.view.phase === 'queued' ? sendJoin(model) : []))
}

function restoredQueue(m: Model, reason: EndReason, clock: Clock): Step {
  switch (m.view.phase) {
    case 'queued':
      return stay({ ...m, abandoned: undefined })
    case 'call':
      return and(leftAlone(m, reason), (x) => stay(x, ...say(x, { type: 'queue.leave' })))
    case 'idle':
    case 'left':
      return m.settings ? stay(m, ...say(m, { type: 'queue.leave' })) : enter(m, clock)
  }
}

function restoredCall(m: Model, c: CallSnapshot, clock: Clock): Step {
  if (m.view.call?.id === c.call) {
    const call = toCall(c, m.view.call.startedAt)
    return show(m, { call })
  }
  if (m.abandoned?.call === c.call) {
    const message = m.abandoned.by === 'next' ? ({ type: 'call.next', id: `next:${c.call}`, call: c.call } as const) : ({ type: 'call.leave', call: c.call } as const)
    return stay(m, ...say(m, message))
  }
  // A page that was reloaded in a call knows nothing of it and shows it; one that has since given up on being matched does not want it.
  const reloaded = m.settings === undefined
  if (m.view.phase === 'queued' || m.view.phase === 'call' || reloaded) return begin(m, c, c.started_at ?? clock.now)
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
  return both(m, { phase: 'idle', queue: undefined, error: e }, { ticket: undefined })
}
