import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createAccount } from '../src/account.js'
import { createClient } from '../src/client.js'
import { initialModel, reduce } from '../src/machine.js'
import { initialPeople, reducePeople } from '../src/people/machine.js'
import { createPeople } from '../src/people/people.js'
import { decodePeople } from '../src/people/protocol.js'
import { decode } from '../src/protocol.js'
import { FakePlatform, FakeTrack, match, welcome } from './fake.js'

// The examples that the server's own tests write and read.
const folder = new URL('../../../signaling/testdata/protocol/', import.meta.url)
const files = readdirSync(folder)
const named = (from: 'server' | 'client'): string[] => files.filter((f) => f.endsWith(`.${from}.json`)).map((f) => f.slice(0, -`.${from}.json`.length))
const read = (type: string, from: 'server' | 'client'): string => readFileSync(new URL(`${type}.${from}.json`, folder), 'utf8')

const clock = { now: 1_000, random: 0 }
const fresh = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 0 } })

test('there are examples', () => {
  expect(named('server').length).toBeGreaterThan(10)
  expect(named('client').length).toBeGreaterThan(10)
})

/** What is about people is read apart. */
const aboutPeople = (type: string): boolean => /^(friend|ring)/.test(type)

test.each(named('server').filter((t) => !aboutPeople(t)))('%s of the server is understood, in any phase', (type) => {
  const message = decode(read(type, 'server'))
  expect(message?.type).toBe(type)
  if (!message) return
  const hello = reduce(reduce(fresh, { type: 'connect' }, clock).model, { type: 'opened' }, clock).model
  const online = reduce(hello, { type: 'message', message: welcome() }, clock).model
  const queued = reduce(online, { type: 'join', search: { topics: 'any' } }, clock).model
  const inCall = reduce(queued, { type: 'message', message: match('c1') }, clock).model
  for (const m of [fresh, hello, online, queued, inCall]) expect(() => reduce(m, { type: 'message', message }, clock)).not.toThrow()
})

test.each(named('server').filter(aboutPeople))('%s of the server is understood, whatever rings', (type) => {
  const message = decodePeople(read(type, 'server'))
  expect(message?.type).toBe(type)
  expect(decode(read(type, 'server'))).toBeUndefined()
  if (!message) return
  const online = reducePeople(initialPeople, { type: 'online', user: 'u1' }, 1).model
  const ringing = reducePeople(online, { type: 'ring', friend: { id: 'f', name: 'F' } }, 1).model
  for (const m of [initialPeople, online, ringing]) expect(() => reducePeople(m, { type: 'message', message }, 1)).not.toThrow()
})

test('the ring example rings', () => {
  const message = decodePeople(read('ring', 'server'))
  if (message?.type !== 'ring') throw new Error('no ring')
  const { view } = reducePeople(initialPeople, { type: 'message', message }, 1).model
  expect(view.ring).toMatchObject({ id: message.ring, expires: message.expires, friend: message.from ?? message.to, answered: false })
})

test('the welcome example restores the call, its chat and the partner', () => {
  const message = decode(read('welcome', 'server'))
  if (message?.type !== 'welcome') throw new Error('no welcome')
  const { view } = reduce(reduce(fresh, { type: 'connect' }, clock).model, { type: 'message', message }, clock).model
  expect(view).toMatchObject({
    link: 'online',
    phase: 'call',
    user: { name: 'Sunny Otter', guest: true },
    freeTopics: true,
    call: { id: message.state.call?.call, peer: { name: 'Calm Heron' }, topics: ['gaming'], peerAudio: true, peerVideo: true, peerConnection: 'ok' },
    chat: [{ from: 'me', id: 'c-16', text: 'Hi', state: 'sent' }],
  })
})

test('the queue.state example is shown whole', () => {
  const message = decode(read('queue.state', 'server'))
  if (message?.type !== 'queue.state') throw new Error('no queue.state')
  const online = reduce(reduce(fresh, { type: 'connect' }, clock).model, { type: 'message', message: welcome() }, clock).model
  const queued = reduce(online, { type: 'join', search: { topics: 'any' } }, clock).model
  const { queue } = reduce(queued, { type: 'message', message }, clock).model.view
  expect(queue).toEqual({ topics: ['gaming', 'music'], langs: ['de', 'en'], strict: true, since: message.since, waiting: 3, etaMs: 8_000, widened: ['topics', 'langs'] })
})

test('every message that this client sends has the fields of its example', async () => {
  const p = new FakePlatform()
  const c = createClient({ url: 'http://h', platform: p, name: 'n', version: '1', lang: 'en', freshGuest: true })
  void c.connect()
  p.socket.events.onOpen()
  p.socket.say(welcome())
  c.watchTopics(true)
  c.join({ topics: ['news'], langs: ['en'], strict: true, widenAfterMs: 15_000 })
  c.widen('topics', 'langs')
  c.cancel()
  c.join({ topics: ['news'] })
  p.socket.say(match('c1'))
  await c.setMedia({ audio: new FakeTrack('audio', 'a') })
  c.setTyping(true)
  c.sendChat('hello')
  c.next()
  p.socket.say(match('c2'))
  c.leave()
  p.socket.say({ type: 'call.end', call: 'c2', reason: 'left', requeued: false, undo_ms: 10_000 })
  c.undo()
  const account = createAccount({ url: 'http://h', native: true, token: () => undefined, signedIn: () => undefined, fetch: () => Promise.reject(new Error('none')) })
  const people = createPeople({ client: c, account, now: () => 1, setTimer: () => () => undefined })
  const hear = (m: object): void => p.socket.events.onMessage(JSON.stringify(m))
  people.ring({ id: 'f1', name: 'F' })
  hear({ type: 'ring', re: 'people:ring', ring: 'r1', to: { id: 'f1', name: 'F' }, expires: 9 })
  people.cancel()
  hear({ type: 'ring', ring: 'r2', from: { id: 'f1', name: 'F' }, expires: 9 })
  people.decline()
  hear({ type: 'ring', ring: 'r3', from: { id: 'f1', name: 'F' }, expires: 9 })
  people.accept()
  c.join({ topics: ['news'] })
  p.socket.say(match('c9'))
  people.askPartner()
  people.blockPartner()
  people.close()
  p.network(true)
  p.socket.say({ type: 'ping', t: 1 })
  await new Promise((resolve) => setTimeout(resolve, 0))
  p.socket.say({ ...match('c3'), pair: 'sealed' })
  p.socket.events.onClose(1006)
  await new Promise((resolve) => setTimeout(resolve, 10))
  p.socket.events.onOpen()
  expect(p.socket.of('hello')).toMatchObject([{ resume: 'r1', pair: 'sealed' }])
  const seen = new Set<string>()
  for (const m of p.sockets.flatMap((s) => s.sent)) {
    seen.add(m.type)
    const example = JSON.parse(read(m.type, 'client')) as Record<string, unknown>
    for (const [key, value] of Object.entries(m)) {
      // Somebody is named by either.
      if (m.type === 'block' && key === 'call') continue
      expect(example, `${m.type}.${key}`).toHaveProperty(key)
      if (key !== 'topics') expect(typeof value, `${m.type}.${key}`).toBe(typeof example[key])
    }
  }
  expect([...seen].sort()).toEqual(named('client').sort())
  c.close()
})
