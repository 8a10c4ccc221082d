/**
 * The client as a pure state machine: `reduce` takes what happened and returns the new model and what has to be done. It touches no
 * clock, no socket and no media, so that every path can be tested as a table.
 */
import * as call from './call.js'
import * as chat from './chat.js'
import * as link from './link.js'
import { and, say, show, stay, step, type Action, type Clock, type Effect, type Identity, type Model, type Saved, type Step, type TimerName } from './model.js'
import * as pace from './pace.js'
import type { ServerMessage } from './protocol.js'
import * as rtc from './rtc.js'
import * as undo from './undo.js'
import type { State } from './state.js'

export type { Action, Clock, Effect, Model, TimerName }

const emptyView: State = {
  link: 'idle',
  topics: [],
  freeTopics: false,
  rtc: 'none',
  rtcFailures: 0,
  phase: 'idle',
  chat: [],
  peerTyping: false,
  audio: false,
  video: false,
  dataUse: 'normal',
}

/** The model before `connect`. */
export function initialModel(opts: Identity & { fresh: boolean; saved: Saved }): Model {
  const { fresh, saved, ...identity } = opts
  return {
    view: emptyView,
    identity,
    token: saved.token,
    resume: saved.resume,
    pair: saved.pair,
    gen: saved.gen,
    negotiation: 'none',
    iceServers: [],
    settings: undefined,
    ticket: undefined,
    widen: [],
    abandoned: undefined,
    expecting: false,
    attempts: 0,
    onlineSince: undefined,
    drainDelay: undefined,
    needsGuest: identity.cookies,
    fresh: fresh && saved.token === undefined,
    refused: false,
    pingMs: 15_000,
    missed: 0,
    probing: false,
    watching: false,
    has: { audio: false, video: false },
    wants: { audio: true, video: true },
    pace: 'warm',
    resting: false,
    scouting: false,
    typingAt: undefined,
  }
}

/** One step of the machine. */
export function reduce(m: Model, a: Action, clock: Clock): Step {
  return pace.paced(m, call.proved(onAction(m, a, clock)))
}

function onAction(m: Model, a: Action, clock: Clock): Step {
  switch (a.type) {
    case 'connect':
      return link.connect(m)
    case 'close':
      return link.close(m)
    case 'takeover':
      return link.takeover(m)
    case 'fresh':
      return link.freshGuest(m)
    case 'signIn':
      return link.signIn(m, a.token)
    case 'expect':
      return step(m, { expecting: a.on })
    case 'say':
      return stay(m, ...say(m, a.message))
    case 'opened':
      return link.opened(m)
    case 'closed':
      return link.closed(m, a.code, clock)
    case 'refused':
      return link.refused(m, a, clock)
    case 'network':
      return link.network(m, a.up, clock)
    case 'join':
      return call.join(m, a.search, clock)
    case 'widen':
      return call.widen(m, a.sides)
    case 'requeue':
      return call.requeue(m, clock)
    case 'retryMedia':
      return rtc.retry(m)
    case 'cancel':
      return call.cancel(m)
    case 'next':
      return call.next(m, clock)
    case 'leave':
      return call.leave(m)
    case 'undo':
      return undo.ask(m, clock)
    case 'media':
      return call.media(m, { has: { ...m.has, ...a.has } })
    case 'enable':
      return call.media(m, { wants: { ...m.wants, ...a.on } })
    case 'use':
      return and(pace.use(m, a.dataUse), (x) => call.media(x, {}))
    case 'chat':
      return chat.write(m, a.cid, a.text, clock)
    case 'resend':
      return chat.resend(m, a.cid)
    case 'typing':
      return chat.typing(m, a.on, clock)
    case 'watch':
      return step(m, { watching: a.on }, ...link.watch(m, a.on))
    case 'dismiss':
      return show(m, { [a.what]: undefined })
    case 'offer':
      return rtc.offered(m, a)
    case 'rtc':
      return and(rtc.changed(m, a.state), (x) => (a.state === 'disconnected' || a.state === 'failed' ? link.doubt(x, clock) : stay(x)))
    case 'timer':
      return onTimer(m, a.name, clock)
    case 'message':
      return and(link.alive(m), (x) => onMessage(x, a.message, clock))
  }
}

function onTimer(m: Model, name: TimerName, clock: Clock): Step {
  switch (name) {
    case 'dial':
      return link.dial(m)
    case 'welcome':
      return link.lost(m, clock)
    case 'ping':
      return link.ping(m, clock)
    case 'probe':
      return m.probing ? link.lost(m, clock) : stay(m)
    case 'ice':
      return rtc.stillDisconnected(m)
    case 'answer':
      return rtc.failed(m)
    case 'rtc':
      return rtc.open(m)
    case 'typing':
      return show(m, { peerTyping: false })
    case 'queue':
      return call.rejoin(m)
    case 'rest':
      return pace.rest(m)
    case 'scout':
      return step(m, { scouting: false })
    case 'undo':
      return undo.over(m, clock)
  }
}

function onMessage(m: Model, msg: ServerMessage, clock: Clock): Step {
  switch (msg.type) {
    case 'welcome':
      return link.welcome(m, msg, clock)
    case 'rtc.answer':
      return rtc.answered(m, msg)
    case 'rtc.state':
      return msg.state === 'failed' && m.negotiation === 'done' ? rtc.failed(m) : stay(m)
    case 'queue.state':
      return call.queued(m, msg)
    case 'match':
      return call.matched(m, msg, clock)
    case 'call.end':
      return call.ended(m, msg, clock)
    case 'call.undo':
      return undo.wanted(m, msg, clock)
    case 'peer.state':
      return call.peerState(m, msg)
    case 'chat':
      return chat.received(m, msg)
    case 'chat.typing':
      return chat.peerTyping(m, msg.on)
    case 'ok':
      return chat.confirmed(m, msg.re)
    case 'topics':
      return show(m, { topics: msg.topics })
    case 'drain':
      return step(m, { drainDelay: msg.reconnect_after_ms })
    case 'ping':
      return stay(m, { type: 'send', message: { type: 'pong', t: msg.t } })
    case 'error':
      return link.error(m, msg, clock)
    case 'notice':
      return show(m, { notice: { code: msg.code, text: msg.text } })
    case 'pong':
      return stay(m)
  }
}
