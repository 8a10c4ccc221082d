import { afterAll, beforeAll, expect, test } from 'vitest'
import { Person, waitFor } from './person.js'
import { startServer, type Server } from './server.js'

// The whole way through: this client on real libwebrtc against the real server.

let server: Server
const people: Person[] = []

beforeAll(async () => {
  server = await startServer()
})

afterAll(async () => {
  for (const p of people) p.close()
  await server.stop()
})

async function arrive(name: string, grey: number, hz: number): Promise<Person> {
  const p = new Person(server.url, name, grey, hz)
  people.push(p)
  await p.start()
  return p
}

test('strangers meet, talk, go on to the next and leave', async () => {
  const [a, b, c] = await Promise.all([arrive('a', 60, 500), arrive('b', 130, 900), arrive('c', 200, 1_400)])
  expect(a.client.state.topics.length).toBeGreaterThan(1)
  const [one, other] = a.client.state.topics.map((t) => t.id)
  if (one === undefined || other === undefined) throw new Error('two topics are needed')

  // Different topics are not paired.
  a.client.join({ topics: [one] })
  c.client.join({ topics: [other] })
  await a.until((s) => s.queue !== undefined && s.queue.waiting > 0, 'a waits')
  await c.until((s) => s.queue !== undefined && s.queue.waiting > 0, 'c waits')
  expect([a.client.state.phase, c.client.state.phase]).toEqual(['queued', 'queued'])

  // One topic: each sees and hears the other.
  b.client.join({ topics: [one] })
  await Promise.all([a.until((s) => s.phase === 'call', 'a in call'), b.until((s) => s.phase === 'call', 'b in call')])
  await Promise.all([a.meets(b), b.meets(a)])
  expect(a.client.state.call?.topics).toEqual([one])
  expect(a.client.state.call?.peer.name).toBe(b.client.state.user?.name)
  expect(c.client.state.phase).toBe('queued')

  // Chat both ways, typing, mute.
  b.client.setTyping(true)
  await a.until((s) => s.peerTyping, 'a sees b type')
  b.client.sendChat('hello a')
  a.client.sendChat('hello b')
  await a.until((s) => s.chat.length === 2 && s.chat.every((l) => l.state === 'sent') && !s.peerTyping, 'chat at a')
  await b.until((s) => s.chat.length === 2 && s.chat.every((l) => l.state === 'sent'), 'chat at b')
  expect(a.client.state.chat.map((l) => [l.from, l.text]).sort()).toEqual([
    ['me', 'hello b'],
    ['peer', 'hello a'],
  ])
  b.client.setEnabled({ audio: false })
  await a.until((s) => s.call?.peerAudio === false && s.call.peerVideo, 'a sees b muted')
  b.client.setEnabled({ audio: true })
  expect((await a.client.stats()).path).toBe('udp')

  // Next: somebody else, on the same media connection.
  const before = { a: await a.identity(), b: await b.identity() }
  c.client.cancel()
  await c.until((s) => s.phase === 'idle', 'c stops waiting')
  c.client.join({ topics: [one] })
  await c.until((s) => s.queue !== undefined && s.queue.waiting > 0, 'c waits on the topic')
  a.client.next()
  await Promise.all([a.until((s) => s.phase === 'call', 'a in the next call'), c.until((s) => s.phase === 'call', 'c in call')])
  await Promise.all([a.meets(c), c.meets(a)])
  await b.until((s) => s.phase === 'left' && s.left?.reason === 'next', 'b is left')
  expect(a.client.state.chat).toEqual([])
  expect(await a.identity()).toEqual(before.a)
  expect(before.a.ssrcs).toHaveLength(2)

  // Leaving ends the call at once for the other one, who finds the first again.
  c.client.leave()
  await a.until((s) => s.phase === 'left' && s.left?.reason === 'left', 'a is left')
  b.client.requeue()
  await b.until((s) => s.queue !== undefined && s.queue.waiting > 0, 'b waits again')
  c.client.join({ topics: [one] })
  await Promise.all([b.meets(c), c.meets(b)])
  expect(await b.identity()).toEqual(before.b)

  // A client that says goodbye ends the call.
  const at = Date.now()
  c.client.close()
  await b.until((s) => s.phase === 'left', 'b hears that c is gone')
  expect(Date.now() - at).toBeLessThan(1_000)
  expect(people.map((p) => p.offers)).toEqual([1, 1, 1])
})

test('who does not fit is found by widening; who has gone can be asked back', async () => {
  const [a, b] = await Promise.all([arrive('a3', 80, 700), arrive('b3', 190, 1_200)])
  a.client.join({ topics: ['Board  Games '], langs: ['de-AT'] })
  b.client.join({ topics: ['chess'], langs: ['en', 'de'] })
  // The server has the languages in its own form, and in order.
  await Promise.all([a, b].map((p) => p.until((s) => s.queue?.langs[0] === 'de', 'waits')))
  expect(a.client.state.queue).toMatchObject({ topics: ['board games'], langs: ['de'], strict: false, widened: [] })
  expect([a.client.state.phase, b.client.state.phase]).toEqual(['queued', 'queued'])
  const since = a.client.state.queue?.since
  // Who takes nobody beyond his topic is not found by widening; that the server has an answer to this says that it has heard of the cancellation.
  b.client.cancel()
  b.client.join({ topics: ['chess'], langs: ['en', 'de'], strict: true })
  await b.until((s) => s.queue?.strict === true && s.queue.langs[0] === 'de', 'b insists')
  a.client.widen('topics')
  await a.until((s) => s.queue?.widened.includes('topics') === true, 'a takes any topic')
  expect(a.client.state.queue?.since).toBe(since)
  expect(b.client.state.phase).toBe('queued')
  b.client.cancel()
  b.client.join({ topics: ['chess'], langs: ['de', 'en'] })
  await Promise.all([a.meets(b), b.meets(a)])

  const before = { a: await a.identity(), call: a.client.state.call?.id }
  b.client.next()
  await Promise.all([a, b].map((p) => p.until((s) => s.undo !== undefined, 'can be asked back')))
  expect(a.client.state.undo?.name).toBe(b.client.state.user?.name)
  a.seen = undefined
  a.client.undo()
  await b.until((s) => s.undo?.wanted === true, 'b is asked')
  expect(b.client.state.phase).toBe('queued')
  b.client.undo()
  await Promise.all([a, b].map((p) => p.until((s) => s.phase === 'call', 'together again')))
  await Promise.all([a.meets(b), b.meets(a)])
  expect(a.client.state.call?.id).not.toBe(before.call)
  expect(a.client.state.undo).toBeUndefined()
  expect(await a.identity()).toEqual(before.a)
  // The next test has two of its own.
  a.client.leave()
  b.client.leave()
  await Promise.all([a, b].map((p) => p.until((s) => s.phase !== 'call', 'parted')))
  a.close()
  b.close()
})

test('an ICE restart keeps the call, the peer connection and what comes over it; a failure replaces it', async () => {
  const [a, b] = await Promise.all([arrive('a2', 70, 600), arrive('b2', 180, 1_100)])
  a.client.join({ topics: 'any' })
  b.client.join({ topics: 'any' })
  await Promise.all([a.meets(b), b.meets(a)])
  const before = await a.identity()
  const [pc, call, remote] = [a.client.pc, a.client.state.call?.id, a.client.remote]

  // The real state, which is "connected", may be reported in between and end the client's patience with the pretended one.
  const pretend = (): boolean => {
    if (a.offers === 1 && a.client.state.rtc === 'connected') a.report('disconnected')
    return a.offers === 2
  }
  await waitFor(pretend, () => 'the offer of the restart')
  await a.until((s) => s.rtc === 'connected', 'connected again')
  a.seen = undefined
  await Promise.all([a.meets(b), b.meets(a)])
  expect(a.client.pc).toBe(pc)
  expect(await a.identity()).toEqual(before)

  a.report('failed')
  await waitFor(() => a.client.pc !== pc, () => 'a new peer connection')
  await a.until((s) => s.rtc === 'connected', 'connected anew')
  a.seen = undefined
  await Promise.all([a.meets(b), b.meets(a)])
  expect(a.client.state.call?.id).toBe(call)
  expect(a.client.remote).toBe(remote)
  expect(a.offers).toBe(3)
})
