import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createClient, type Client } from '../src/client.js'
import { FakePlatform, FakeTrack, match, welcome } from './fake.js'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Lets promises that are ready run; no time passes. */
const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(0).then(() => undefined)

function make(p: FakePlatform, more: { freshGuest?: boolean; token?: string } = {}): Client {
  return createClient({ url: 'http://host:1/', platform: p, name: 'test', version: '1', ...more })
}

/** A client that is online with an answered, connected peer connection. */
async function onlineClient(p: FakePlatform): Promise<Client> {
  const c = make(p)
  void c.connect()
  await settle()
  p.socket.events.onOpen()
  p.socket.say(welcome())
  await settle()
  p.socket.say({ type: 'rtc.answer', sdp: 'answer', gen: 1 })
  p.peer.events.onState('connected')
  return c
}

describe('hello', () => {
  test('a native client starts as a guest and keeps its token', async () => {
    const p = new FakePlatform()
    const c = make(p)
    const ready = c.connect()
    expect(p.socket.url).toBe('ws://host:1/api/v1/ws')
    p.socket.events.onOpen()
    expect(p.socket.sent).toEqual([{ type: 'hello', versions: [1], client: { name: 'test', version: '1', platform: 'fake' }, guest: {} }])
    p.socket.say(welcome({ token: 'secret' }))
    await ready
    expect(c.state).toMatchObject({ link: 'online', user: { name: 'Calm Otter' }, topics: [{ id: 'news' }] })
    expect(JSON.parse(p.kept.get('smalltalk') ?? '')).toEqual({ token: 'secret', resume: 'r1', gen: 1 })
  })

  test('a browser asks for its cookie first, and not again to reconnect', async () => {
    const p = new FakePlatform(async () => ({ status: 200 }))
    const c = make(p)
    void c.connect()
    expect(p.sockets).toHaveLength(0)
    await settle()
    p.socket.events.onOpen()
    expect(p.socket.sent[0]).toEqual({ type: 'hello', versions: [1], client: { name: 'test', version: '1', platform: 'fake' } })
    p.socket.say(welcome())
    p.socket.events.onClose(1006)
    await settle()
    expect(p.sockets).toHaveLength(2)
    expect(p.guestCalls).toBe(1)
    expect(c.state.link).toBe('reconnecting')
  })

  test('a browser that cannot reach the server tries again', async () => {
    let up = false
    const p = new FakePlatform(async () => {
      if (!up) throw new Error('no route')
      return { status: 200 }
    })
    const c = make(p)
    void c.connect()
    await settle()
    expect(c.state).toMatchObject({ link: 'connecting' })
    up = true
    await vi.advanceTimersByTimeAsync(200)
    expect(p.sockets).toHaveLength(1)
  })

  test('too many guests: wait as long as the server says', async () => {
    const p = new FakePlatform(async () => ({ status: 429, retryAfterMs: 3_000 }))
    const c = make(p)
    void c.connect()
    await settle()
    expect(c.state.retryAt).toBe(Date.now() + 3_000)
  })

  test('a guest of its own skips the cookie and keeps the token for a reload', async () => {
    const p = new FakePlatform(async () => ({ status: 200 }))
    void make(p, { freshGuest: true }).connect()
    p.socket.events.onOpen()
    expect(p.socket.sent[0]).toMatchObject({ guest: { fresh: true } })
    p.socket.say(welcome({ token: 'mine' }))
    const reloaded = new FakePlatform(async () => ({ status: 200 }))
    reloaded.kept.set('smalltalk', p.kept.get('smalltalk') ?? '')
    void make(reloaded, { freshGuest: true }).connect()
    reloaded.socket.events.onOpen()
    expect(reloaded.socket.sent[0]).toMatchObject({ token: 'mine', resume: 'r1' })
    expect(reloaded.guestCalls).toBe(0)
  })

  test.each(['{', '[]', '7', '{"token":1,"resume":[],"gen":"x"}'])('a damaged record %s counts as none', async (record) => {
    const p = new FakePlatform()
    p.kept.set('smalltalk', record)
    void make(p).connect()
    p.socket.events.onOpen()
    expect(p.socket.sent[0]).not.toHaveProperty('token')
    expect(p.socket.sent[0]).not.toHaveProperty('resume')
  })
})

describe('reconnect', () => {
  test('at once, then with growing pauses up to five seconds', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    const pauses: number[] = []
    for (let i = 0; i < 14; i++) {
      p.socket.events.onClose(1006)
      pauses.push((c.state.retryAt ?? 0) - Date.now())
      await vi.advanceTimersByTimeAsync(pauses.at(-1) ?? 0)
      expect(p.sockets).toHaveLength(i + 2)
    }
    expect(pauses.slice(0, 4)).toEqual([0, 50, 80, 128])
    expect(pauses.at(-1)).toBe(5_000)
    expect(c.state.link).toBe('reconnecting')
  })

  test('resumes with the latest token and keeps the call and the peer connection', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    c.join({ topics: ['news'] })
    p.socket.say(match('c1'))
    p.socket.events.onClose(1006)
    expect(c.state).toMatchObject({ link: 'reconnecting', phase: 'call', rtc: 'connected' })
    await settle()
    p.socket.events.onOpen()
    expect(p.socket.sent[0]).toMatchObject({ type: 'hello', resume: 'r1' })
    p.socket.say(welcome({ resume: 'r2', resumed: true, media: 'keep', state: { phase: 'call', call: { call: 'c1', peer: { id: 'p', name: 'Brave Fox' }, topics: [] } } }))
    await settle()
    expect(c.state).toMatchObject({ link: 'online', phase: 'call' })
    expect(p.peers).toHaveLength(1)
    expect(p.peer.offers).toEqual([false])
  })

  test('media new: a new peer connection into the same remote stream', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    await c.setMedia({ audio: new FakeTrack('audio', 'mic'), video: new FakeTrack('video', 'cam') })
    p.peer.events.onTrack('video', new FakeTrack('video', 'v1'))
    p.peer.events.onTrack('audio', new FakeTrack('audio', 'a1'))
    const stream = c.remote
    const old = p.peer
    p.socket.events.onClose(1012)
    await settle()
    p.socket.events.onOpen()
    p.socket.say(welcome({ resumed: true, media: 'new' }))
    await settle()
    expect(old.closed).toBe(true)
    expect(p.peers).toHaveLength(2)
    expect(p.peer.sending.video?.id).toBe('cam')
    expect(p.socket.of('rtc.offer')).toMatchObject([{ gen: 2 }])
    p.peer.events.onTrack('video', new FakeTrack('video', 'v2'))
    expect(c.remote).toBe(stream)
    expect(c.remote?.getTracks().map((t) => t.id)).toEqual(['a1', 'v2'])
    old.events.onState('failed')
    expect(c.state.rtc).not.toBe('failed')
  })

  test('an unanswered attempt is given up', async () => {
    const p = new FakePlatform()
    void make(p).connect()
    await vi.advanceTimersByTimeAsync(8_001)
    expect(p.sockets[0]?.closedWith).toBe(4000)
    expect(p.sockets).toHaveLength(2)
  })

  test('two pings without any sign of life are a dead connection', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    await vi.advanceTimersByTimeAsync(5_000)
    for (let i = 0; i < 4; i++) {
      p.socket.say({ type: 'pong', t: 1 })
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(p.socket.of('ping')).toHaveLength(5)
    await vi.advanceTimersByTimeAsync(5_999)
    expect(p.socket.of('ping')).toHaveLength(6)
    expect(c.state.link).toBe('online')
    await vi.advanceTimersByTimeAsync(2)
    expect(p.sockets[0]?.closedWith).toBe(4000)
    expect(p.sockets).toHaveLength(2)
    expect(c.state.link).toBe('reconnecting')
  })

  test('without media, which notices first, the server is asked more often', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.peer.events.onState('disconnected')
    for (let i = 0; i < 4; i++) {
      p.socket.say({ type: 'pong', t: 1 })
      await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(p.socket.of('ping')).toHaveLength(5)
    expect(c.state.link).toBe('online')
  })

  test.each(['disconnected', 'failed'] as const)('media is %s: a probe finds out whether the connection lives', async (state) => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    c.join({ topics: 'any' })
    p.peer.events.onState(state)
    expect(p.socket.of('ping')).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    p.socket.say({ type: 'pong', t: 1 })
    await vi.advanceTimersByTimeAsync(3_000)
    expect(c.state.link).toBe('online')
    p.peer.events.onState(state)
    await vi.advanceTimersByTimeAsync(3_000)
    expect(c.state).toMatchObject({ link: 'reconnecting', phase: 'queued' })
  })

  test('the network is back: no more waiting', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    for (let i = 0; i < 10; i++) {
      p.socket.events.onClose(1006)
      if (i < 9) await vi.advanceTimersByTimeAsync(5_000)
    }
    expect(c.state.retryAt).toBeGreaterThan(Date.now())
    const before = p.sockets.length
    p.network(true)
    expect(p.sockets).toHaveLength(before + 1)
  })

  test('the network changed under an open connection: a probe finds out whether it lives', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.network(true)
    await vi.advanceTimersByTimeAsync(1_000)
    p.socket.say({ type: 'pong', t: 1 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(c.state.link).toBe('online')
    p.network(true)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(c.state.link).toBe('reconnecting')
  })

  test('the device says that it has no network: believed if the server is silent too', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.network(false)
    p.socket.say({ type: 'pong', t: 1 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(c.state.link).toBe('online')
    p.network(false)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(c.state.link).toBe('reconnecting')
    p.socket.events.onClose(1006)
    const before = p.sockets.length
    p.network(false)
    expect(p.sockets).toHaveLength(before)
  })

  test('a server that says when to come back is obeyed', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.socket.say({ type: 'drain', in_ms: 0, reconnect_after_ms: 1_500 })
    p.socket.events.onClose(1012)
    expect(c.state.retryAt).toBe(Date.now() + 1_500)
  })

  test('a socket that was given up is not heard any more', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    const old = p.socket
    await vi.advanceTimersByTimeAsync(12_000)
    expect(p.sockets).toHaveLength(2)
    old.say(welcome())
    old.events.onClose(4409)
    expect(c.state.link).toBe('reconnecting')
  })
})

describe('replaced', () => {
  test('closes for good, and takes over on request without the old session', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.socket.say({ type: 'error', code: 'replaced', message: 'opened elsewhere', retry: 'never' })
    p.socket.events.onClose(4409)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(c.state).toMatchObject({ link: 'closed', closedBy: 'replaced', rtc: 'none' })
    expect(p.sockets).toHaveLength(1)
    expect(p.peer.closed).toBe(true)
    c.takeover()
    p.socket.events.onOpen()
    expect(p.sockets).toHaveLength(2)
    expect(p.socket.sent[0]).not.toHaveProperty('resume')
  })

  test('goes on as another guest', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    p.socket.events.onClose(4409)
    c.freshGuest()
    p.socket.events.onOpen()
    expect(p.socket.sent[0]).toMatchObject({ guest: { fresh: true } })
  })
})

describe('media', () => {
  /** A call in which something has come all the time, until now. */
  async function callOn(p: FakePlatform): Promise<Client> {
    const c = await onlineClient(p)
    c.join({ topics: 'any' })
    p.socket.say(match('c1'))
    for (let i = 0; i < 6; i++) {
      p.peer.received += 1_000
      await vi.advanceTimersByTimeAsync(500)
    }
    return c
  }

  test('nothing comes any more: a new peer connection', async () => {
    const p = new FakePlatform()
    await callOn(p)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(p.peers).toHaveLength(2)
  })

  test('nothing comes any more and the WebSocket goes first: a new peer connection as soon as it is back', async () => {
    const p = new FakePlatform()
    const c = await callOn(p)
    await vi.advanceTimersByTimeAsync(1_000)
    p.socket.events.onClose(1006)
    await vi.advanceTimersByTimeAsync(2_000)
    // It may still come back by itself.
    expect(c.state.rtc).toBe('connected')
    expect(p.peers).toHaveLength(1)
    p.socket.events.onOpen()
    p.socket.say(welcome({ resumed: true, media: 'keep', state: { phase: 'call', call: match('c1') } }))
    await vi.advanceTimersByTimeAsync(500)
    expect(p.peers).toHaveLength(2)
  })

  test('tracks are switched on the one peer connection, without an offer', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    const cam = new FakeTrack('video', 'cam')
    c.setEnabled({ video: false })
    await c.setMedia({ video: cam })
    expect(p.peer.sending.video).toBe(cam)
    expect(cam.enabled).toBe(false)
    expect(c.state).toMatchObject({ audio: false, video: false })
    c.setEnabled({ video: true })
    expect(cam.enabled).toBe(true)
    expect(c.state.video).toBe(true)
    await c.setMedia({ video: null })
    expect(p.peer.sending.video).toBeNull()
    expect(c.state.video).toBe(false)
    expect(p.peer.offers).toEqual([false])
  })

  test('a broken answer makes a new peer connection', async () => {
    const p = new FakePlatform()
    void make(p).connect()
    p.socket.events.onOpen()
    p.socket.say(welcome())
    await settle()
    p.socket.say({ type: 'rtc.answer', sdp: 'broken', gen: 1 })
    await settle()
    expect(p.peers).toHaveLength(2)
  })
})

describe('going away', () => {
  test('close says goodbye cleanly and forgets the session', async () => {
    const p = new FakePlatform()
    const c = await onlineClient(p)
    c.close()
    expect(p.socket.closedWith).toBe(1000)
    expect(p.peer.closed).toBe(true)
    expect(p.kept.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a page that goes away says goodbye', async () => {
    const p = new FakePlatform()
    await onlineClient(p)
    p.gone()
    expect(p.socket.closedWith).toBe(1000)
  })
})

test('listeners hear each change once and can stop listening', async () => {
  const p = new FakePlatform()
  const c = make(p)
  const links: string[] = []
  const stop = c.subscribe((s) => links.push(s.link))
  void c.connect()
  p.socket.events.onOpen()
  p.socket.say(welcome())
  stop()
  c.close()
  expect(links).toEqual(['connecting', 'online'])
})

test('what the server says wrongly is ignored', async () => {
  const p = new FakePlatform()
  const c = await onlineClient(p)
  const before = c.state
  for (const text of ['', 'null', '[]', '{"type":7}', '{"type":"toString"}', '{"type":"nope"}', '{"type":"match"}', '{"type":"topics","topics":{}}']) {
    p.socket.events.onMessage(text)
  }
  expect(c.state).toBe(before)
})
