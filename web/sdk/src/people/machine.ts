/** Friends, presence and ringing as a pure state machine, beside the one of the call and like it: no clock, no socket, no HTTP. */
import type { FriendInfo, PartnerInfo, PersonInfo } from '../api.js'
import { peopleId, type PeopleMessage } from '../protocol.js'
import type { CallInfo, ClientError } from '../state.js'
import type { PeopleServerMessage, RingInfo } from './protocol.js'
import type { ListName, PeopleState, Ring, Rung } from './state.js'

/** What the lists hold once they are fetched. */
export interface Lists {
  friends: FriendInfo[]
  requests: PersonInfo[]
  missed: PersonInfo[]
  partners: PartnerInfo[]
  blocks: PersonInfo[]
}

/** Everything that can happen. */
export type PeopleAction =
  | { type: 'message'; message: PeopleServerMessage }
  /** The connection is there (again), or another person's is. Its `welcome` has come before. */
  | { type: 'online'; user: string }
  /** `closed`: for good, until the person opens it again. */
  | { type: 'offline'; closed: boolean }
  /** The running call has changed; `undefined`: there is none. */
  | { type: 'call'; call: Pick<CallInfo, 'id' | 'peer' | 'rung'> | undefined }
  /** Lists, and how much the server had told when they were asked for. */
  | { type: 'loaded'; lists: Partial<Lists>; told: number }
  | { type: 'failed'; error: ClientError }
  | { type: 'ring'; friend: { id: string; name: string } }
  | { type: 'accept' }
  | { type: 'decline' }
  | { type: 'cancel' }
  | { type: 'timer' }
  /** The person asks the partner of a call for friendship: the running one, or an earlier one over HTTP. */
  | { type: 'ask' }
  | { type: 'asked'; call: string; state: 'asked' | 'friends' }
  | { type: 'block' }
  | { type: 'remove'; list: ListName; id: string }
  | { type: 'dismiss'; what: 'rung' | 'news' | 'error' }

/** What the machine can want done. */
export type PeopleEffect =
  | { type: 'send'; message: PeopleMessage }
  | { type: 'load'; lists: readonly ListName[] }
  /** Tells the client's own machine whether a match is agreed upon. */
  | { type: 'expect'; on: boolean }
  /** Runs down when a ring should have ended; `undefined` stops it. */
  | { type: 'timer'; ms: number | undefined }

/** What the machine remembers; `view` is what the outside sees. */
export interface PeopleModel {
  readonly view: PeopleState
  readonly online: boolean
  readonly user: string | undefined
  /** What the server has not answered yet. It is said again after a reconnect: what the person did must not get lost on the way. */
  readonly owed: readonly PeopleMessage[]
  /** The own ring was given up before the server had named it; it is taken back by its name as soon as it has one. */
  readonly dropped: boolean
  /** How much the server has told of friends and requests, and the last of it. */
  readonly told: number
  readonly tidings: readonly Tiding[]
}

/** What changes the lists of friends and requests. */
type Tiding = Extract<PeopleServerMessage, { type: `friend.${string}` }>

export interface PeopleStep {
  readonly model: PeopleModel
  readonly effects: readonly PeopleEffect[]
}

/** A ring lasts 40 s at most; one that goes on for so long, in ms, is taken for lost. Told by no clock but the own: a device's may be wrong. */
const lostMs = 45_000
/** How long an answered ring may go without its call. */
const matchMs = 15_000
/** How many tidings are kept for lists that are under way. */
const tidingsMax = 100

export const nobody: PeopleState = { asked: [] }

export const initialPeople: PeopleModel = { view: nobody, online: false, user: undefined, owed: [], dropped: false, told: 0, tidings: [] }

function stay(model: PeopleModel, ...effects: PeopleEffect[]): PeopleStep {
  return { model, effects }
}

function show(model: PeopleModel, view: Partial<PeopleState>, ...effects: PeopleEffect[]): PeopleStep {
  return { model: { ...model, view: { ...model.view, ...view } }, effects }
}

function say(m: PeopleModel, message: PeopleMessage): PeopleEffect[] {
  return m.online ? [{ type: 'send', message }] : []
}

/** Says what must not get lost. */
function owe(m: PeopleModel, message: PeopleMessage): PeopleStep {
  return stay({ ...m, owed: [...m.owed.filter((o) => o.id !== message.id), message] }, ...say(m, message))
}

function and({ model, effects }: PeopleStep, next: (m: PeopleModel) => PeopleStep): PeopleStep {
  const step = next(model)
  return { model: step.model, effects: [...effects, ...step.effects] }
}

/** Nothing is owed about rings any more, but for one. */
function quit(m: PeopleModel, but?: string): PeopleModel {
  return { ...m, owed: m.owed.filter((o) => ('ring' in o ? o.ring === but : o.type !== 'ring')) }
}

/** One step of the machine. `now` is milliseconds since the epoch. */
export function reducePeople(m: PeopleModel, a: PeopleAction, now: number): PeopleStep {
  switch (a.type) {
    case 'online':
      return online(m, a.user)
    case 'offline':
      return offline(m, a.closed)
    case 'call':
      return call(m, a.call)
    case 'loaded':
      return loaded(m, a.lists, a.told, now)
    case 'failed':
      return show(m, { error: a.error })
    case 'ring':
      return ring(m, a.friend)
    case 'accept':
      return accept(m)
    case 'decline':
    case 'cancel':
      return giveUp(m)
    case 'timer':
      return m.view.ring ? ended(m, m.view.ring.answered || m.view.ring.id === undefined ? 'failed' : 'timeout', now) : stay(m)
    case 'ask':
      return ask(m)
    case 'asked':
      return asked(m, a.call, a.state)
    case 'block':
      return m.view.tie ? owe(m, { type: 'block', id: `${peopleId}block:${m.view.tie.call}`, call: m.view.tie.call }) : stay(m)
    case 'remove':
      return show(m, { [a.list]: m.view[a.list]?.filter((x) => ('id' in x ? x.id : x.call) !== a.id) })
    case 'dismiss':
      return show(m, { [a.what]: undefined })
    case 'message':
      return onMessage(m, a.message, now)
  }
}

function onMessage(before: PeopleModel, msg: PeopleServerMessage, now: number): PeopleStep {
  const re = 're' in msg ? msg.re : undefined
  const m = re === undefined ? before : { ...before, owed: before.owed.filter((o) => o.id !== re) }
  const { view } = m
  switch (msg.type) {
    case 'welcome':
      return restored(m, msg, now)
    case 'friend.request':
      return and(hear(m, msg, now), (x) => requested(x, msg.user.name ?? '', msg.call))
    case 'friend.added': {
      const tie = view.tie && msg.call === view.tie.call ? { ...view.tie, friend: true } : view.tie
      return and(hear(m, msg, now), (x) => show(x, { tie, news: { kind: 'friend', name: msg.user.name ?? '' } }, { type: 'load', lists: ['friends', 'requests'] }))
    }
    case 'friend.removed':
      return hear(m, msg, now)
    case 'friend.presence':
      if (view.friends && !view.friends.some((f) => f.id === msg.user.id)) return stay(m, { type: 'load', lists: ['friends'] })
      return hear(m, msg, now)
    case 'ring':
      return rings(m, msg)
    case 'ring.end':
      if (!view.ring) return stay(m, { type: 'expect', on: false })
      return view.ring.id === msg.ring || (view.ring.id === undefined && view.ring.answered) ? ended(m, msg.reason, now) : stay(m)
    case 'ok':
      return taken(m, msg.re)
    case 'error':
      return refused(m, msg, now)
  }
}

/** The server has taken something up. */
function taken(m: PeopleModel, re: string): PeopleStep {
  const [what, of = ''] = re.slice(peopleId.length).split(':')
  if (what === 'ask') return asked(m, of, 'asked')
  if (what !== 'ring') return stay(m)
  // The friend rings too, and the two are connected.
  if (m.dropped) return redial(m)
  return m.view.ring ? answered(m, m.view.ring) : stay(m)
}

/** Applies a tiding, and remembers it for lists that were asked for before it. */
function hear(m: PeopleModel, t: Tiding, now: number): PeopleStep {
  return show({ ...m, told: m.told + 1, tidings: [...m.tidings, t].slice(-tidingsMax) }, onTop(m.view, t, now))
}

/** The lists after a tiding. */
function onTop({ friends, requests }: Pick<PeopleState, 'friends' | 'requests'>, t: Tiding, now: number): Pick<PeopleState, 'friends' | 'requests'> {
  const { id, name } = t.user
  switch (t.type) {
    case 'friend.request':
      return { friends, requests: [{ id, name: name ?? '', at: now }, ...(requests ?? []).filter((r) => r.id !== id)] }
    case 'friend.added':
      return {
        friends: [{ id, name: name ?? '', guest: false, presence: t.presence, since: now }, ...(friends ?? []).filter((f) => f.id !== id)],
        requests: requests?.filter((r) => r.id !== id),
      }
    case 'friend.removed':
      return { friends: friends?.filter((f) => f.id !== id), requests }
    case 'friend.presence':
      return { friends: friends?.map((f) => (f.id === id ? { ...f, name: name ?? f.name, presence: t.presence } : f)), requests }
  }
}

/** Lists have come; what the server has told since they were asked for may be newer than they are. */
function loaded(m: PeopleModel, lists: Partial<Lists>, told: number, now: number): PeopleStep {
  const since = m.told > told ? m.tidings.slice(told - m.told) : []
  const { friends, requests } = since.reduce<Pick<PeopleState, 'friends' | 'requests'>>((l, t) => onTop(l, t, now), lists)
  return show(m, { ...lists, ...(lists.friends ? { friends } : {}), ...(lists.requests ? { requests } : {}) })
}

function online(before: PeopleModel, user: string): PeopleStep {
  const m: PeopleModel = { ...(before.user === undefined ? before : as(before, user)), user, online: true }
  return stay(m, { type: 'load', lists: ['friends', 'requests', 'missed'] }, ...m.owed.flatMap((o) => say(m, o)))
}

/** Of somebody else nothing is known yet: what was known is not theirs. */
function as(m: PeopleModel, user: string): PeopleModel {
  return m.user === user ? m : { ...initialPeople, user }
}

function offline(m: PeopleModel, closed: boolean): PeopleStep {
  if (!closed) return stay({ ...m, online: false })
  // Whoever carries on elsewhere is rung there.
  return show({ ...quit(m), online: false, dropped: false }, { ring: undefined, rung: undefined, news: undefined }, { type: 'timer', ms: undefined })
}

/** After `welcome`: the ring that the server knows of, or none. It comes before the client's own machine has read it. */
function restored(before: PeopleModel, { user, state }: Extract<PeopleServerMessage, { type: 'welcome' }>, now: number): PeopleStep {
  const old = as(before, user.id)
  const m = { ...quit(old, state.ring?.ring), dropped: old.dropped && state.ring?.to !== undefined }
  if (state.ring) return rings(m, state.ring)
  const { ring: r, tie } = m.view
  // An answered ring is none any more: its call is there, or about to come.
  const { call } = state
  const coming = state.phase === 'ringing' || (call?.peer?.friend === true && call.call !== tie?.call)
  const unwanted = old.dropped || old.owed.some((o) => o.type === 'ring.decline' || o.type === 'ring.cancel')
  if (coming && !unwanted) return r ? answered(m, r) : stay(m, { type: 'expect', on: true })
  // The server has not heard of it.
  if (r?.way === 'out' && r.id === undefined && !r.answered) return redial(m)
  return r ? ended(m, r.way === 'in' ? 'cancelled' : 'failed', now) : stay(m)
}

function call(m: PeopleModel, c: Pick<CallInfo, 'id' | 'peer' | 'rung'> | undefined): PeopleStep {
  if (!c) return m.view.tie ? show(m, { tie: undefined }) : stay(m)
  const old = m.view.tie?.call === c.id ? m.view.tie : undefined
  const friend = c.peer.friend || old?.friend === true
  if (old && old.friend === friend) return stay(m)
  const tie = { call: c.id, asked: old?.asked ?? false, wanted: old?.wanted ?? false, friend }
  // The call that was rung for has begun; with a stranger meanwhile, the ring goes on.
  const { ring: r } = m.view
  return r && c.rung ? show(quit(m), { tie, ring: undefined, rung: undefined }, { type: 'timer', ms: undefined }) : show(m, { tie })
}

function requested(m: PeopleModel, name: string, of: string | undefined): PeopleStep {
  const { tie } = m.view
  return show(m, { tie: tie && of === tie.call ? { ...tie, wanted: true } : tie, news: { kind: 'request', name } })
}

/** The person rings a friend. One ring at a time. */
function ring(m: PeopleModel, friend: { id: string; name: string }): PeopleStep {
  if (m.view.ring) return stay(m)
  if (!m.online) return show(m, { error: { code: 'offline', message: 'There is no connection.', retry: 'same' } })
  const view = { ring: { way: 'out', friend, answered: false }, rung: undefined, error: undefined } as const
  const shown = show(m, view, { type: 'expect', on: true }, { type: 'timer', ms: lostMs })
  // One that was given up is still on its way: its name comes first.
  return m.dropped ? shown : and(shown, redial)
}

/** Rings, or rings again, for the one that the person wants, if there is one; a ring that was given up without a name is settled. */
function redial(before: PeopleModel): PeopleStep {
  const m = { ...before, dropped: false }
  const { ring: r } = m.view
  return r?.way === 'out' && r.id === undefined ? owe(m, { type: 'ring', id: `${peopleId}ring`, user: r.friend.id }) : stay(m)
}

/** The server tells of a ring: one that comes in, or how the own one is called. */
function rings(m: PeopleModel, info: RingInfo): PeopleStep {
  const { ring: r } = m.view
  const who = info.from ?? info.to
  if (!who) return stay(m)
  if (info.to && m.dropped) return and(owe(m, { type: 'ring.cancel', id: `${peopleId}cancel:${info.ring}`, ring: info.ring }), redial)
  if (m.owed.some((o) => 'ring' in o && o.ring === info.ring && o.type !== 'ring.accept')) return stay(m)
  const known = m.view.friends?.find((f) => f.id === who.id)
  const friend = { id: who.id, name: who.name ?? known?.name ?? '' }
  const way = info.from ? 'in' : 'out'
  // The server takes care that there is one only; if two cross, its word is the last.
  const next: Ring = { id: info.ring, way, friend, expires: info.expires, answered: r?.id === info.ring && r.answered }
  const expect: PeopleEffect[] = way === 'out' ? [{ type: 'expect', on: true }] : []
  const heard = { ...m, owed: m.owed.filter((o) => way === 'in' || o.type !== 'ring') }
  return show(heard, { ring: next, rung: undefined }, ...expect, { type: 'timer', ms: next.answered ? matchMs : lostMs })
}

function answered(m: PeopleModel, r: Ring): PeopleStep {
  return show(m, { ring: { ...r, answered: true } }, { type: 'expect', on: true }, { type: 'timer', ms: matchMs })
}

/** The person answers; without a connection the server hears of it with the next one. */
function accept(m: PeopleModel): PeopleStep {
  const { ring: r } = m.view
  if (r?.way !== 'in' || r.id === undefined || r.answered) return stay(m)
  const message = { type: 'ring.accept', id: `${peopleId}accept:${r.id}`, ring: r.id } as const
  return and(answered(m, r), (x) => owe(x, message))
}

/** The person declines, or stops ringing. It is over here at once. */
function giveUp(before: PeopleModel): PeopleStep {
  const { ring: r } = before.view
  if (!r) return stay(before)
  const m = { ...before, owed: before.owed.filter((o) => o.type !== 'ring.accept' && o.type !== 'ring') }
  const over = show({ ...m, dropped: m.dropped || r.id === undefined }, { ring: undefined }, { type: 'expect', on: false }, { type: 'timer', ms: undefined })
  const { id } = r
  if (id === undefined) return over
  return and(over, (x) => owe(x, r.way === 'in' ? { type: 'ring.decline', id: `${peopleId}decline:${id}`, ring: id } : { type: 'ring.cancel', id: `${peopleId}cancel:${id}`, ring: id }))
}

function ended(m: PeopleModel, reason: Rung['reason'], now: number): PeopleStep {
  const { ring: r } = m.view
  if (!r) return stay(m)
  const missed = r.way === 'in' && (reason === 'timeout' || reason === 'cancelled')
  // The server writes it down in its own time.
  const calls = missed ? [{ ...r.friend, at: now }, ...(m.view.missed ?? [])] : m.view.missed
  const news = missed ? ({ kind: 'missed', name: r.friend.name } as const) : m.view.news
  const over = { ...m, owed: m.owed.filter((o) => ('ring' in o ? o.ring !== r.id : o.type !== 'ring')) }
  return show(over, { ring: undefined, rung: { way: r.way, friend: r.friend, reason }, news, missed: calls }, { type: 'expect', on: false }, { type: 'timer', ms: undefined })
}

function ask(m: PeopleModel): PeopleStep {
  const { tie } = m.view
  if (!tie || tie.asked || tie.friend) return stay(m)
  return and(show(m, { tie: { ...tie, asked: true } }), (x) => owe(x, { type: 'friend.request', id: `${peopleId}ask:${tie.call}`, call: tie.call }))
}

/** The server has taken up a request for friendship. */
function asked(m: PeopleModel, of: string, state: 'asked' | 'friends'): PeopleStep {
  const { view } = m
  const friend = state === 'friends'
  const tie = view.tie?.call === of ? { ...view.tie, asked: true, friend: view.tie.friend || friend } : view.tie
  const partners = friend ? view.partners?.map((p) => (p.call === of ? { ...p, friend } : p)) : view.partners
  return show(m, { tie, partners, asked: view.asked.includes(of) ? view.asked : [...view.asked, of] })
}

function refused(m: PeopleModel, e: { re: string; code: string; message: string; retry: ClientError['retry']; retry_after_ms?: number }, now: number): PeopleStep {
  const error: ClientError = { code: e.code, message: e.message, retry: e.retry, retryAfterMs: e.retry_after_ms }
  const [what, of] = e.re.slice(peopleId.length).split(':')
  const { tie, ring: r } = m.view
  switch (what) {
    case 'ask':
      return show(m, { error, tie: tie && tie.call === of ? { ...tie, asked: false } : tie })
    case 'ring':
      return m.dropped ? redial(m) : notRung(m, error, now)
    case 'accept':
      return r?.id === of ? ended(m, 'cancelled', now) : stay(m)
    // Too late: the ring is over, which is told apart.
    case 'decline':
    case 'cancel':
      return stay(m)
    default:
      return show(m, { error })
  }
}

/** The own ring was refused. */
function notRung(m: PeopleModel, error: ClientError, now: number): PeopleStep {
  const { ring: r } = m.view
  // Somebody else was quicker, and rings here.
  if (r?.way !== 'out' || r.id !== undefined) return stay(m)
  const { model, effects } = ended(m, 'failed', now)
  // The list is older than the end of that friendship.
  if (error.code === 'not_found') return stay(model, ...effects, { type: 'load', lists: ['friends'] })
  return show({ ...model, view: { ...model.view, rung: undefined } }, { error }, ...effects)
}
