/** The signaling connection: dialling, hello and welcome, pings, losing it and getting it back, closing it for good. */
import * as call from './call.js'
import * as chat from './chat.js'
import { after, and, save, say, show, stay, step, stop, type Action, type Clock, type Effect, type Model, type Step } from './model.js'
import { CloseCode, PROTOCOL_VERSION, type ClientMessage, type ServerMessage } from './protocol.js'
import * as pace from './pace.js'
import * as rtc from './rtc.js'
import * as undo from './undo.js'
import type { ClientError, ClosedBy } from './state.js'

/** How long one attempt may take from dialling to `welcome`. */
const welcomeMs = 8_000
/** How long a probe after a change of network may go unanswered. */
const probeMs = 2_000
/** The same when media has lost its path: loss alone can do that, and makes TCP slow. ICE needs 5 s or so to notice. */
const doubtMs = 3_000
/** How long a ping may go unanswered before the next; then as long again before the connection is given up. */
const unansweredMs = 3_000
/** The longest time between pings without a media connection, which would otherwise notice first that the path is gone. */
const blindMs = 5_000
/** The longest pause between attempts. */
const maxBackoffMs = 5_000
/** A connection that lasted this long starts the pauses over again. */
const stableMs = 5_000

type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

/** Starts from nothing, or again after the link was closed for good. */
export function connect(m: Model): Step {
  return m.view.link === 'idle' || m.view.link === 'closed' ? start(m) : stay(m)
}

function start(m: Model): Step {
  const fresh = show(m, { link: 'connecting', closedBy: undefined, retryAt: undefined, error: undefined })
  return and(fresh, (x) => dial({ ...x, attempts: 0, refused: false, needsGuest: x.identity.cookies }))
}

/** Makes the next attempt to connect. */
export function dial(m: Model): Step {
  const guest = m.needsGuest && m.token === undefined && !m.fresh
  return show(m, { retryAt: undefined }, ...stop('dial'), { type: 'open', guest }, after('welcome', welcomeMs))
}

/** Ends the session: the server hears a clean close and tells the partner at once. */
export function close(m: Model): Step {
  if (m.view.link === 'idle') return stay(m)
  const saved: Effect = { type: 'save', saved: m.token === undefined ? null : { token: m.token, gen: m.gen } }
  return and(step(m, { resume: undefined, pair: undefined }, saved), (x) => shut(x, 'user'))
}

/** Connects again after another connection has taken this one's place, and takes its place in turn. */
export function takeover(m: Model): Step {
  return m.view.link === 'closed' ? start({ ...m, resume: undefined }) : stay(m)
}

/** Goes on as a guest of this tab's own. */
export function freshGuest(m: Model): Step {
  return startAs(m, undefined, true)
}

/** Goes on as whoever the cookie, or this token, now says. */
export function signIn(m: Model, token: string | undefined): Step {
  return startAs(m, token, false)
}

function startAs(m: Model, token: string | undefined, fresh: boolean): Step {
  // What was said to a partner is for who said it.
  const next: Model = { ...m, view: { ...m.view, chat: [] }, token, resume: undefined, pair: undefined, fresh, ticket: undefined }
  return m.view.link === 'closed' || m.view.link === 'idle' ? start(next) : and(shut(next, 'user'), start)
}

/** The WebSocket is open: introduce ourselves. */
export function opened(m: Model): Step {
  const { client, lang, cookies } = m.identity
  const hello: ClientMessage = { type: 'hello', versions: [PROTOCOL_VERSION], client }
  if (lang !== undefined) hello.lang = lang
  if (m.token !== undefined) hello.token = m.token
  else if (m.fresh) hello.guest = { fresh: true }
  else if (!cookies) hello.guest = {}
  if (m.resume !== undefined) hello.resume = m.resume
  if (m.pair !== undefined) hello.pair = m.pair
  return stay(m, { type: 'send', message: hello })
}

/** The session is there, new or resumed. */
export function welcome(m: Model, w: Message<'welcome'>, clock: Clock): Step {
  const token = w.token ?? m.token
  const model: Model = {
    ...m,
    token,
    resume: w.resume,
    iceServers: w.ice_servers ?? [],
    onlineSince: clock.now,
    drainDelay: undefined,
    needsGuest: false,
    fresh: false,
    refused: false,
    pingMs: w.ping_ms > 0 ? w.ping_ms : m.pingMs,
    missed: 0,
    probing: false,
  }
  const { id, name, guest } = w.user
  const online = show(
    model,
    { link: 'online', retryAt: undefined, user: { id, name, guest }, topics: w.topics, freeTopics: w.free_topics === true },
    ...stop('welcome', 'probe'),
    nextPing(model),
    save(model),
  )
  const watched = and(online, (x) => stay(x, ...pace.introduce(x), ...(x.watching ? watch(x, true) : [])))
  const media = and(watched, (x) => rtc.welcomed(x, w.resumed && w.media === 'keep'))
  const restored = and(and(media, (x) => call.restored(x, w.state, clock)), (x) => chat.restored(x, w.state.chat ?? []))
  return and(restored, (x) => undo.restored(x, clock))
}

/** Asks for the numbers of people per topic, or no longer. */
export function watch(m: Model, on: boolean): Effect[] {
  return say(m, { type: 'topics.watch', on })
}

/** The WebSocket has closed, or could not be opened. */
export function closed(m: Model, code: number, clock: Clock): Step {
  switch (code) {
    case CloseCode.replaced:
      return shut({ ...m, resume: undefined }, 'replaced')
    case CloseCode.banned:
      return shut(m, 'banned')
    case CloseCode.tooMany:
      return shut(m, 'too_many')
    case CloseCode.unauthorized:
      return unauthorized(m, clock)
    default:
      return retry(m, clock, 0)
  }
}

/** The present connection is as good as dead: drop it and dial again, after `atLeast` milliseconds. */
export function lost(m: Model, clock: Clock, atLeast = 0): Step {
  return and(stay(m, { type: 'hangup', code: CloseCode.lost }), (x) => retry(x, clock, atLeast))
}

/** The server refused a guest session over HTTP. */
export function refused(m: Model, r: Extract<Action, { type: 'refused' }>, clock: Clock): Step {
  if (r.status === 401 || r.status === 403) {
    const by: ClosedBy = r.code === 'banned' ? 'banned' : 'unauthorized'
    return shut(m, by, { code: r.code, message: r.message, retry: 'never' })
  }
  return retry(m, clock, r.retryAfterMs ?? (r.status === 429 ? maxBackoffMs : 0))
}

/** Waits and dials again: at once at first, then ever longer, with jitter so that a restart does not bring everybody at the same moment. */
function retry(m: Model, clock: Clock, atLeast: number): Step {
  const link = m.view.link
  if (link === 'idle' || link === 'closed') return stay(m)
  const stable = m.onlineSince !== undefined && clock.now - m.onlineSince >= stableMs
  const attempts = stable ? 0 : m.attempts
  const backoff = attempts === 0 ? 0 : Math.min(maxBackoffMs, 50 * 1.6 ** (attempts - 1)) * (0.75 + clock.random / 2)
  const ms = Math.round(Math.max(Math.min(backoff, maxBackoffMs), m.drainDelay ?? 0, atLeast))
  const next = { ...m, attempts: attempts + 1, onlineSince: undefined, drainDelay: undefined, missed: 0, probing: false, typingAt: undefined }
  return show(
    next,
    { link: m.view.user === undefined ? 'connecting' : 'reconnecting', retryAt: clock.now + ms, peerTyping: false },
    ...stop('welcome', 'ping', 'probe', 'answer', 'queue'),
    after('dial', ms),
  )
}

/** Refused: the resume token is given up first, then the token, then the cookie is asked for anew; after that it is for a person to decide. */
function unauthorized(m: Model, clock: Clock, error?: ClientError): Step {
  const cookies = m.identity.cookies
  const change = m.resume !== undefined ? { resume: undefined } : { token: undefined, needsGuest: cookies, refused: true }
  if (m.resume === undefined && m.refused) return shut({ ...m, ...change }, 'unauthorized', error)
  return lost({ ...m, ...change }, clock)
}

/** Closes for good; only a person's action opens again. */
function shut(m: Model, closedBy: ClosedBy, error?: ClientError): Step {
  const model: Model = { ...m, negotiation: 'none', onlineSince: undefined, missed: 0, probing: false, typingAt: undefined, abandoned: undefined, expecting: false }
  return show(
    model,
    {
      link: 'closed',
      closedBy,
      retryAt: undefined,
      rtc: 'none',
      phase: 'idle',
      queue: undefined,
      call: undefined,
      left: undefined,
      undo: undefined,
      peerTyping: false,
      chat: chat.failAll(m.view.chat),
      error: error ?? m.view.error,
      notice: undefined,
    },
    ...stop('dial', 'welcome', 'ping', 'probe', 'ice', 'answer', 'rtc', 'typing', 'queue', 'undo'),
    { type: 'hangup', code: CloseCode.normal },
    { type: 'pc.close' },
  )
}

/** Time for a ping: two in a row without any sign of life mean that the connection is dead, though nothing has closed it. */
export function ping(m: Model, clock: Clock): Step {
  if (m.view.link !== 'online') return stay(m)
  if (m.missed >= 2) return lost(m, clock)
  return ask(m, { missed: m.missed + 1 }, clock, after('ping', unansweredMs))
}

function nextPing(m: Model): Effect {
  return after('ping', m.view.rtc === 'connected' ? m.pingMs : Math.min(m.pingMs, blindMs))
}

/** Something has come from the server: whatever was asked before is answered by it. */
export function alive(m: Model): Step {
  return m.missed > 0 || m.probing ? step(m, { missed: 0, probing: false }, ...stop('probe'), nextPing(m)) : stay(m)
}

function ask(m: Model, change: Partial<Model>, clock: Clock, deadline: Effect): Step {
  return step(m, change, { type: 'send', message: { type: 'ping', t: clock.now } }, deadline)
}

function probe(m: Model, clock: Clock, ms: number): Step {
  return ask(m, { probing: true }, clock, after('probe', ms))
}

/**
 * The device says that it has a network again: dial at once, or find out at once whether the old connection still lives. Or it says that it
 * has none, which is not always so.
 */
export function network(m: Model, up: boolean, clock: Clock): Step {
  if (up && m.view.retryAt !== undefined) return dial({ ...m, attempts: 0 })
  if (m.view.link !== 'online') return stay(m)
  const asked = probe(m, clock, probeMs)
  return up ? and(asked, rtc.network) : asked
}

/** Media has lost its path. The WebSocket takes the same one more often than not, but would notice only much later. */
export function doubt(m: Model, clock: Clock): Step {
  return m.view.link === 'online' ? probe(m, clock, doubtMs) : stay(m)
}

/** Errors that only say that the two sides crossed on the way; the next message sets it right. */
const harmless: ReadonlySet<string> = new Set(['not_in_call', 'not_queued', 'already_queued'])

/** The server refused something: what `re` names, or the session as a whole. */
export function error(m: Model, e: Message<'error'>, clock: Clock): Step {
  const shown: ClientError = { code: e.code, message: e.message, retry: e.retry, retryAfterMs: e.retry_after_ms }
  switch (e.code) {
    case 'replaced':
      return shut({ ...m, resume: undefined }, 'replaced')
    case 'banned':
      return shut(m, 'banned', shown)
    case 'email_required':
      // The token is good, also to see to the address; only nobody comes in by it yet.
      return shut(m, 'unauthorized', shown)
    case 'unsupported_version':
      return shut(m, 'unsupported', shown)
    case 'unauthorized':
      return m.view.link === 'online' ? show(m, { error: shown }) : unauthorized(m, clock, shown)
    case 'rate_limited':
      // Before `welcome` it is the address that has to wait, and the connection is about to close.
      if (m.view.link !== 'online') return lost(m, clock, e.retry_after_ms ?? maxBackoffMs)
      break
    case 'server_full':
      return m.view.link === 'online' ? show(m, { error: shown }) : shut(m, 'full', shown)
  }
  const [what, detail] = (e.re ?? '').split(':', 2)
  if (what === 'offer') return rtc.refused(m, Number(detail), shown)
  if (what === 'chat' && detail !== undefined) return chat.refused(m, detail, harmless.has(e.code) ? undefined : shown)
  if (what === 'queue' || what === 'next') return call.refused(m, what, shown, clock)
  if (what === 'undo' && detail !== undefined) return undo.refused(m, detail, harmless.has(e.code) ? undefined : shown)
  return harmless.has(e.code) ? stay(m) : show(m, { error: shown })
}
