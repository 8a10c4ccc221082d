import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ApiError, type Account } from '../src/account.js'
import { createClient, type Client } from '../src/client.js'
import { createPeople, type People } from '../src/people/people.js'
import { FakePlatform, match, welcome } from './fake.js'

// Friends and rings on a connection that comes and goes: the client and what follows it together.

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const fox = { id: 'f1', name: 'Calm Fox' }
const friendly = { ...match('c9', 'Calm Fox'), peer: { id: 'p', name: 'Calm Fox', friend: true } }

interface World {
  p: FakePlatform
  client: Client
  people: People
  asked: string[]
  /** What the server says, also what the client's own machine does not read. */
  hear: (m: object) => void
  /** The WebSocket is lost and comes back; what the server knows then. */
  back: (state: object) => Promise<void>
}

/** The lists that the server has; one that is missing cannot be had. */
async function world(lists: Record<string, () => Promise<object[]>> = {}, early = true): Promise<World> {
  const p = new FakePlatform()
  const client = createClient({ url: 'http://h', platform: p, name: 't', version: '1' })
  const asked: string[] = []
  const account = Object.fromEntries(
    ['friends', 'requests', 'missed', 'partners', 'blocks'].map((l) => [
      l,
      () => {
        asked.push(l)
        return (lists[l] ?? (async () => []))()
      },
    ]),
  ) as unknown as Account
  const make = (): People => createPeople({ client, account, now: () => Date.now(), setTimer: (ms, fn) => p.setTimer(ms, fn) })
  const hear = (m: object): void => p.socket.events.onMessage(JSON.stringify(m))
  void client.connect()
  p.socket.events.onOpen()
  const w = { p, client, asked, hear } as World
  if (early) w.people = make()
  hear(welcome(early ? {} : { state: { phase: 'idle', ring: { ring: 'r1', from: fox, expires: 9 } } as never }))
  if (!early) w.people = make()
  w.back = async (state) => {
    p.socket.events.onClose(1006)
    await vi.advanceTimersByTimeAsync(10)
    p.socket.events.onOpen()
    hear({ ...welcome({ resumed: true, media: 'keep' }), state })
  }
  return w
}

const coming = { phase: 'ringing' }
const there = { phase: 'call', call: { ...friendly, type: undefined } }

/** Somebody who has searched before, so that calls that are not wanted are left. */
function searched(w: World): void {
  w.client.join({ topics: 'any' })
  w.client.cancel()
}

test.each([
  ['is about to begin', coming],
  ['has begun', there],
])('the call of a ring that was answered while the caller was away %s, and is kept', async (_, state) => {
  const w = await world()
  searched(w)
  w.people.ring(fox)
  w.hear({ type: 'ring', re: 'people:ring', ring: 'r1', to: fox, expires: 9 })
  await w.back(state)
  if (state === coming) w.hear(friendly)
  expect(w.p.sockets.flatMap((s) => s.of('call.leave'))).toEqual([])
  expect(w.client.state.call).toMatchObject({ id: 'c9', rung: true })
  expect(w.people.state).toMatchObject({ ring: undefined, rung: undefined })
})

test.each([
  ['is about to begin', coming],
  ['has begun', there],
])('the call of who answered and then was away %s, and is no missed one', async (_, state) => {
  const w = await world()
  searched(w)
  w.hear({ type: 'ring', ring: 'r1', from: fox, expires: 9 })
  w.people.accept()
  await w.back(state)
  if (state === coming) w.hear(friendly)
  expect(w.p.sockets.flatMap((s) => s.of('call.leave'))).toEqual([])
  expect(w.client.state.call).toMatchObject({ id: 'c9', rung: true })
  expect(w.people.state.news).toBeUndefined()
})

test('an answer that was lost with the connection is given again', async () => {
  const w = await world()
  w.hear({ type: 'ring', ring: 'r1', from: fox, expires: 9 })
  w.people.accept()
  await w.back({ phase: 'ringing', ring: { ring: 'r1', from: fox, expires: 9 } })
  expect(w.p.socket.of('ring.accept')).toMatchObject([{ ring: 'r1' }])
  w.hear({ type: 'ok', re: 'people:accept:r1' })
  w.hear(friendly)
  expect(w.client.state.call).toMatchObject({ id: 'c9', rung: true })
})

test('a block that was lost with the connection is made with the next', async () => {
  const w = await world()
  w.client.join({ topics: 'any' })
  w.hear(match('c1'))
  w.p.socket.events.onClose(1006)
  w.people.blockPartner()
  w.client.next()
  await vi.advanceTimersByTimeAsync(10)
  w.p.socket.events.onOpen()
  w.hear(welcome())
  expect(w.p.socket.of('block')).toMatchObject([{ call: 'c1' }])
})

test('a ring that came before anybody listened is heard', async () => {
  const { people } = await world({}, false)
  expect(people.state.ring).toMatchObject({ id: 'r1', way: 'in', friend: fox })
})

test('whoever is taken over by another tab no longer hears the ring', async () => {
  const w = await world()
  w.hear({ type: 'ring', ring: 'r1', from: fox, expires: 9 })
  w.p.socket.events.onClose(4409)
  expect(w.client.state.closedBy).toBe('replaced')
  expect(w.people.state.ring).toBeUndefined()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(w.people.state.news).toBeUndefined()
})

test('a list that cannot be had hides no other, and is asked for again without a word at first', async () => {
  let down = true
  const offline = new ApiError(0, 'offline', 'gone', 'same')
  const w = await world({ friends: async () => { if (down) throw offline; return [{ ...fox, guest: false, presence: 'online', since: 1 }] }, missed: async () => [{ ...fox, at: 1 }] })
  await vi.advanceTimersByTimeAsync(0)
  expect(w.people.state.missed).toMatchObject([fox])
  expect([w.people.state.friends, w.people.state.error]).toEqual([undefined, undefined])
  await vi.advanceTimersByTimeAsync(20_000)
  expect(w.people.state.error).toMatchObject({ code: 'offline' })
  down = false
  await vi.advanceTimersByTimeAsync(30_000)
  expect(w.people.state.friends).toMatchObject([fox])
  const times = w.asked.length
  await vi.advanceTimersByTimeAsync(120_000)
  expect(w.asked).toHaveLength(times)
})

test('it is asked for again as late as the server says, and not by who has become somebody else or has closed', async () => {
  const w = await world({ friends: async () => { throw new ApiError(429, 'rate_limited', 'slow', 'later', 5_000) } })
  const times = () => w.asked.filter((l) => l === 'friends').length
  await vi.advanceTimersByTimeAsync(4_900)
  expect(times()).toBe(1)
  await vi.advanceTimersByTimeAsync(200)
  expect(times()).toBe(2)
  w.people.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(times()).toBe(2)
})

test('of two answers to the same question the later question counts', async () => {
  const answers: ((friends: object[]) => void)[] = []
  const w = await world({ friends: () => new Promise((resolve) => answers.push(resolve)) })
  const again = w.people.load('friends')
  answers[1]?.([{ ...fox, guest: false, presence: 'online', since: 1 }])
  await again
  answers[0]?.([])
  await vi.advanceTimersByTimeAsync(0)
  expect(w.people.state.friends).toHaveLength(1)
})
