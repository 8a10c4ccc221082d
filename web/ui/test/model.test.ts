import type { State } from '@smalltalk/client'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalMedia } from '../src/media/local'
import { Model, type Keep } from '../src/model'
import { FakeClient, IDLE } from './demo/fake'
import { plugIn, type FakeDevices } from './devices'

function memory(): Keep {
  const kept = new Map<string, string>()
  return { get: (k) => kept.get(k) ?? null, set: (k, v) => void kept.set(k, v) }
}

const call = (id: string): NonNullable<State['call']> => ({
  id,
  peer: { id: 'p', name: 'Calm Fox', friend: false },
  rung: false,
  topics: [],
  startedAt: 0,
  peerAudio: true,
  peerVideo: true,
  peerWatching: true,
  peerConnection: 'ok',
})

let devices: FakeDevices
beforeEach(() => {
  vi.useFakeTimers()
  devices = plugIn()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

function page(state: Partial<State> = {}, tab = memory(), ever = memory(), invited?: string, frugal?: boolean, langs?: string[]) {
  const client = new FakeClient({ ...IDLE, ...state })
  const local = new LocalMedia()
  return { client, local, tab, model: new Model(client, local, { tab, ever }, invited, frugal, langs) }
}

const settled = () => vi.advanceTimersByTimeAsync(0)

it('from the preview to the people: the camera is given back', async () => {
  const { local, model } = page()
  model.preview()
  await settled()
  expect(local.cell.get().video).toBeDefined()
  model.ui.patch({ route: 'people' })
  await settled()
  expect(local.cell.get()).toMatchObject({ audio: undefined, video: undefined })
})

describe('data use', () => {
  it('is kept for later visits; at first the browser says', () => {
    const ever = memory()
    expect(page({}, memory(), ever).client.state.dataUse).toBe('normal')
    expect(page({}, memory(), ever, undefined, true).client.state.dataUse).toBe('low')
    page({}, memory(), ever).model.data('normal')
    expect(page({}, memory(), ever, undefined, true).client.state.dataUse).toBe('normal')
    page({}, memory(), ever).model.data('audio')
    expect(page({}, memory(), ever).client.state.dataUse).toBe('audio')
    ever.set('st.data', 'none at all')
    expect(page({}, memory(), ever).client.state.dataUse).toBe('normal')
  })

  it('without pictures the camera is off, in a call and in the preview', async () => {
    const { client, local, model } = page()
    const sent = () => client.asked.filter((a) => a.startsWith('media')).at(-1)
    await model.go('video')
    client.set({ phase: 'call', call: call('c1'), queue: undefined })
    model.data('audio')
    await settled()
    expect(local.cell.get()).toMatchObject({ video: undefined, audio: expect.anything() })
    expect(sent()).toBe('media audio -')
    model.data('low')
    await settled()
    expect(sent()).toBe('media audio video')
    client.set({ phase: 'idle', call: undefined })
    model.data('audio')
    model.preview()
    await settled()
    expect(local.cell.get().video).toBeUndefined()
    model.data('normal')
    await settled()
    expect(local.cell.get().video).toBeDefined()
  })

  it('whoever went in without a camera is not filmed for using more data', async () => {
    const { client, local, model } = page()
    await model.go('audio')
    client.set({ phase: 'call', call: call('c1'), queue: undefined })
    model.data('low')
    await settled()
    expect(local.cell.get().video).toBeUndefined()
  })
})

describe('start', () => {
  it('shows the preview the first time, then goes straight to waiting', async () => {
    const { client, model } = page()
    model.start()
    await settled()
    expect(model.screen).toBe('preview')
    await model.go('video')
    expect(model.screen).toBe('waiting')
    model.home()
    model.start()
    await settled()
    expect(model.screen).toBe('waiting')
    expect(client.asked.filter((a) => a === 'join')).toHaveLength(2)
  })

  it('who chose text can choose again', async () => {
    const { local, model } = page()
    await model.go('text')
    model.home()
    expect(model.ui.get().mode).toBe('text')
    model.preview()
    await settled()
    expect(model.screen).toBe('preview')
    expect(local.cell.get().video).toBeDefined()
  })

  it('shows the preview again when the devices fail, before a stranger meets nobody', async () => {
    const { client, model } = page()
    await model.go('video')
    model.home()
    devices.refuse.video = new DOMException('', 'NotReadableError')
    model.start()
    await settled()
    expect(model.screen).toBe('preview')
    expect(client.asked.filter((a) => a === 'join')).toHaveLength(1)
    await model.go('audio')
    expect(model.screen).toBe('waiting')
  })

  it('an error of the search before does not end this one', async () => {
    const { client, model } = page({ error: { code: 'unknown_topic', message: '', retry: 'never' } })
    void model.go('video')
    client.set({ topics: [] })
    expect(model.screen).toBe('waiting')
    await settled()
    expect(client.asked).toContain('join')
  })
})

describe('an invitation', () => {
  const arrive = (invited: string, ever = memory(), freeTopics = false) => {
    const p = page({ link: 'connecting', user: undefined, topics: [], freeTopics: false }, memory(), ever, invited)
    p.client.set({ link: 'online', user: IDLE.user, topics: IDLE.topics, freeTopics })
    return p
  }

  it('picks its topic', () => {
    const { ui } = arrive('gaming').model
    expect(ui.get()).toMatchObject({ picked: ['gaming'], missing: undefined })
  })

  it('to a topic that is not offered says so and leaves the choice', () => {
    const ever = memory()
    ever.set('st.topics', 'news')
    const { client, model } = arrive('knitting', ever)
    expect(model.ui.get()).toMatchObject({ picked: ['news'], missing: 'knitting' })
    client.set({ topics: IDLE.topics.slice() })
    expect(model.ui.get().missing).toBe('knitting')
    model.toggle('sports')
    expect(model.ui.get()).toMatchObject({ picked: ['news', 'sports'], missing: undefined })
  })

  it('to any words is one where they are allowed', () => {
    const { model } = arrive('knitting', memory(), true)
    expect(model.ui.get()).toMatchObject({ picked: [], own: ['knitting'], missing: undefined })
    expect(model.topics()).toEqual(['knitting'])
  })

  it('that came to nothing is not spoken of later', async () => {
    const { model } = arrive('knitting')
    model.start()
    await settled()
    model.home()
    expect(model.ui.get().missing).toBeUndefined()
  })
})

describe('whom one looks for', () => {
  it('is kept for later visits; at first in the languages of the browser, and anybody in time', async () => {
    const ever = memory()
    const first = page({}, memory(), ever, undefined, false, ['de-AT', 'en'])
    await first.model.go('text')
    expect(first.client.sought).toEqual({ topics: 'any', langs: ['de', 'en'], widenAfterMs: 15_000 })
    first.model.langs([])
    first.model.widening('strict')
    first.model.toggle('news')
    first.model.own(['board games', 'chess'])
    const later = page({}, memory(), ever, undefined, false, ['de-AT', 'en'])
    await later.model.go('text')
    expect(later.client.sought).toEqual({ topics: ['news', 'board games', 'chess'], langs: [], strict: true })
  })

  it('nonsense that was kept is as if nothing had been', () => {
    const ever = memory()
    ever.set('st.widen', 'sometimes')
    expect(page({}, memory(), ever).model.ui.get().widening).toBe('15')
  })

  it('eight topics at most: the oldest goes', () => {
    const { model } = page()
    model.own(['1', '2', '3', '4', '5', '6', '7'])
    model.toggle('news')
    model.toggle('sports')
    expect(model.topics()).toEqual(['sports', '1', '2', '3', '4', '5', '6', '7'])
    model.own(['1', '2', '3', '4', '5', '6', '7', '8'])
    model.toggle('sports')
    model.toggle('gaming')
    expect(model.topics()).toEqual(['gaming', '2', '3', '4', '5', '6', '7', '8'])
  })

  it('anything is without topics of one\'s own', () => {
    const { model } = page()
    model.own(['chess'])
    model.anything()
    expect(model.topics()).toEqual([])
  })

  it('own topics are kept but not looked for where the server does not take them', () => {
    const { client, model } = page()
    model.own(['chess'])
    client.set({ freeTopics: false })
    expect(model.topics()).toEqual([])
    client.set({ freeTopics: true })
    expect(model.topics()).toEqual(['chess'])
  })

  it('the next search is like the one before', async () => {
    const { client, model } = page()
    model.toggle('news')
    await model.go('text')
    const before = client.sought
    client.set({ phase: 'left', left: { reason: 'next', name: 'Calm Fox', rung: false }, queue: undefined })
    model.again()
    expect(client.sought).toEqual(before)
    expect(client.asked.filter((a) => a === 'join')).toHaveLength(2)
  })
})

describe('the last partner', () => {
  const undo = { call: 'c1', name: 'Calm Fox', until: 10_000, asked: false, wanted: false }
  const b = { key: 'b', timeStamp: 0, target: {} } as unknown as KeyboardEvent

  it.each<[string, Partial<State>, boolean]>([
    ['while waiting', { phase: 'queued', undo }, true],
    ['when left', { phase: 'left', left: { reason: 'next', name: 'Calm Fox', rung: false }, undo }, true],
    ['at the topics', { undo }, true],
    ['when nobody is there', { phase: 'queued' }, false],
    ['in a call', { phase: 'call', call: call('c2') }, false],
  ])('B asks back %s', (_, state, asked) => {
    const { client, model } = page(state)
    expect(model.key(b)).toBe(asked)
    expect(client.asked.includes('undo')).toBe(asked)
  })
})

describe('going on by itself', () => {
  it('is remembered once the person has said', () => {
    const ever = memory()
    const { model } = page({}, memory(), ever)
    expect(model.ui.get().auto).toBeUndefined()
    model.auto(false)
    expect(page({}, memory(), ever).model.ui.get().auto).toBe(false)
    model.auto(true)
    expect(page({}, memory(), ever).model.ui.get().auto).toBe(true)
  })
})

describe('what the partner gets', () => {
  it('never a picture that was switched off before', async () => {
    const { client, local, model } = page()
    await local.open('video')
    model.camera()
    await model.go('video')
    const first = client.asked.indexOf('media audio video')
    expect(first).toBeGreaterThan(0)
    expect(client.asked.slice(0, first)).toContain('enabled true false')
    expect(client.asked).not.toContain('enabled true true')
  })

  it('nothing more once one is back at the topics', async () => {
    const { client, model } = page()
    await model.go('video')
    model.home()
    expect(client.asked.at(-1)).toBe('media - -')
    expect(devices.given.every((t) => t.stopped)).toBe(true)
  })

  it('sound and picture again when a call goes on in a new page, switched as they were', async () => {
    const { tab, model } = page()
    await model.go('video')
    model.mute()
    const again = page({ phase: 'idle', user: undefined, link: 'connecting' }, tab)
    again.client.set({ link: 'online', user: IDLE.user, phase: 'call', call: call('c1') })
    await settled()
    expect(again.model.screen).toBe('call')
    expect(again.client.asked).toContain('media audio video')
    expect(again.client.asked.at(-1)).toBe('enabled false true')
  })
})

describe('Next', () => {
  it('a double click does not skip somebody just met', () => {
    const { client, model } = page({ phase: 'call', call: call('c1') })
    model.next()
    client.set({ phase: 'call', call: call('c2') })
    vi.advanceTimersByTime(200)
    model.next()
    expect(client.state.call?.id).toBe('c2')
    expect(client.asked.filter((a) => a === 'next')).toHaveLength(1)
    vi.advanceTimersByTime(300)
    model.next()
    expect(client.asked.filter((a) => a === 'next')).toHaveLength(2)
  })
})
