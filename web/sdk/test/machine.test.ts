import { describe, expect, test } from 'vitest'
import { initialModel, reduce, type Action, type Clock, type Effect, type Model } from '../src/machine.js'
import type { ClientMessage, ServerMessage } from '../src/protocol.js'
import type { EndReason, Side } from '../src/state.js'
import { match, welcome } from './fake.js'

const clock: Clock = { now: 1_000_000, random: 0.5 }

function fresh(): Model {
  return initialModel({
    client: { name: 'test', version: '1', platform: 'fake' },
    lang: undefined,
    cookies: false,
    fresh: false,
    saved: { gen: 0 },
  })
}

function run(m: Model, ...actions: Action[]): { model: Model; effects: readonly Effect[] } {
  return actions.reduce<{ model: Model; effects: readonly Effect[] }>((s, a) => reduce(s.model, a, clock), { model: m, effects: [] })
}

const from = (message: ServerMessage): Action => ({ type: 'message', message })
const sent = (effects: readonly Effect[]): unknown[] => effects.flatMap((e) => (e.type === 'send' ? [e.message] : []))
const sentTypes = (effects: readonly Effect[]): string[] => effects.flatMap((e) => (e.type === 'send' ? [e.message.type] : []))

const joinNews: Action = { type: 'join', search: { topics: ['news'] } }
const online: Action[] = [{ type: 'connect' }, { type: 'opened' }, from(welcome())]
const queued: Action[] = [...online, joinNews]
const ticketed: Action[] = [...queued, from({ type: 'queue.state', phase: 'queued', ticket: 't1', since: 5, waiting: 2 })]
const inCall: Action[] = [...ticketed, from(match('c1'))]
const media: Action = { type: 'media', has: { audio: true, video: true } }
const gone = (reason: 'next' | 'left', requeued = false): Action => from({ type: 'call.end', call: 'c1', reason, requeued })

describe('notices', () => {
  const lost = from({ type: 'notice', level: 'info', code: 'ticket_expired', text: 'At the end.' })

  test('a lost place in line is told, and the search goes on', () => {
    const { model, effects } = run(fresh(), ...queued, lost)
    expect(model.view).toMatchObject({ phase: 'queued', notice: { code: 'ticket_expired', text: 'At the end.' } })
    expect(effects).toEqual([])
  })

  const table: { name: string; action: Action }[] = [
    { name: 'the person has read it', action: { type: 'dismiss', what: 'notice' } },
    { name: 'a partner is found', action: from(match('c1')) },
    { name: 'the person gives up waiting', action: { type: 'cancel' } },
    { name: 'the connection is closed for good', action: { type: 'closed', code: 4409 } },
  ]
  test.each(table)('it goes when $name', ({ action }) => {
    expect(run(fresh(), ...queued, lost, action).model.view.notice).toBeUndefined()
  })
})

describe('a friend rings', () => {
  const expecting: Action = { type: 'expect', on: true }
  const friend = from({ type: 'match', call: 'f1', peer: { id: 'p', name: 'Calm Fox', friend: true }, topics: [] })

  test('the match of a ring is wanted wherever one is', () => {
    for (const at of [online, queued, inCall, [...inCall, gone('left')]]) {
      const { model, effects } = run(fresh(), ...at, expecting, friend)
      expect(model.view).toMatchObject({ phase: 'call', call: { id: 'f1', rung: true, peer: { friend: true } } })
      expect(sentTypes(effects)).not.toContain('call.leave')
      expect(model.expecting).toBe(false)
    }
  })

  test('without a ring, and once it is over, it is not', () => {
    for (const actions of [[], [expecting, { type: 'expect', on: false } as const]]) {
      const { model, effects } = run(fresh(), ...online, ...actions, friend)
      expect(model.view.phase).toBe('idle')
      expect(sent(effects)).toEqual([{ type: 'call.leave', call: 'f1' }])
    }
  })

  test('a stranger who comes first is no friend, and the ring goes on', () => {
    const { model } = run(fresh(), ...queued, expecting, from(match('c1')))
    expect(model.view.call).toMatchObject({ id: 'c1', rung: false })
    expect(run(model, friend).model.view.call).toMatchObject({ id: 'f1', rung: true })
    expect(run(fresh(), ...online, expecting, from(match('c1'))).model.view.phase).toBe('idle')
  })

  test('who was rung is remembered as such when the call is over', () => {
    const end = from({ type: 'call.end', call: 'f1', reason: 'left', requeued: false })
    expect(run(fresh(), ...online, expecting, friend, end).model.view.left).toEqual({ reason: 'left', name: 'Calm Fox', rung: true })
  })
})

test('signing in starts anew as somebody else', () => {
  const { model, effects } = run(fresh(), ...inCall, { type: 'chat', cid: 'c-1', text: 'my secret' }, { type: 'signIn', token: 'new' })
  expect(model.view).toMatchObject({ link: 'connecting', phase: 'idle', chat: [] })
  expect(effects).toContainEqual({ type: 'hangup', code: 1000 })
  const hello = run(model, { type: 'opened' })
  expect(sent(hello.effects)).toMatchObject([{ type: 'hello', token: 'new' }])
  expect(sent(hello.effects)[0]).not.toHaveProperty('resume')
})

describe('queue and call', () => {
  const table: { name: string; actions: Action[]; phase: string; sends?: unknown[] }[] = [
    { name: 'join sends the topics', actions: queued, phase: 'queued', sends: [{ type: 'queue.join', id: 'queue:', topics: ['news'] }] },
    { name: 'join twice sends nothing more', actions: [...queued, joinNews], phase: 'queued', sends: [] },
    { name: 'cancel leaves the queue', actions: [...ticketed, { type: 'cancel' }], phase: 'idle', sends: [{ type: 'queue.leave' }] },
    { name: 'a match begins a call', actions: inCall, phase: 'call', sends: [] },
    { name: 'a match that crosses a cancel is given back', actions: [...ticketed, { type: 'cancel' }, from(match('c1'))], phase: 'idle', sends: [{ type: 'call.leave', call: 'c1' }] },
    { name: 'next hides the partner before the server knows', actions: [...inCall, { type: 'next' }], phase: 'queued', sends: [{ type: 'call.next', id: 'next:c1', call: 'c1' }] },
    { name: 'next twice is sent once', actions: [...inCall, { type: 'next' }, { type: 'next' }], phase: 'queued', sends: [] },
    { name: 'the server queues who pressed Next', actions: [...inCall, { type: 'next' }, gone('next', true)], phase: 'queued', sends: [] },
    {
      name: 'both left at the same time: we queue ourselves',
      actions: [...inCall, { type: 'next' }, gone('left')],
      phase: 'queued',
      sends: [{ type: 'queue.join', id: 'queue:', topics: ['news'] }],
    },
    {
      name: 'next in a call that the server has forgotten queues',
      actions: [...inCall, { type: 'next' }, from({ type: 'error', re: 'next:c1', code: 'not_in_call', message: '', retry: 'never' })],
      phase: 'queued',
      sends: [{ type: 'queue.join', id: 'queue:', topics: ['news'] }],
    },
    { name: 'a match right after Next begins the next call', actions: [...inCall, { type: 'next' }, from(match('c2'))], phase: 'call' },
    { name: 'the end of the call before does not end this one', actions: [...inCall, { type: 'next' }, from(match('c2')), gone('next', true)], phase: 'call' },
    { name: 'the partner goes', actions: [...inCall, gone('left')], phase: 'left', sends: [] },
    { name: 'the end of another call changes nothing', actions: [...inCall, from({ type: 'call.end', call: 'c0', reason: 'left', requeued: false })], phase: 'call' },
    { name: 'find another keeps the place in line', actions: [...inCall, gone('left'), { type: 'requeue' }], phase: 'queued', sends: [{ type: 'queue.join', id: 'queue:', topics: ['news'], ticket: 't1' }] },
    { name: 'next after the partner left queues too', actions: [...inCall, gone('left'), { type: 'next' }], phase: 'queued' },
    { name: 'other topics are a new place in line', actions: [...inCall, gone('left'), { type: 'join', search: { topics: 'any', langs: ['en'] } }], phase: 'queued', sends: [{ type: 'queue.join', id: 'queue:', topics: 'any', langs: ['en'] }] },
    { name: 'leave', actions: [...inCall, { type: 'leave' }], phase: 'idle', sends: [{ type: 'call.leave', call: 'c1' }] },
    { name: 'leave from partner-left says nothing', actions: [...inCall, gone('left'), { type: 'leave' }], phase: 'idle', sends: [] },
    {
      name: 'an unknown topic ends the wait',
      actions: [...queued, from({ type: 'error', re: 'queue:', code: 'unknown_topic', message: 'no such topic', retry: 'never' })],
      phase: 'idle',
    },
    {
      name: 'already queued is fine',
      actions: [...queued, from({ type: 'error', re: 'queue:', code: 'already_queued', message: '', retry: 'never' })],
      phase: 'queued',
    },
    { name: 'a late queue.state does not bring the queue back', actions: [...ticketed, { type: 'cancel' }, from({ type: 'queue.state', phase: 'queued', ticket: 't2', since: 5, waiting: 1 })], phase: 'idle' },
  ]
  test.each(table)('$name', ({ actions, phase, sends }) => {
    const { model, effects } = run(fresh(), ...actions)
    expect(model.view.phase).toBe(phase)
    expect(model.view.call !== undefined).toBe(phase === 'call')
    expect(model.view.queue !== undefined).toBe(phase === 'queued')
    expect(model.view.left !== undefined).toBe(phase === 'left')
    if (sends) expect(sent(effects)).toEqual(sends)
  })

  test('rate limited: queue again after the time that the server names', () => {
    const { model, effects } = run(fresh(), ...queued, from({ type: 'error', re: 'queue:', code: 'rate_limited', message: 'slow down', retry: 'later', retry_after_ms: 700 }))
    expect(model.view.phase).toBe('queued')
    expect(effects).toContainEqual({ type: 'timer', name: 'queue', ms: 700 })
    expect(sentTypes(run(model, { type: 'timer', name: 'queue' }).effects)).toEqual(['queue.join'])
  })

  test('the partner and his state are shown', () => {
    const { model } = run(fresh(), ...inCall, from({ type: 'peer.state', audio: false, video: true, connection: 'reconnecting' }))
    expect(model.view.call).toMatchObject({ peer: { name: 'Brave Fox' }, topics: ['news'], peerAudio: false, peerVideo: true, peerConnection: 'reconnecting' })
    const left = run(model, gone('left')).model
    expect(left.view.left).toEqual({ reason: 'left', name: 'Brave Fox', rung: false })
  })

  test('switching the camera off tells the partner once', () => {
    const { model } = run(fresh(), ...inCall, media)
    const off = run(model, { type: 'enable', on: { video: false } })
    expect(off.model.view).toMatchObject({ audio: true, video: false })
    expect(off.effects).toEqual([
      { type: 'enable', on: { audio: true, video: false } },
      { type: 'send', message: { type: 'peer.state', audio: true, video: false } },
    ])
    expect(sent(run(off.model, { type: 'enable', on: { video: false } }).effects)).toEqual([])
  })
})

describe('whom a person looks for', () => {
  const search = { topics: ['news'], langs: ['en'], widenAfterMs: 15_000 }
  const join = (change: object = {}): Action => ({ type: 'join', search: { ...search, ...change } })
  const state = (widened?: Side[]): Action => from({ type: 'queue.state', phase: 'queued', ticket: 't1', topics: ['news'], langs: ['en'], since: 5, waiting: 1, eta_ms: 20_000, ...(widened ? { widened } : {}) })

  test('all of it is sent, and nothing that was not asked for', () => {
    expect(sent(run(fresh(), ...online, join()).effects)).toEqual([{ type: 'queue.join', id: 'queue:', topics: ['news'], langs: ['en'], widen_after_ms: 15_000 }])
    expect(sent(run(fresh(), ...online, join({ strict: true, widenAfterMs: 0 })).effects)).toEqual([{ type: 'queue.join', id: 'queue:', topics: ['news'], langs: ['en'], strict: true }])
  })

  const other: { name: string; change: object; ticket: boolean }[] = [
    { name: 'the same', change: {}, ticket: true },
    { name: 'other languages', change: { langs: ['de'] }, ticket: false },
    { name: 'strict', change: { strict: true }, ticket: false },
    { name: 'widening later', change: { widenAfterMs: 60_000 }, ticket: false },
  ]
  test.each(other)('the place in line is kept for the same search only: $name', ({ change, ticket }) => {
    const { effects } = run(fresh(), ...online, join(), state(), from(match('c1')), gone('left'), join(change))
    expect(sent(effects)).toMatchObject([{ type: 'queue.join' }])
    expect('ticket' in (sent(effects)[0] as object)).toBe(ticket)
  })

  test('what the server says of the wait is shown', () => {
    const shown = { topics: ['news'], langs: ['en'], strict: false, since: 5, waiting: 1, etaMs: 20_000 }
    expect(run(fresh(), ...online, join(), state()).model.view.queue).toEqual({ ...shown, widened: [] })
    expect(run(fresh(), ...online, join(), state(['topics'])).model.view.queue).toEqual({ ...shown, widened: ['topics'] })
  })

  test('until it says anything, what was asked for is', () => {
    expect(run(fresh(), ...online, join()).model.view.queue).toEqual({ topics: ['news'], langs: ['en'], strict: false, since: clock.now, waiting: 0, widened: [] })
  })

  const widen = (...sides: Side[]): Action => ({ type: 'widen', sides })
  const wide: { name: string; actions: Action[]; sends: unknown[] }[] = [
    { name: 'is sent', actions: [join(), state(), widen('topics')], sends: [{ type: 'queue.widen', id: 'widen:', topics: true }] },
    { name: 'is not sent twice', actions: [join(), state(), widen('topics'), widen('topics')], sends: [] },
    { name: 'to the other side too', actions: [join(), state(), widen('topics'), widen('langs')], sends: [{ type: 'queue.widen', id: 'widen:', topics: true, langs: true }] },
    { name: 'is nothing outside the queue', actions: [widen('langs')], sends: [] },
    { name: 'is over with the call', actions: [join(), state(), widen('topics'), from(match('c1')), { type: 'next' }, gone('next')], sends: [{ type: 'queue.join' }] },
    { name: 'is over with the wait', actions: [join(), state(), widen('topics'), { type: 'cancel' }, join()], sends: [{ type: 'queue.join' }] },
  ]
  test.each(wide)('widening $name', ({ actions, sends }) => {
    const { effects } = run(fresh(), ...online, ...actions)
    expect(sent(effects)).toHaveLength(sends.length)
    expect(sent(effects)).toMatchObject(sends)
  })

  const lost: { name: string; state: Extract<ServerMessage, { type: 'welcome' }>['state']; sends: string[] }[] = [
    { name: 'in line again', state: { phase: 'queued', ticket: 't1' }, sends: ['queue.widen'] },
    { name: 'forgotten by the server', state: { phase: 'idle' }, sends: ['queue.join', 'queue.widen'] },
  ]
  test.each(lost)('widening that a dead connection took is sent again: $name', ({ state: s, sends }) => {
    const { effects } = run(fresh(), ...online, join(), state(), widen('langs'), { type: 'closed', code: 1006 }, from(welcome({ state: s })))
    expect(sentTypes(effects).filter((t) => t.startsWith('queue'))).toEqual(sends)
  })

  test('after a crash of the server the place in line is the old one', () => {
    const { model } = run(fresh(), ...online, join(), state(), { type: 'closed', code: 1006 }, from(welcome({ resumed: true, state: { phase: 'queued', ticket: 't2' } })), state())
    expect(model.view).toMatchObject({ phase: 'queued', queue: { since: 5 } })
  })
})

describe('asking the last partner back', () => {
  const end = (reason: EndReason, requeued = false, undo_ms: number | undefined = 10_000): Action => from({ type: 'call.end', call: 'c1', reason, requeued, ...(undo_ms === undefined ? {} : { undo_ms }) })
  const ask: Action = { type: 'undo' }
  const asks = { type: 'call.undo', id: 'undo:c1', call: 'c1' }
  const open = { call: 'c1', name: 'Brave Fox', until: clock.now + 10_000, asked: false, wanted: false }
  const theirs = from({ type: 'call.undo', call: 'c1', undo_ms: 4_000 })
  const skipped: Action[] = [...inCall, { type: 'next' }, end('next', true)]
  const left: Action[] = [...inCall, end('left')]
  const ended = (...more: Action[]): Action[] => [...left, ...more]

  const offers: { name: string; actions: Action[]; undo: object | undefined; phase: string }[] = [
    { name: 'the partner has left', actions: left, undo: open, phase: 'left' },
    { name: 'the partner has left and the server queues us', actions: [...inCall, end('next', true)], undo: open, phase: 'queued' },
    { name: 'Next was pressed', actions: skipped, undo: open, phase: 'queued' },
    { name: 'Leave was pressed', actions: [...inCall, { type: 'leave' }, end('left')], undo: open, phase: 'idle' },
    { name: 'not if the server does not offer it', actions: [...inCall, from({ type: 'call.end', call: 'c1', reason: 'lost', requeued: false })], undo: undefined, phase: 'left' },
    { name: 'not for a call before this one', actions: [...inCall, { type: 'next' }, from(match('c2')), end('next', true)], undo: undefined, phase: 'call' },
    { name: 'it ended while we were away', actions: [...inCall, { type: 'closed', code: 1006 }, from(welcome({ resumed: true, state: { phase: 'idle', ended: { call: 'c1', reason: 'next', undo_ms: 10_000 } } }))], undo: open, phase: 'left' },
    { name: 'still there in the next wait', actions: ended({ type: 'requeue' }), undo: open, phase: 'queued' },
    { name: 'gone with somebody else', actions: [...skipped, from(match('c2'))], undo: undefined, phase: 'call' },
    { name: 'gone in time', actions: ended({ type: 'timer', name: 'undo' }), undo: undefined, phase: 'left' },
    { name: 'gone with the connection', actions: ended({ type: 'closed', code: 4409 }), undo: undefined, phase: 'idle' },
    { name: 'the person has asked', actions: ended(ask), undo: { ...open, asked: true }, phase: 'left' },
    { name: 'the partner has asked', actions: ended(theirs), undo: { ...open, wanted: true, until: clock.now + 4_000 }, phase: 'left' },
    { name: 'the partner of another call has asked', actions: ended(from({ type: 'call.undo', call: 'c0', undo_ms: 4_000 })), undo: open, phase: 'left' },
    { name: 'both have asked in the last moment', actions: ended(ask, { type: 'timer', name: 'undo' }), undo: { ...open, asked: true }, phase: 'left' },
    { name: 'too late', actions: ended(ask, from({ type: 'error', re: 'undo:c1', code: 'not_in_call', message: '', retry: 'never' })), undo: undefined, phase: 'left' },
    { name: 'too fast', actions: ended(ask, from({ type: 'error', re: 'undo:c1', code: 'rate_limited', message: '', retry: 'later' })), undo: open, phase: 'left' },
    { name: 'back at the start', actions: ended(ask, { type: 'leave' }), undo: open, phase: 'idle' },
    { name: 'no longer waiting', actions: [...skipped, ask, { type: 'cancel' }], undo: open, phase: 'idle' },
  ]
  test.each(offers)('$name', ({ actions, undo, phase }) => {
    const { view } = run(fresh(), ...actions).model
    expect(view.undo).toEqual(undo)
    expect(view.phase).toBe(phase)
  })

  const sends: { name: string; actions: Action[]; sends: unknown[] }[] = [
    { name: 'asking is sent', actions: ended(ask), sends: [asks] },
    { name: 'once', actions: ended(ask, ask), sends: [] },
    { name: 'not in a call', actions: [...inCall, ask], sends: [] },
    { name: 'after the reconnect', actions: ended({ type: 'closed', code: 1006 }, ask, from(welcome({ resumed: true }))), sends: [asks] },
    { name: 'going back to the start takes it back', actions: ended(ask, { type: 'leave' }), sends: [{ type: 'queue.leave' }] },
    { name: 'who meets again keeps the call', actions: ended(ask, from(match('c2'))), sends: [] },
    { name: 'also without a place in line', actions: [...inCall, { type: 'leave' }, end('left'), ask, from(match('c2'))], sends: [] },
    { name: 'who has not asked does not', actions: ended(theirs, from(match('c2'))), sends: [{ type: 'call.leave', call: 'c2' }] },
  ]
  test.each(sends)('$name', ({ actions, sends }) => {
    expect(sent(run(fresh(), ...actions).effects).filter((m) => !['peer.state', 'media.want'].includes((m as ClientMessage).type))).toEqual(sends)
  })

  test('it takes as long as the server says, and as long again as the partner has asked for', () => {
    expect(run(fresh(), ...left).effects).toContainEqual({ type: 'timer', name: 'undo', ms: 10_000 })
    expect(run(fresh(), ...left, theirs).effects).toContainEqual({ type: 'timer', name: 'undo', ms: 4_000 })
  })

  test('a match that is on its way when the time is up still counts, but not for ever', () => {
    const { model, effects } = run(fresh(), ...left, ask, { type: 'timer', name: 'undo' })
    expect(effects).toEqual([{ type: 'timer', name: 'undo', ms: 1_500 }])
    expect(reduce(model, { type: 'timer', name: 'undo' }, { now: clock.now + 11_500, random: 0 }).model.view.undo).toBeUndefined()
  })

  test('asking when the time is up does nothing', () => {
    const { model } = run(fresh(), ...left)
    expect(reduce(model, ask, { now: clock.now + 10_000, random: 0 }).effects).toEqual([])
  })
})

describe('the proof of a call', () => {
  const proved: Action[] = [...ticketed, from({ ...match('c1'), pair: 'sealed' })]
  const pairs = (effects: readonly Effect[]): unknown[] => effects.flatMap((e) => (e.type === 'save' ? [e.saved?.pair] : []))
  const hello = (...actions: Action[]): unknown => sent(run(fresh(), ...actions, { type: 'closed', code: 1006 }, { type: 'opened' }).effects)[0]

  test('is kept through a reload and shown to a server that may have lost it', () => {
    expect(pairs(run(fresh(), ...proved).effects)).toEqual(['sealed'])
    expect(hello(...proved)).toMatchObject({ type: 'hello', resume: 'r1', pair: 'sealed' })
    const reloaded = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 3, resume: 'r', pair: 'sealed' } })
    expect(sent(run(reloaded, { type: 'connect' }, { type: 'opened' }).effects)).toMatchObject([{ type: 'hello', resume: 'r', pair: 'sealed' }])
  })

  test('comes with a call that is found again', () => {
    const state = { phase: 'call' as const, call: { call: 'c1', peer: { id: 'p', name: 'Brave Fox' }, topics: [], pair: 'again' } }
    expect(run(fresh(), { type: 'connect' }, { type: 'opened' }, from(welcome({ state }))).model.pair).toBe('again')
    expect(run(fresh(), ...proved, { type: 'closed', code: 1006 }, from(welcome({ resumed: true, state }))).model.pair).toBe('again')
  })

  const over: { name: string; actions: Action[] }[] = [
    { name: 'Next', actions: [{ type: 'next' }] },
    { name: 'Leave', actions: [{ type: 'leave' }] },
    { name: 'the partner left', actions: [gone('left')] },
  ]
  test.each(over)('is forgotten after it: $name', ({ actions }) => {
    const { model, effects } = run(fresh(), ...proved, ...actions)
    expect(model.pair).toBeUndefined()
    expect(pairs(effects)).toEqual([undefined])
    expect(hello(...proved, ...actions)).not.toHaveProperty('pair')
  })
})

describe('welcome brings both sides together', () => {
  const snapshot = { call: 'c1', peer: { id: 'p', name: 'Brave Fox' }, topics: ['news'], started_at: 9 }
  const offline = (...actions: Action[]): Action[] => [...actions, { type: 'closed', code: 1006 }]
  const back = (state: Extract<ServerMessage, { type: 'welcome' }>['state']): Action => from(welcome({ resumed: true, media: 'keep', state }))
  const table: { name: string; actions: Action[]; phase: string; sends: string[] }[] = [
    { name: 'the same call goes on', actions: [...offline(...inCall), back({ phase: 'call', call: snapshot })], phase: 'call', sends: ['peer.state', 'media.want'] },
    { name: 'the call ended meanwhile', actions: [...offline(...inCall), back({ phase: 'idle', ended: { call: 'c1', reason: 'left' } })], phase: 'left', sends: ['peer.state', 'media.want'] },
    { name: 'Next pressed offline is sent now', actions: [...offline(...inCall), { type: 'next' }, back({ phase: 'call', call: snapshot })], phase: 'queued', sends: ['peer.state', 'media.want', 'call.next'] },
    { name: 'leave pressed offline is sent now', actions: [...offline(...inCall), { type: 'leave' }, back({ phase: 'call', call: snapshot })], phase: 'idle', sends: ['peer.state', 'media.want', 'call.leave'] },
    { name: 'still waiting', actions: [...offline(...ticketed), back({ phase: 'queued', ticket: 't2' })], phase: 'queued', sends: ['peer.state', 'media.want'] },
    { name: 'the server forgot that we wait', actions: [...offline(...ticketed), back({ phase: 'idle' })], phase: 'queued', sends: ['peer.state', 'media.want', 'queue.join'] },
    { name: 'matched while offline', actions: [...offline(...ticketed), back({ phase: 'call', call: snapshot })], phase: 'call', sends: ['peer.state', 'media.want'] },
    { name: 'cancelled while offline', actions: [...offline(...ticketed), { type: 'cancel' }, back({ phase: 'queued', ticket: 't2' })], phase: 'idle', sends: ['peer.state', 'media.want', 'queue.leave'] },
    { name: 'cancelled while offline, but matched', actions: [...offline(...ticketed), { type: 'cancel' }, back({ phase: 'call', call: snapshot })], phase: 'idle', sends: ['peer.state', 'media.want', 'call.leave'] },
    { name: 'joined while offline', actions: [...offline(...online), joinNews, back({ phase: 'idle' })], phase: 'queued', sends: ['peer.state', 'media.want', 'queue.join'] },
    { name: 'a reloaded page finds its call', actions: [{ type: 'connect' }, { type: 'opened' }, back({ phase: 'call', call: snapshot })], phase: 'call', sends: ['peer.state', 'media.want'] },
    { name: 'a reloaded page finds its place in line', actions: [{ type: 'connect' }, { type: 'opened' }, back({ phase: 'queued', ticket: 't2' })], phase: 'queued', sends: ['peer.state', 'media.want'] },
  ]
  test.each(table)('$name', ({ actions, phase, sends }) => {
    const { model, effects } = run(fresh(), ...actions)
    expect(model.view.link).toBe('online')
    expect(model.view.phase).toBe(phase)
    expect(sentTypes(effects)).toEqual(sends)
  })

  test('the reason of an end that was missed is shown', () => {
    const { model } = run(fresh(), ...offline(...inCall), back({ phase: 'idle', ended: { call: 'c1', reason: 'next' } }))
    expect(model.view.left).toEqual({ reason: 'next', name: 'Brave Fox', rung: false })
  })

  test('lines that the server knows are taken over, the others go out again', () => {
    const { model, effects } = run(
      fresh(),
      ...inCall,
      { type: 'chat', cid: 'm1', text: 'one' },
      { type: 'chat', cid: 'm2', text: 'two' },
      { type: 'closed', code: 1006 },
      back({
        phase: 'call',
        call: snapshot,
        chat: [
          { from: 'me', cid: 'm1', text: 'one', at: 1 },
          { from: 'p', cid: 'h1', text: 'hello', at: 2 },
        ],
      }),
    )
    expect(model.view.chat.map((l) => [l.id, l.from, l.state])).toEqual([
      ['m1', 'me', 'sent'],
      ['m2', 'me', 'sending'],
      ['h1', 'peer', 'sent'],
    ])
    expect(sent(effects)).toContainEqual({ type: 'chat', id: 'chat:m2', call: 'c1', cid: 'm2', text: 'two' })
  })
})

describe('media connection', () => {
  const answered: Action[] = [
    ...online,
    { type: 'offer', gen: 1, sdp: 'o', restart: false },
    from({ type: 'rtc.answer', sdp: 'a', gen: 1 }),
    { type: 'rtc', state: 'connected' },
  ]
  test('welcome opens it with the ICE servers', () => {
    const ice = [{ urls: ['stun:x'] }]
    const { model, effects } = run(fresh(), { type: 'connect' }, { type: 'opened' }, from(welcome({ ice_servers: ice })))
    expect(effects).toContainEqual({ type: 'pc.open', gen: 1, iceServers: ice })
    expect(model.view.rtc).toBe('connecting')
  })

  test('one offer, one answer', () => {
    const { model, effects } = run(fresh(), ...online, { type: 'offer', gen: 1, sdp: 'o', restart: false })
    expect(sent(effects)).toEqual([{ type: 'rtc.offer', id: 'offer:1', sdp: 'o', gen: 1 }])
    const answer = run(model, from({ type: 'rtc.answer', sdp: 'a', gen: 1 }))
    expect(answer.effects).toContainEqual({ type: 'pc.answer', gen: 1, sdp: 'a' })
    expect(run(model, from({ type: 'rtc.answer', sdp: 'a', gen: 7 })).effects).toEqual([])
  })

  const table: { name: string; actions: Action[]; effect: string | undefined; rtc: string }[] = [
    { name: 'a resumed session keeps it', actions: [...answered, { type: 'closed', code: 1006 }, from(welcome({ resumed: true, media: 'keep' }))], effect: undefined, rtc: 'connected' },
    { name: 'media new makes a new one', actions: [...answered, { type: 'closed', code: 1006 }, from(welcome({ resumed: true, media: 'new' }))], effect: 'pc.open', rtc: 'connecting' },
    { name: 'kept, but not answered yet: a new one', actions: [...online, { type: 'closed', code: 1006 }, from(welcome({ resumed: true, media: 'keep' }))], effect: 'pc.open', rtc: 'connecting' },
    { name: 'kept, but disconnected: an ICE restart', actions: [...answered, { type: 'closed', code: 1006 }, { type: 'rtc', state: 'disconnected' }, from(welcome({ resumed: true, media: 'keep' }))], effect: 'pc.restart', rtc: 'connecting' },
    {
      name: 'kept, but a restart was under way: again, its offer may be lost',
      actions: [...answered, { type: 'rtc', state: 'disconnected' }, { type: 'timer', name: 'ice' }, { type: 'closed', code: 1006 }, { type: 'timer', name: 'ice' }, from(welcome({ resumed: true, media: 'keep' }))],
      effect: 'pc.restart',
      rtc: 'connecting',
    },
    { name: 'kept, but failed here: a new one', actions: [...answered, { type: 'closed', code: 1006 }, { type: 'rtc', state: 'failed' }, from(welcome({ resumed: true, media: 'keep' }))], effect: 'pc.open', rtc: 'connecting' },
    { name: 'rtc.state failed: a new one', actions: [...answered, from({ type: 'rtc.state', state: 'failed' })], effect: 'pc.open', rtc: 'connecting' },
    { name: 'failed: a new one', actions: [...answered, { type: 'rtc', state: 'failed' }], effect: 'pc.open', rtc: 'connecting' },
    { name: 'failed without a session: wait for it', actions: [...answered, { type: 'closed', code: 1006 }, { type: 'rtc', state: 'failed' }], effect: undefined, rtc: 'failed' },
    { name: 'disconnected: patience first', actions: [...answered, { type: 'rtc', state: 'disconnected' }], effect: undefined, rtc: 'disconnected' },
    { name: 'disconnected for long: an ICE restart', actions: [...answered, { type: 'rtc', state: 'disconnected' }, { type: 'timer', name: 'ice' }], effect: 'pc.restart', rtc: 'connecting' },
    { name: 'disconnected and a new network: an ICE restart at once', actions: [...answered, { type: 'rtc', state: 'disconnected' }, { type: 'network', up: true }], effect: 'pc.restart', rtc: 'connecting' },
    { name: 'a new network that media survived: nothing', actions: [...answered, { type: 'network', up: true }], effect: undefined, rtc: 'connected' },
    { name: 'the restart did not help: a new one', actions: [...answered, { type: 'rtc', state: 'disconnected' }, { type: 'timer', name: 'ice' }, { type: 'timer', name: 'ice' }], effect: 'pc.open', rtc: 'connecting' },
    { name: 'the server has no peer to restart: a new one', actions: [...answered, { type: 'rtc', state: 'disconnected' }, { type: 'timer', name: 'ice' }, from({ type: 'error', re: 'offer:2', code: 'media_failed', message: '', retry: 'same' })], effect: 'pc.open', rtc: 'connecting' },
    { name: 'no answer: a new one', actions: [...online, { type: 'offer', gen: 1, sdp: 'o', restart: false }, { type: 'timer', name: 'answer' }], effect: 'pc.open', rtc: 'connecting' },
    { name: 'a refused offer is not repeated', actions: [...online, { type: 'offer', gen: 1, sdp: 'o', restart: false }, from({ type: 'error', re: 'offer:1', code: 'sdp_rejected', message: 'no video', retry: 'never' })], effect: undefined, rtc: 'failed' },
  ]
  test.each(table)('$name', ({ actions, effect, rtc }) => {
    const { model, effects } = run(fresh(), ...actions)
    expect(effects.map((e) => e.type).find((t) => t.startsWith('pc.'))).toBe(effect)
    expect(model.view.rtc).toBe(rtc)
  })

  test('a second failure in a row waits', () => {
    const { effects } = run(fresh(), ...answered, { type: 'rtc', state: 'failed' }, { type: 'rtc', state: 'failed' })
    expect(effects).toContainEqual({ type: 'timer', name: 'rtc', ms: 500 })
  })

  describe('failures are counted until it is connected', () => {
    const failed: Action = { type: 'rtc', state: 'failed' }
    const table: { name: string; actions: Action[]; failures: number }[] = [
      { name: 'none yet', actions: online, failures: 0 },
      { name: 'the next try is under way', actions: [...online, failed], failures: 1 },
      { name: 'and one more', actions: [...online, failed, failed, { type: 'timer', name: 'rtc' }, { type: 'rtc', state: 'connecting' }], failures: 2 },
      { name: 'connected', actions: [...online, failed, failed, { type: 'timer', name: 'rtc' }, { type: 'rtc', state: 'connected' }], failures: 0 },
      { name: 'a new session', actions: [...online, failed, { type: 'closed', code: 1006 }, from(welcome())], failures: 0 },
    ]
    test.each(table)('$name', ({ actions, failures }) => {
      expect(run(fresh(), ...actions).model.view.rtcFailures).toBe(failures)
    })
  })

  test('the person asks for another try: at once, unless it is connected or there is no session', () => {
    const retry: Action = { type: 'retryMedia' }
    const failed: Action = { type: 'rtc', state: 'failed' }
    const { model } = run(fresh(), ...online, failed, failed)
    const again = run(model, retry)
    expect(again.effects).toContainEqual({ type: 'pc.open', gen: 3, iceServers: [] })
    expect(again.effects).toContainEqual({ type: 'untimer', name: 'rtc' })
    expect(again.model.view).toMatchObject({ rtc: 'connecting', rtcFailures: 2 })
    expect(run(fresh(), ...answered, retry).effects).toEqual([])
    expect(run(fresh(), ...answered, { type: 'closed', code: 1006 }, failed, retry).effects).toEqual([])
  })

  test('offers are numbered ever higher, also across a reload', () => {
    const m = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 7, resume: 'r' } })
    const { effects } = run(m, ...online)
    expect(effects).toContainEqual({ type: 'pc.open', gen: 8, iceServers: [] })
    expect(effects).toContainEqual({ type: 'save', saved: { gen: 8, resume: 'r1' } })
  })
})

describe('chat', () => {
  const line: Action = { type: 'chat', cid: 'm1', text: '  hello ' }
  test('a line is shown at once and confirmed later', () => {
    const { model, effects } = run(fresh(), ...inCall, line)
    expect(model.view.chat).toEqual([{ id: 'm1', from: 'me', text: 'hello', at: clock.now, state: 'sending' }])
    expect(sent(effects)).toEqual([{ type: 'chat', id: 'chat:m1', call: 'c1', cid: 'm1', text: 'hello' }])
    expect(run(model, from({ type: 'ok', re: 'chat:m1' })).model.view.chat[0]?.state).toBe('sent')
  })

  test('a refused line can be sent again, with the same id', () => {
    const refused = run(fresh(), ...inCall, line, from({ type: 'error', re: 'chat:m1', code: 'rate_limited', message: 'slow down', retry: 'later' }))
    expect(refused.model.view.chat[0]?.state).toBe('failed')
    expect(refused.model.view.error?.code).toBe('rate_limited')
    const again = run(refused.model, { type: 'resend', cid: 'm1' })
    expect(again.model.view.chat[0]?.state).toBe('sending')
    expect(sent(again.effects)).toEqual([{ type: 'chat', id: 'chat:m1', call: 'c1', cid: 'm1', text: 'hello' }])
  })

  test('empty lines are not sent, long ones are cut by character', () => {
    expect(run(fresh(), ...inCall, { type: 'chat', cid: 'm', text: ' \n ' }).model.view.chat).toEqual([])
    const long = run(fresh(), ...inCall, { type: 'chat', cid: 'm', text: '😀'.repeat(2_100) }).model.view.chat[0]?.text
    expect([...(long ?? '')]).toHaveLength(2_000)
  })

  test('the partner\'s line is shown once and ends his typing', () => {
    const hello = from({ type: 'chat', from: 'p', cid: 'h1', text: 'hi', at: 3 })
    const { model } = run(fresh(), ...inCall, from({ type: 'chat.typing', on: true }))
    expect(model.view.peerTyping).toBe(true)
    const heard = run(model, hello, hello).model.view
    expect(heard.chat).toEqual([{ id: 'h1', from: 'peer', text: 'hi', at: 3, state: 'sent' }])
    expect(heard.peerTyping).toBe(false)
  })

  test('a new partner starts an empty chat', () => {
    expect(run(fresh(), ...inCall, line, { type: 'next' }, from(match('c2'))).model.view.chat).toEqual([])
  })

  test('typing is sent every three seconds at most, and its end once', () => {
    const typing = (on: boolean): Action => ({ type: 'typing', on })
    let m = run(fresh(), ...inCall).model
    const counts: number[] = []
    for (const [ms, on] of [[0, true], [1_000, true], [3_000, true], [3_100, false], [3_200, false]] as const) {
      const s = reduce(m, typing(on), { now: clock.now + ms, random: 0 })
      m = s.model
      counts.push(sent(s.effects).length)
    }
    expect(counts).toEqual([1, 0, 1, 1, 0])
  })
})

describe('closing for good', () => {
  const error = (code: string): Action => from({ type: 'error', code, message: 'why', retry: 'never' })
  const table: { name: string; actions: Action[]; by: string }[] = [
    { name: 'replaced, by message', actions: [...inCall, error('replaced')], by: 'replaced' },
    { name: 'replaced, by close code', actions: [...inCall, { type: 'closed', code: 4409 }], by: 'replaced' },
    { name: 'banned', actions: [...inCall, error('banned')], by: 'banned' },
    { name: 'banned, by close code', actions: [...inCall, { type: 'closed', code: 4403 }], by: 'banned' },
    { name: 'too many', actions: [...inCall, { type: 'closed', code: 4429 }], by: 'too_many' },
    { name: 'an old client', actions: [{ type: 'connect' }, { type: 'opened' }, error('unsupported_version')], by: 'unsupported' },
    { name: 'full', actions: [{ type: 'connect' }, { type: 'opened' }, error('server_full')], by: 'full' },
    { name: 'refused twice', actions: [{ type: 'connect' }, { type: 'opened' }, error('unauthorized'), { type: 'opened' }, error('unauthorized')], by: 'unauthorized' },
    { name: 'an address is wanted', actions: [{ type: 'connect' }, { type: 'opened' }, error('email_required')], by: 'unauthorized' },
    { name: 'guests are not let in', actions: [{ type: 'connect' }, { type: 'refused', status: 403, code: 'unauthorized', message: 'no guests', retryAfterMs: undefined }], by: 'unauthorized' },
    { name: 'the person', actions: [...inCall, { type: 'close' }], by: 'user' },
  ]
  test.each(table)('$name', ({ actions, by }) => {
    const { model, effects } = run(fresh(), ...actions)
    expect(model.view).toMatchObject({ link: 'closed', closedBy: by, phase: 'idle', rtc: 'none' })
    expect(effects.map((e) => e.type)).toContain('pc.close')
    const late = run(model, { type: 'timer', name: 'dial' }, { type: 'network', up: true })
    expect(late.effects.filter((e) => e.type === 'send')).toEqual([])
    expect(run(model, { type: 'connect' }).model.view.link).toBe('connecting')
  })

  test('a refused resume token costs the session, not the person', () => {
    const m = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 0, token: 'mine', resume: 'used' } })
    const { effects } = run(m, { type: 'connect' }, { type: 'opened' }, error('unauthorized'), { type: 'timer', name: 'dial' }, { type: 'opened' })
    expect(sent(effects)).toEqual([{ type: 'hello', versions: [1], client: { name: 't', version: '1', platform: 'f' }, token: 'mine' }])
  })

  test('too often from this address: come back when the server says', () => {
    const { model } = run(fresh(), { type: 'connect' }, { type: 'opened' }, from({ type: 'error', code: 'rate_limited', message: '', retry: 'later', retry_after_ms: 900 }))
    expect(model.view).toMatchObject({ link: 'connecting', retryAt: clock.now + 900 })
  })

  test('one refusal drops the token and starts again as a new guest', () => {
    const m = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 0, token: 'old' } })
    const { model, effects } = run(m, { type: 'connect' }, { type: 'opened' }, error('unauthorized'), { type: 'timer', name: 'dial' }, { type: 'opened' })
    expect(model.view.link).toBe('connecting')
    expect(sent(effects)).toEqual([{ type: 'hello', versions: [1], client: { name: 't', version: '1', platform: 'f' }, guest: {} }])
  })

  test('whoever has to see to the address stays who one is', () => {
    const m = initialModel({ client: { name: 't', version: '1', platform: 'f' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 0, token: 'mine' } })
    const { model } = run(m, { type: 'connect' }, { type: 'opened' }, error('email_required'))
    expect(model).toMatchObject({ token: 'mine', view: { link: 'closed', error: { code: 'email_required' } } })
    const { effects } = run(model, { type: 'signIn', token: 'mine' }, { type: 'opened' })
    expect(sent(effects)).toMatchObject([{ type: 'hello', token: 'mine' }])
  })

  test('this tab as another guest', () => {
    const { model } = run(fresh(), ...inCall, error('replaced'), { type: 'fresh' })
    const { effects } = run(model, { type: 'opened' })
    expect(sent(effects)).toMatchObject([{ type: 'hello', guest: { fresh: true } }])
  })
})

describe('signs of life', () => {
  const ping: Action = { type: 'timer', name: 'ping' }
  const probe: Action = { type: 'timer', name: 'probe' }
  const up: Action = { type: 'network', up: true }
  const down: Action = { type: 'network', up: false }
  const doubt: Action = { type: 'rtc', state: 'disconnected' }
  const pong = from({ type: 'pong', t: 1 })
  const table: { name: string; actions: Action[]; link: string }[] = [
    { name: 'two changes of network just before a ping is due', actions: [down, up, ping], link: 'online' },
    { name: 'a change of network just before the deadline of a ping', actions: [ping, down, ping], link: 'online' },
    { name: 'doubt just before the deadline of a ping', actions: [ping, doubt, ping], link: 'online' },
    { name: 'doubt twice and a change of network before a ping', actions: [doubt, up, { type: 'rtc', state: 'failed' }, ping], link: 'online' },
    { name: 'all of it is answered', actions: [down, up, ping, doubt, pong, ping, probe, ping], link: 'online' },
    { name: 'a probe that nothing answers', actions: [down, up, probe], link: 'reconnecting' },
    { name: 'two pings that nothing answers, and doubt', actions: [ping, doubt, ping, ping], link: 'reconnecting' },
    { name: 'two pings that nothing answers', actions: [ping, ping, ping], link: 'reconnecting' },
  ]
  test.each(table)('$name', ({ actions, link }) => {
    expect(run(fresh(), ...online, ...actions).model.view.link).toBe(link)
  })

  test('whatever comes answers a probe, and sets the time of the next ping', () => {
    const { effects } = run(fresh(), ...online, up, pong)
    expect(effects).toEqual([{ type: 'untimer', name: 'probe' }, { type: 'timer', name: 'ping', ms: 5_000 }])
  })
})
