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
  /** The connection is there (again), or another person's is. */
  | { type: 'online'; user: string }
  | { type: 'offline' }
  /** The running call has changed; `undefined`: there is none. */
  | { type: 'call'; call: Pick<CallInfo, 'id' | 'peer' | 'rung'> | undefined }
  | { type: 'loaded'; lists: Partial<Lists> }
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
}

export interface PeopleStep {
  readonly model: PeopleModel
  readonly effects: readonly PeopleEffect[]
}

/** How long a ring may go on after it should have ended, before it is taken for lost, in ms; and one of which nothing was said. */
const lateMs = 5_000
const unknownMs = 45_000
/** How long an answered ring may go without its call. */
const matchMs = 15_000

export const nobody: PeopleState = { asked: [] }

export const initialPeople: PeopleModel = { view: nobody, online: false, user: undefined }

function stay(model: PeopleModel, ...effects: PeopleEffect[]): PeopleStep {
  return { model, effects }
}

function show(model: PeopleModel, view: Partial<PeopleState>, ...effects: PeopleEffect[]): PeopleStep {
  return { model: { ...model, view: { ...model.view, ...view } }, effects }
}

function say(m: PeopleModel, message: PeopleMessage): PeopleEffect[] {
  return m.online ? [{ type: 'send', message }] : []
}

/** One step of the machine. `now` is milliseconds since the epoch. */
export function reducePeople(m: PeopleModel, a: PeopleAction, now: number): PeopleStep {
  switch (a.type) {
    case 'online':
      return online(m, a.user)
    case 'offline':
      return stay({ ...m, online: false })
    case 'call':
      return call(m, a.call)
    case 'loaded':
      return show(m, a.lists)
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
      return m.view.ring ? ended(m, m.view.ring.answered ? 'failed' : 'timeout', now) : stay(m)
    case 'ask':
      return ask(m)
    case 'asked':
      return asked(m, a.call, a.state)
    case 'block':
      return m.view.tie ? stay(m, ...say(m, { type: 'block', id: `${peopleId}block`, call: m.view.tie.call })) : stay(m)
    case 'remove':
      return show(m, { [a.list]: m.view[a.list]?.filter((x) => ('id' in x ? x.id : x.call) !== a.id) })
    case 'dismiss':
      return show(m, { [a.what]: undefined })
    case 'message':
      return onMessage(m, a.message, now)
  }
}

function onMessage(m: PeopleModel, msg: PeopleServerMessage, now: number): PeopleStep {
  const { view } = m
  switch (msg.type) {
    case 'welcome':
      return restored(m, msg.state.ring, now)
    case 'friend.request':
      return requested(m, msg.user, msg.call, now)
    case 'friend.added': {
      const friend: FriendInfo = { id: msg.user.id, name: msg.user.name ?? '', guest: false, presence: msg.presence, since: now }
      const friends = [friend, ...(view.friends ?? []).filter((f) => f.id !== friend.id)]
      const tie = view.tie && msg.call === view.tie.call ? { ...view.tie, friend: true } : view.tie
      const requests = view.requests?.filter((r) => r.id !== friend.id)
      return show(m, { friends, requests, tie, news: { kind: 'friend', name: friend.name } }, { type: 'load', lists: ['friends', 'requests'] })
    }
    case 'friend.removed':
      return show(m, { friends: view.friends?.filter((f) => f.id !== msg.user.id) })
    case 'friend.presence':
      if (view.friends && !view.friends.some((f) => f.id === msg.user.id)) return stay(m, { type: 'load', lists: ['friends'] })
      return show(m, { friends: view.friends?.map((f) => (f.id === msg.user.id ? { ...f, name: msg.user.name ?? f.name, presence: msg.presence } : f)) })
    case 'ring':
      return rings(m, msg, now)
    case 'ring.end':
      return view.ring?.id === msg.ring || (view.ring?.way === 'out' && view.ring.id === undefined) ? ended(m, msg.reason, now) : stay(m)
    case 'ok':
      return msg.re === `${peopleId}ask` && view.tie ? asked(m, view.tie.call, 'asked') : stay(m)
    case 'error':
      return refused(m, msg, now)
  }
}

function online(m: PeopleModel, user: string): PeopleStep {
  // Somebody else: what was known is not theirs.
  const view = user === m.user ? m.view : nobody
  return stay({ view, user, online: true }, { type: 'load', lists: ['friends', 'requests', 'missed'] })
}

/** After `welcome`: the ring that the server knows of, or none. */
function restored(m: PeopleModel, info: RingInfo | undefined, now: number): PeopleStep {
  if (info) return rings(m, info, now)
  return m.view.ring ? ended(m, m.view.ring.way === 'in' ? 'cancelled' : 'failed', now) : stay(m)
}

function call(m: PeopleModel, c: Pick<CallInfo, 'id' | 'peer' | 'rung'> | undefined): PeopleStep {
  if (!c) return m.view.tie ? show(m, { tie: undefined }) : stay(m)
  const old = m.view.tie?.call === c.id ? m.view.tie : undefined
  const friend = c.peer.friend || old?.friend === true
  if (old && old.friend === friend) return stay(m)
  const tie = { call: c.id, asked: old?.asked ?? false, wanted: old?.wanted ?? false, friend }
  // The call that was rung for has begun; with a stranger meanwhile, the ring goes on.
  const { ring: r } = m.view
  return r && c.rung ? show(m, { tie, ring: undefined, rung: undefined }, { type: 'timer', ms: undefined }) : show(m, { tie })
}

function requested(m: PeopleModel, user: { id: string; name?: string }, of: string | undefined, at: number): PeopleStep {
  const { view } = m
  const { id, name = '' } = user
  const requests = [{ id, name, at }, ...(view.requests ?? []).filter((r) => r.id !== user.id)]
  const here = view.tie !== undefined && of === view.tie.call
  return show(m, { requests, ...(here && view.tie ? { tie: { ...view.tie, wanted: true } } : {}), news: { kind: 'request', name } })
}

/** The person rings a friend. One ring at a time. */
function ring(m: PeopleModel, friend: { id: string; name: string }): PeopleStep {
  if (m.view.ring || !m.online) return stay(m)
  const view = { ring: { way: 'out', friend, answered: false }, rung: undefined, error: undefined } as const
  return show(m, view, { type: 'expect', on: true }, ...say(m, { type: 'ring', id: `${peopleId}ring`, user: friend.id }), { type: 'timer', ms: unknownMs })
}

/** The server tells of a ring: one that comes in, or how the own one is called. */
function rings(m: PeopleModel, info: RingInfo, now: number): PeopleStep {
  const { ring: r } = m.view
  const who = info.from ?? info.to
  if (!who) return stay(m)
  const known = m.view.friends?.find((f) => f.id === who.id)
  const friend = { id: who.id, name: who.name ?? known?.name ?? '' }
  const way = info.from ? 'in' : 'out'
  // The server takes care that there is one only; if two cross, its word is the last.
  const next: Ring = { id: info.ring, way, friend, expires: info.expires, answered: r?.id === info.ring && r.answered }
  const expect: PeopleEffect[] = way === 'out' ? [{ type: 'expect', on: true }] : []
  return show(m, { ring: next, rung: undefined }, ...expect, { type: 'timer', ms: Math.max(0, info.expires - now) + lateMs })
}

function answered(m: PeopleModel, r: Ring): PeopleStep {
  return show(m, { ring: { ...r, answered: true } }, { type: 'expect', on: true }, { type: 'timer', ms: matchMs })
}

function accept(m: PeopleModel): PeopleStep {
  const { ring: r } = m.view
  if (r?.way !== 'in' || r.id === undefined || r.answered || !m.online) return stay(m)
  const { model, effects } = answered(m, r)
  return { model, effects: [...effects, ...say(m, { type: 'ring.accept', id: `${peopleId}accept`, ring: r.id })] }
}

/** The person declines, or stops ringing. It is over here at once. */
function giveUp(m: PeopleModel): PeopleStep {
  const { ring: r } = m.view
  if (!r) return stay(m)
  const told: PeopleEffect[] =
    r.id === undefined ? [] : say(m, r.way === 'in' ? { type: 'ring.decline', id: `${peopleId}decline`, ring: r.id } : { type: 'ring.cancel', id: `${peopleId}cancel`, ring: r.id })
  return show(m, { ring: undefined }, ...told, { type: 'expect', on: false }, { type: 'timer', ms: undefined })
}

function ended(m: PeopleModel, reason: Rung['reason'], now: number): PeopleStep {
  const { ring: r } = m.view
  if (!r) return stay(m)
  const missed = r.way === 'in' && (reason === 'timeout' || reason === 'cancelled')
  // The server writes it down in its own time.
  const calls = missed ? [{ ...r.friend, at: now }, ...(m.view.missed ?? [])] : m.view.missed
  const news = missed ? ({ kind: 'missed', name: r.friend.name } as const) : m.view.news
  return show(m, { ring: undefined, rung: { way: r.way, friend: r.friend, reason }, news, missed: calls }, { type: 'expect', on: false }, { type: 'timer', ms: undefined })
}

function ask(m: PeopleModel): PeopleStep {
  const { tie } = m.view
  if (!tie || tie.asked || tie.friend || !m.online) return stay(m)
  return show(m, { tie: { ...tie, asked: true } }, ...say(m, { type: 'friend.request', id: `${peopleId}ask`, call: tie.call }))
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
  const what = e.re.slice(peopleId.length)
  const { tie } = m.view
  if (what === 'ask') return show(m, { error, tie: tie && { ...tie, asked: false } })
  if (what === 'ring') {
    const { model, effects } = ended(m, 'failed', now)
    return { model: { ...model, view: { ...model.view, error } }, effects }
  }
  // Too late: the ring is over, which is told apart.
  if (what === 'decline' || what === 'cancel') return stay(m)
  if (what === 'accept') {
    const { model, effects } = ended(m, 'cancelled', now)
    return { model, effects }
  }
  return show(m, { error })
}
