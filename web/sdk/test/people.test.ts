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
const friends: PeopleAction = { type: 'loaded', lists: { friends: [{ ...fox, guest: false, presence: 'offline', since: 1 }] } }
const says = (message: Extract<PeopleAction, { type: 'message' }>['message']): PeopleAction => ({ type: 'message', message })
const rung = says({ type: 'ring', ring: 'r1', from: fox, expires: now + 40_000 })
const own = says({ type: 'ring', re: 'people:ring', ring: 'r1', to: fox, expires: now + 40_000 })
const ends = (reason: 'busy' | 'timeout' | 'declined' | 'cancelled' | 'answered_elsewhere' | 'offline') => says({ type: 'ring.end', ring: 'r1', reason })

describe('ringing', () => {
  test('a friend is rung, the ring gets its name, and the match is wanted', () => {
    const { model, effects } = after(online, { type: 'ring', friend: fox })
    expect(sent(effects)).toEqual([{ type: 'ring', id: 'people:ring', user: 'f1' }])
    expect(effects).toContainEqual({ type: 'expect', on: true })
    expect(model.view.ring).toEqual({ way: 'out', friend: fox, answered: false })
    expect(reducePeople(model, own, now).model.view.ring).toMatchObject({ id: 'r1', way: 'out', friend: fox })
  })

  test('one ring at a time, and none without a connection', () => {
    expect(after({ type: 'ring', friend: fox }).model.view.ring).toBeUndefined()
    expect(sent(after(online, { type: 'ring', friend: fox }, { type: 'ring', friend: { id: 'f2', name: 'B' } }).effects)).toEqual([])
  })

  test('it is taken back by its name', () => {
    const { model, effects } = after(online, { type: 'ring', friend: fox }, own, { type: 'cancel' })
    expect(sent(effects)).toEqual([{ type: 'ring.cancel', id: 'people:cancel', ring: 'r1' }])
    expect(effects).toContainEqual({ type: 'expect', on: false })
    expect(model.view.ring).toBeUndefined()
  })

  test('who is rung answers once, and declines', () => {
    const { model, effects } = after(online, rung, { type: 'accept' })
    expect(sent(effects)).toEqual([{ type: 'ring.accept', id: 'people:accept', ring: 'r1' }])
    expect(effects).toContainEqual({ type: 'expect', on: true })
    expect(sent(reducePeople(model, { type: 'accept' }, now).effects)).toEqual([])
    expect(sent(after(online, rung, { type: 'decline' }).effects)).toEqual([{ type: 'ring.decline', id: 'people:decline', ring: 'r1' }])
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
    const again = after(online, says({ type: 'welcome', state: { ring: { ring: 'r1', from: fox, expires: now + 9 } } }))
    expect(again.model.view.ring).toMatchObject({ id: 'r1', way: 'in' })
    expect(after(online, rung, says({ type: 'welcome', state: {} })).model.view).toMatchObject({ ring: undefined, news: { kind: 'missed' } })
  })

  test('a ring of which nothing is heard any more ends by itself', () => {
    expect(after(online, rung, { type: 'timer' }).model.view).toMatchObject({ ring: undefined, rung: { reason: 'timeout' } })
    expect(after(online, rung, { type: 'accept' }, { type: 'timer' }).model.view).toMatchObject({ ring: undefined, rung: { reason: 'failed' } })
  })

  test('a ring that is refused says why', () => {
    const no = says({ type: 'error', re: 'people:ring', code: 'not_found', message: 'no such friend', retry: 'never' })
    expect(after(online, { type: 'ring', friend: fox }, no).model.view).toMatchObject({ ring: undefined, error: { code: 'not_found' } })
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
    expect(sent(asked.effects)).toEqual([{ type: 'friend.request', id: 'people:ask', call: 'c1' }])
    expect(sent(reducePeople(asked.model, { type: 'ask' }, now).effects)).toEqual([])
    const wants = says({ type: 'friend.request', user: fox, call: 'c1' })
    expect(after(online, call, wants).model.view).toMatchObject({ tie: { wanted: true }, requests: [fox], news: { kind: 'request' } })
    const added = after(online, call, wants, { type: 'ask' }, says({ type: 'friend.added', user: fox, call: 'c1', presence: 'in_call' }))
    expect(added.model.view).toMatchObject({ tie: { friend: true }, friends: [{ id: 'f1', presence: 'in_call' }], requests: [] })
    const no = says({ type: 'error', re: 'people:ask', code: 'rate_limited', message: 'slow', retry: 'later' })
    expect(after(online, call, { type: 'ask' }, no).model.view).toMatchObject({ tie: { asked: false }, error: { code: 'rate_limited' } })
  })

  test('another person knows nothing of the last one', () => {
    expect(after(online, friends, rung, { type: 'offline' }, { type: 'online', user: 'other' }).model.view).toEqual({ asked: [] })
    expect(after(online, friends, { type: 'offline' }, online).model.view.friends).toHaveLength(1)
  })

  test('the partner of the running call is blocked', () => {
    const call: PeopleAction = { type: 'call', call: { id: 'c1', peer: { id: 'p', name: 'P', friend: false }, rung: false } }
    expect(sent(after(online, call, { type: 'block' }).effects)).toEqual([{ type: 'block', id: 'people:block', call: 'c1' }])
    expect(sent(after(online, { type: 'block' }).effects)).toEqual([])
  })
})

test.each(['', '{', '[]', '{"type":"ring"}', '{"type":"ring","ring":"r","expires":1,"from":{}}', '{"type":"friend.added","user":"x","presence":"online"}', '{"type":"match"}'])('%s is not understood', (text) => {
  expect(decodePeople(text)).toBeUndefined()
})
