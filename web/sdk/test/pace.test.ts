import { describe, expect, test } from 'vitest'
import { initialModel, reduce, type Action, type Clock, type Effect, type Model } from '../src/machine.js'
import type { ServerMessage } from '../src/protocol.js'
import { match, welcome } from './fake.js'

const clock: Clock = { now: 1_000_000, random: 0.5 }
const fresh = initialModel({ client: { name: 'test', version: '1', platform: 'fake' }, lang: undefined, cookies: false, fresh: false, saved: { gen: 0 } })
const from = (message: ServerMessage): Action => ({ type: 'message', message })

function run(m: Model, ...actions: Action[]): { model: Model; effects: readonly Effect[] } {
  return actions.reduce<{ model: Model; effects: readonly Effect[] }>((s, a) => reduce(s.model, a, clock), { model: m, effects: [] })
}

const camera: Action = { type: 'media', has: { audio: true, video: true } }
const connected: Action = { type: 'rtc', state: 'connected' }
const scouted: Action = { type: 'timer', name: 'scout' }
const arriving: Action[] = [{ type: 'connect' }, { type: 'opened' }, from(welcome())]
const waiting: Action[] = [...arriving, camera, connected, scouted, { type: 'join', search: { topics: 'any' } }]
const minute: Action = { type: 'timer', name: 'rest' }
const met = from(match('c1'))
const over = from({ type: 'call.end', call: 'c1', reason: 'left', requeued: false })
const watching = (on: boolean): Action => from({ type: 'peer.state', audio: true, video: true, watching: on, connection: 'ok' })
const use = (dataUse: 'normal' | 'low' | 'audio'): Action => ({ type: 'use', dataUse })

describe('how much of the picture is sent', () => {
  const table: { name: string; actions: Action[]; pace: string }[] = [
    { name: 'a trickle while waiting', actions: waiting, pace: 'warm' },
    { name: 'nothing after a minute alone', actions: [...waiting, minute], pace: 'off' },
    { name: 'everything in a call', actions: [...waiting, met], pace: 'full' },
    { name: 'everything after the longest wait', actions: [...waiting, minute, met], pace: 'full' },
    { name: 'a trickle when the partner has left', actions: [...waiting, met, over], pace: 'warm' },
    { name: 'again nothing a minute later', actions: [...waiting, met, over, minute], pace: 'off' },
    { name: 'a new search wakes it', actions: [...waiting, met, over, minute, { type: 'requeue' }], pace: 'warm' },
    { name: 'a trickle after Next', actions: [...waiting, met, { type: 'next' }], pace: 'warm' },
    { name: 'a trickle to a partner who does not watch', actions: [...waiting, met, watching(false)], pace: 'warm' },
    { name: 'then nothing', actions: [...waiting, met, watching(false), minute], pace: 'off' },
    { name: 'everything once he watches', actions: [...waiting, met, watching(false), minute, watching(true)], pace: 'full' },
    { name: 'little to save data', actions: [...waiting, use('low'), met], pace: 'low' },
    { name: 'no more than a trickle while waiting to save data', actions: [...waiting, use('low')], pace: 'warm' },
    { name: 'nothing for sound only', actions: [...waiting, use('audio'), met], pace: 'off' },
    { name: 'everything again after that', actions: [...waiting, met, use('audio'), use('normal')], pace: 'full' },
    { name: 'everything while the call is out of touch with the server', actions: [...waiting, met, { type: 'closed', code: 1006 }], pace: 'full' },
    { name: 'a camera that comes late wakes it', actions: [...waiting, { type: 'media', has: { video: false } }, minute, camera], pace: 'warm' },
  ]
  test.each(table)('$name', ({ actions, pace }) => {
    expect(run(fresh, ...actions).model.pace).toBe(pace)
  })

  test('a new connection sends everything for two seconds, from when there is a picture', () => {
    const scout = { type: 'timer', name: 'scout', ms: 2_000 }
    for (const last of [
      [camera, connected],
      [connected, camera],
    ]) {
      const begun = run(fresh, ...arriving, ...last.slice(0, 1))
      expect(begun.model.pace).toBe('full')
      expect(begun.effects).not.toContainEqual(scout)
      const sending = run(begun.model, ...last.slice(1))
      expect(sending.effects).toContainEqual(scout)
      expect(run(sending.model, { type: 'join', search: { topics: 'any' } }).effects).not.toContainEqual(scout)
      expect(run(sending.model, scouted).model.pace).toBe('warm')
      expect(run(sending.model, scouted).effects).toContainEqual({ type: 'timer', name: 'rest', ms: 60_000 })
    }
    expect(run(fresh, ...arriving, camera, connected, use('low')).model.pace).toBe('low')
    expect(run(fresh, ...waiting, { type: 'rtc', state: 'failed' }).model.pace).toBe('full')
  })

  test('the limit is lifted before anything else is done about a match', () => {
    const { effects } = run(fresh, ...waiting, met)
    expect(effects[0]).toEqual({ type: 'pace', pace: 'full' })
    expect(effects).toContainEqual({ type: 'untimer', name: 'rest' })
    expect(run(fresh, ...waiting, met, watching(true)).effects).toEqual([])
  })

  test('the minute begins with the wait, and with each new one', () => {
    const rest = { type: 'timer', name: 'rest', ms: 60_000 }
    expect(run(fresh, ...waiting).effects).toContainEqual(rest)
    const left = run(fresh, ...waiting, met, over)
    expect(left.effects).toContainEqual(rest)
    expect(run(left.model, { type: 'requeue' }).effects).toContainEqual(rest)
    expect(run(left.model, { type: 'typing', on: true }).effects).not.toContainEqual(rest)
  })
})

describe('what is received', () => {
  const wants = (effects: readonly Effect[]): unknown[] => effects.flatMap((e) => (e.type === 'send' && e.message.type === 'media.want' ? [e.message] : []))

  test('a server hears of it with each welcome and with each change', () => {
    expect(wants(run(fresh, { type: 'connect' }, { type: 'opened' }, from(welcome())).effects)).toEqual([{ type: 'media.want', audio: true, video: true }])
    const low = run(fresh, ...waiting, use('low'))
    expect(wants(low.effects)).toEqual([{ type: 'media.want', audio: true, video: true, max_kbps: 300 }])
    expect(wants(run(low.model, use('low')).effects)).toEqual([])
    expect(wants(run(low.model, { type: 'closed', code: 1006 }, { type: 'opened' }, from(welcome({ resumed: true }))).effects)).toHaveLength(1)
  })

  test('sound only takes the own picture away too, and brings it back', () => {
    const { model, effects } = run(fresh, ...waiting, use('audio'))
    expect(model.view).toMatchObject({ dataUse: 'audio', audio: true, video: false })
    expect(effects).toContainEqual({ type: 'send', message: { type: 'media.want', audio: true, video: false } })
    expect(effects).toContainEqual({ type: 'send', message: { type: 'peer.state', audio: true, video: false } })
    expect(run(model, use('normal')).model.view.video).toBe(true)
  })

  test('whether the partner watches is shown; a server that does not say so means yes', () => {
    expect(run(fresh, ...waiting, met).model.view.call?.peerWatching).toBe(true)
    expect(run(fresh, ...waiting, met, watching(false), from({ type: 'peer.state', audio: false })).model.view.call?.peerWatching).toBe(false)
  })
})
