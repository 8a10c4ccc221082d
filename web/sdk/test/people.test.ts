import { describe, expect, test } from 'vitest'
import { initialPeople, reducePeople, type PeopleAction, type PeopleEffect, type PeopleModel } from '../src/people/machine.js'
import { decodePeople } from '../src/people/protocol.js'

const now = 1_000
const fox = { id: 'f1', name: 'Calm Fox' }

/** Runs actions from the beginning; gives the model and the effects of the last one. */
function after(...actions: PeopleAction[]): { model: PeopleModel; effects: readonly PeopleEffect[] } {
  let step: { model: PeopleModel; effects: readonly PeopleEffect[] } = { model: initialPeople, effects: [] }
  for (const a of actions) step = reducePeople(step.model, a, now)
  return step
}

const sent = (effects: readonly PeopleEffect[]) => effects.flatMap((e) => (e.type === 'send' ? [e.message] : []))
const online: PeopleAction = { type: 'online', user: 'me' }
const offline: PeopleAction = { type: 'offline', closed: false }
const friends: PeopleAction = { type: 'loaded', told: 0, lists: { friends: [{ ...fox, guest: false, presence: 'offline', since: 1 }] } }
const says = (message: Extract<PeopleAction, { type: 'message' }>['message']): PeopleAction => ({ type: 'message', message })
const rung = says({ type: 'ring', ring: 'r1', from: fox, expires: now + 40_000 })
const own = says({ type: 'ring', re: 'people:ring', ring: 'r1', to: fox, expires: now + 40_000 })
const greets = (state: Extract<Parameters<typeof says>[0], { type: 'welcome' }>['state'], id = 'me'): PeopleAction => says({ type: 'welcome', user: { id }, state })
const ends = (reason: 'busy' | 'timeout' | 'declined' | 'cancelled' | 'answered_elsewhere' | 'offline') => says({ type: 'ring.end', ring: 'r1', reason })

describe('ringing', () => {
  test('a friend is rung, the ring gets its name, and the match is wanted', () => {
    const { model, effects } = after(online, { type: 'ring', friend: fox })
    expect(sent(effects)).toEqual([{ type: 'ring', id: 'people:ring', user: 'f1' }])
    expect(effects).toContainEqual({ type: 'expect', on: true })
    expect(model.view.ring).toEqual({ way: 'out', friend: fox, answered: false })
    expect(reducePeople(model, own, now).model.view.ring).toMatchObject({ id: 'r1', way: 'out', friend: fox })
  })

  test('one ring at a time, and none without a connection, which is told', () => {
    expect(after({ type: 'ring', friend: fox }).model.view).toMatchObject({ error: { code: 'offline' } })
    expect(after({ type: 'ring', friend: fox }).model.view.ring).toBeUndefined()
    expect(sent(after(online, { type: 'ring', friend: fox }, { type: 'ring', friend: { id: 'f2', name: 'B' } }).effects)).toEqual([])
  })

  test('it is taken back by its name', () => {
    const { model, effects } = after(online, { type: 'ring', friend: fox }, own, { type: 'cancel' })
    expect(sent(effects)).toEqual([{ type: 'ring.cancel', id: 'people:cancel:r1', ring: 'r1' }])
    expect(effects).toContainEqual({ type: 'expect', on: false })
    expect(model.view.ring).toBeUndefined()
  })

  test('who is rung answers once, and declines', () => {
    const { model, effects } = after(online, rung, { type: 'accept' })
    expect(sent(effects)).toEqual([{ type: 'ring.accept', id: 'people:accept:r1', ring: 'r1' }])
    expect(effects).toContainEqual({ type: 'expect', on: true })
    expect(sent(reducePeople(model, { type: 'accept' }, now).effects)).toEqual([])
    expect(sent(after(online, rung, { type: 'decline' }).effects)).toEqual([{ type: 'ring.decline', id: 'people:decline:r1', ring: 'r1' }])
  })

  test.each(['busy', 'timeout', 'declined', 'offline'] as const)('%s ends the own ring, and says so', (reason) => {
    const { model, effects } = after(online, { type: 'ring', friend: fox }, own, ends(reason))
    expect(model.view).toMatchObject({ ring: undefined, rung: { way: 'out', friend: fox, reason } })
    expect(effects).toContainEqual({ type: 'expect', on: false })
  })

  test.each(['timeout', 'cancelled'] as const)('%s of a ring that came in is a missed call', (reason) => {
    const { model } = after(online, rung, ends(reason))
    expect(model.view).toMatchObject({ ring: undefined, missed: [{ ...fox, at: now }], news: { kind: 'missed', name: 'Calm Fox' } })
  })

  test('one that was answered elsewhere is not', () => {
    expect(after(online, rung, ends('answered_elsewhere')).model.view).toMatchObject({ ring: undefined, news: undefined, rung: { reason: 'answered_elsewhere' } })
  })

  test('the end of another ring ends nothing', () => {
    expect(after(online, rung, says({ type: 'ring.end', ring: 'r0', reason: 'timeout' })).model.view.ring?.id).toBe('r1')
  })

  test('the call that was rung for ends the ring; one with a stranger meanwhile does not', () => {
    const peer = { id: 'p', name: 'P', friend: false }
    const stranger: PeopleAction = { type: 'call', call: { id: 'c1', peer, rung: false } }
    expect(after(online, { type: 'ring', friend: fox }, own, stranger).model.view.ring?.id).toBe('r1')
    expect(after(online, { type: 'ring', friend: fox }, own, { type: 'call', call: { id: 'c1', peer: { ...peer, friend: true }, rung: true } }).model.view).toMatchObject({ ring: undefined, tie: { friend: true } })
  })

  test('after a reconnect the server says what rings, and what no longer does', () => {
    const again = after(online, greets({ ring: { ring: 'r1', from: fox, expires: now + 9 } }))
    expect(again.model.view.ring).toMatchObject({ id: 'r1', way: 'in' })
    expect(after(online, rung, greets({})).model.view).toMatchObject({ ring: undefined, news: { kind: 'missed' } })
  })

  test('a ring of which nothing is heard any more ends by itself', () => {
    expect(after(online, rung, { type: 'timer' }).model.view).toMatchObject({ ring: undefined, rung: { reason: 'timeout' } })
    expect(after(online, rung, { type: 'accept' }, { type: 'timer' }).model.view).toMatchObject({ ring: undefined, rung: { reason: 'failed' } })
  })

  test('a ring that is refused says why; of who is no friend any more the list is old', () => {
    const no = (code: string): PeopleAction => says({ type: 'error', re: 'people:ring', code, message: 'no', retry: 'never' })
    expect(after(online, { type: 'ring', friend: fox }, no('rate_limited')).model.view).toMatchObject({ ring: undefined, rung: undefined, error: { code: 'rate_limited' } })
    const { model, effects } = after(online, { type: 'ring', friend: fox }, no('not_found'))
    expect(model.view).toMatchObject({ ring: undefined, rung: { reason: 'failed' }, error: undefined })
    expect(effects).toContainEqual({ type: 'load', lists: ['friends'] })
  })

  test('a clock that is wrong ends no ring before its time', () => {
    for (const expires of [now - 3_600_000, now + 3_600_000]) expect(after(online, says({ type: 'ring', ring: 'r1', from: fox, expires })).effects).toContainEqual({ type: 'timer', ms: 45_000 })
  })

  test('what was given up before it had a name is taken back by its name', () => {
    const early = after(online, { type: 'ring', friend: fox }, { type: 'cancel' })
    expect([sent(early.effects), early.model.view.ring]).toEqual([[], undefined])
    const named = reducePeople(early.model, own, now)
    expect(named.model.view.ring).toBeUndefined()
    expect(sent(named.effects)).toEqual([{ type: 'ring.cancel', id: 'people:cancel:r1', ring: 'r1' }])
    expect(named.effects).not.toContainEqual({ type: 'expect', on: true })
  })

  test('who is rung instead is rung after that, and the end of the first ring is not theirs', () => {
    const other = { id: 'f2', name: 'B' }
    const early = after(online, { type: 'ring', friend: fox }, { type: 'cancel' }, { type: 'ring', friend: other })
    expect(sent(early.effects)).toEqual([])
    const named = reducePeople(early.model, own, now)
    expect(sent(named.effects)).toEqual([
      { type: 'ring.cancel', id: 'people:cancel:r1', ring: 'r1' },
      { type: 'ring', id: 'people:ring', user: 'f2' },
    ])
    expect(reducePeople(named.model, ends('cancelled'), now).model.view.ring).toMatchObject({ friend: other })
  })

  test('who rings in the same moment as the person is heard, and the refusal of the own ring is no news', () => {
    const no = says({ type: 'error', re: 'people:ring', code: 'already_ringing', message: 'no', retry: 'never' })
    const { model } = after(online, { type: 'ring', friend: { id: 'f2', name: 'B' } }, rung, no)
    expect(model.view).toMatchObject({ ring: { id: 'r1', way: 'in' }, rung: undefined, error: undefined })
  })

  test('two who ring each other are connected, and need not answer', () => {
    expect(after(online, { type: 'ring', friend: fox }, says({ type: 'ok', re: 'people:ring' })).model.view.ring).toMatchObject({ answered: true })
  })

  test('whoever carries on elsewhere is rung there', () => {
    const { model, effects } = after(online, rung, { type: 'offline', closed: true })
    expect(model.view).toEqual({ asked: [], ring: undefined, rung: undefined, news: undefined })
    expect(effects).toContainEqual({ type: 'timer', ms: undefined })
  })
})

describe('while the connection was away', () => {
  const at = (ring: object): Parameters<typeof greets>[0] => ({ ring: { ring: 'r1', expires: now, ...ring } })

  test('what was answered, declined and taken back is said with the next connection, while it still rings', () => {
    const table = [
      [rung, { type: 'accept' }, { from: fox }, { type: 'ring.accept', id: 'people:accept:r1', ring: 'r1' }],
      [rung, { type: 'decline' }, { from: fox }, { type: 'ring.decline', id: 'people:decline:r1', ring: 'r1' }],
      [own, { type: 'cancel' }, { to: fox }, { type: 'ring.cancel', id: 'people:cancel:r1', ring: 'r1' }],
    ] as const
    for (const [before, action, who, message] of table)
      for (const actions of [[offline, action], [action, offline]]) {
        const back = after(online, before, ...actions, greets(at(who)))
        expect(back.model.view.ring?.answered).toBe(action.type === 'accept' ? true : undefined)
        expect(sent(reducePeople(back.model, online, now).effects)).toEqual([message])
        expect(sent(after(online, before, ...actions, greets({}), online).effects)).toEqual([])
      }
  })

  test('what the server has answered is not said again', () => {
    for (const answer of [says({ type: 'ok', re: 'people:accept:r1' }), says({ type: 'error', re: 'people:accept:r1', code: 'not_ringing', message: '', retry: 'never' })])
      expect(sent(after(online, rung, { type: 'accept' }, answer, offline, greets(at({ from: fox })), online).effects)).toEqual([])
    expect(sent(after(online, rung, { type: 'decline' }, says({ type: 'ring.end', re: 'people:decline:r1', ring: 'r1', reason: 'declined' }), offline, greets(at({ from: fox })), online).effects)).toEqual([])
  })

  test('a ring that the server has not heard of is rung again, unless it was given up', () => {
    const dial: PeopleAction = { type: 'ring', friend: fox }
    const back = after(online, dial, offline, greets({}), online)
    expect(sent(back.effects)).toEqual([{ type: 'ring', id: 'people:ring', user: 'f1' }])
    expect(back.model.view.ring).toMatchObject({ way: 'out', friend: fox })
    expect(sent(after(online, dial, offline, greets(at({ to: fox })), online).effects)).toEqual([])
    expect(sent(after(online, dial, offline, { type: 'cancel' }, greets({}), online).effects)).toEqual([])
    expect(sent(after(online, dial, offline, { type: 'cancel' }, greets(at({ to: fox })), online).effects)).toEqual([{ type: 'ring.cancel', id: 'people:cancel:r1', ring: 'r1' }])
  })

  test('an answered ring is about to be a call, or is one', () => {
    for (const state of [{ phase: 'ringing' }, { phase: 'call', call: { call: 'c9', peer: { friend: true } } }])
      for (const before of [[{ type: 'ring', friend: fox }, own], [rung, { type: 'accept' }, says({ type: 'ok', re: 'people:accept:r1' })]] satisfies PeopleAction[][]) {
        const { model, effects } = after(online, ...before, offline, greets(state))
        expect(model.view).toMatchObject({ ring: { answered: true }, rung: undefined })
        expect(model.view.missed).toBeUndefined()
        expect(effects).toContainEqual({ type: 'expect', on: true })
        expect(effects).not.toContainEqual({ type: 'expect', on: false })
      }
  })

  test('a call with another friend that has gone on meanwhile is not the one that was rung for', () => {
    const call: PeopleAction = { type: 'call', call: { id: 'c9', peer: { id: 'p', name: 'P', friend: true }, rung: true } }
    const { model } = after(online, call, { type: 'ring', friend: fox }, own, offline, greets({ phase: 'call', call: { call: 'c9', peer: { friend: true } } }))
    expect(model.view).toMatchObject({ ring: undefined, rung: { reason: 'failed' } })
  })

  test('a ring in the first welcome, and in that of somebody else, is heard', () => {
    expect(after(greets(at({ from: fox })), online).model.view.ring).toMatchObject({ id: 'r1', way: 'in' })
    const other = after(online, friends, offline, greets(at({ from: fox }), 'other'), { type: 'online', user: 'other' })
    expect(other.model.view).toMatchObject({ ring: { id: 'r1' } })
    expect(other.model.view.friends).toBeUndefined()
  })

  test('a block and a wish to be friends are said again until the server has them', () => {
    const call: PeopleAction = { type: 'call', call: { id: 'c1', peer: { id: 'p', name: 'P', friend: false }, rung: false } }
    const wishes = [
      [{ type: 'block' }, { type: 'block', id: 'people:block:c1', call: 'c1' }],
      [{ type: 'ask' }, { type: 'friend.request', id: 'people:ask:c1', call: 'c1' }],
    ] as const
    for (const [action, message] of wishes) {
      for (const actions of [[offline, action], [action, offline]]) {
        const back = after(online, call, ...actions, { type: 'call', call: undefined }, greets({}), online)
        expect(sent(back.effects)).toEqual([message])
        const kept = reducePeople(back.model, says({ type: 'ok', re: message.id }), now).model
        expect(sent([offline, greets({}), online].reduce((s, a) => reducePeople(s.model, a, now), { model: kept, effects: [] as readonly PeopleEffect[] }).effects)).toEqual([])
      }
    }
  })
})

describe('friends', () => {
  test('presence changes the one; of one who is not known the list is fetched', () => {
    const here = says({ type: 'friend.presence', user: { id: 'f1' }, presence: 'online' })
    expect(after(online, friends, here).model.view.friends).toMatchObject([{ id: 'f1', name: 'Calm Fox', presence: 'online' }])
    expect(after(online, friends, says({ type: 'friend.presence', user: { id: 'f2' }, presence: 'online' })).effects).toEqual([{ type: 'load', lists: ['friends'] }])
  })

  test('asking in a call, being asked, and friendship', () => {
    const call: PeopleAction = { type: 'call', call: { id: 'c1', peer: { id: 'p', name: 'Calm Fox', friend: false }, rung: false } }
    const asked = after(online, call, { type: 'ask' })
    expect(sent(asked.effects)).toEqual([{ type: 'friend.request', id: 'people:ask:c1', call: 'c1' }])
    expect(sent(reducePeople(asked.model, { type: 'ask' }, now).effects)).toEqual([])
    const wants = says({ type: 'friend.request', user: fox, call: 'c1' })
    expect(after(online, call, wants).model.view).toMatchObject({ tie: { wanted: true }, requests: [fox], news: { kind: 'request' } })
    const added = after(online, call, wants, { type: 'ask' }, says({ type: 'friend.added', user: fox, call: 'c1', presence: 'in_call' }))
    expect(added.model.view).toMatchObject({ tie: { friend: true }, friends: [{ id: 'f1', presence: 'in_call' }], requests: [] })
    const no = says({ type: 'error', re: 'people:ask:c1', code: 'rate_limited', message: 'slow', retry: 'later' })
    expect(after(online, call, { type: 'ask' }, no).model.view).toMatchObject({ tie: { asked: false }, error: { code: 'rate_limited' } })
  })

  test('the answer to an earlier call changes nothing of the running one', () => {
    const calls = ['c1', 'c2'].map((id): PeopleAction => ({ type: 'call', call: { id, peer: { id: 'p', name: 'P', friend: false }, rung: false } }))
    const next = after(online, calls[0]!, { type: 'ask' }, calls[1]!)
    expect(reducePeople(next.model, says({ type: 'ok', re: 'people:ask:c1' }), now).model.view).toMatchObject({ tie: { call: 'c2', asked: false }, asked: ['c1'] })
    const both = reducePeople(next.model, { type: 'ask' }, now).model
    const no = says({ type: 'error', re: 'people:ask:c1', code: 'rate_limited', message: 'slow', retry: 'later' })
    expect(reducePeople(both, no, now).model.view.tie).toMatchObject({ call: 'c2', asked: true })
  })

  test('what the server told while a list was under way comes on top of it', () => {
    const old: PeopleAction = { type: 'loaded', told: 0, lists: { friends: [{ ...fox, guest: false, presence: 'offline', since: 1 }, { id: 'f3', name: 'Gone', guest: false, presence: 'online', since: 1 }], requests: [] } }
    const news = [
      says({ type: 'friend.presence', user: { id: 'f1' }, presence: 'in_call' }),
      says({ type: 'friend.removed', user: { id: 'f3' } }),
      says({ type: 'friend.added', user: { id: 'f2', name: 'B' }, presence: 'online' }),
      says({ type: 'friend.request', user: { id: 'f4', name: 'D' } }),
    ]
    const { view } = after(online, ...news, old).model
    expect(view.friends).toMatchObject([{ id: 'f2' }, { id: 'f1', presence: 'in_call' }])
    expect(view.friends).toHaveLength(2)
    expect(view.requests).toMatchObject([{ id: 'f4' }])
    // One that was asked for afterwards knows better.
    expect(after(online, ...news, { ...old, told: 4 } as PeopleAction).model.view.friends).toMatchObject([{ presence: 'offline' }, { id: 'f3' }])
  })

  test('another person knows nothing of the last one', () => {
    expect(after(online, friends, rung, offline, greets({}, 'other'), { type: 'online', user: 'other' }).model.view).toEqual({ asked: [] })
    expect(after(online, friends, offline, { type: 'online', user: 'other' }).model.view).toEqual({ asked: [] })
    expect(after(online, friends, offline, greets({}), online).model.view.friends).toHaveLength(1)
  })

  test('the partner of the running call is blocked', () => {
    const call: PeopleAction = { type: 'call', call: { id: 'c1', peer: { id: 'p', name: 'P', friend: false }, rung: false } }
    expect(sent(after(online, call, { type: 'block' }).effects)).toEqual([{ type: 'block', id: 'people:block:c1', call: 'c1' }])
    expect(sent(after(online, { type: 'block' }).effects)).toEqual([])
  })
})

test.each(['', '{', '[]', '{"type":"ring"}', '{"type":"ring","ring":"r","expires":1,"from":{}}', '{"type":"friend.added","user":"x","presence":"online"}', '{"type":"match"}', '{"type":"welcome","state":{}}'])('%s is not understood', (text) => {
  expect(decodePeople(text)).toBeUndefined()
})
