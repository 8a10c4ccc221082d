import type { State } from '@smalltalk/client'
import { describe, expect, it } from 'vitest'
import { Keys } from '../src/keys'
import { zoom } from '../src/media/fit'
import { loudness } from '../src/media/level'
import { classify, help, type Kind } from '../src/media/problem'
import { cornerName, moved, nearest, turned, type Corner } from '../src/parts/snap'
import { callNote } from '../src/parts/trouble'
import { backLine } from '../src/parts/back'
import { topicProblem } from '../src/parts/seek'
import { aboutLine, clock, manyLine, usualLine, widenedLine } from '../src/parts/wait'
import { errorLine, leftLine, sharedLine } from '../src/parts/words'
import { closedLines } from '../src/screens/closed'
import { anchorOf, crowd, listed, screenOf, topicNames, type Screen } from '../src/screen'
import { inLangs, langName, searchOf, spoken } from '../src/search'
import { IDLE } from './demo/fake'

describe('snapping', () => {
  it.each<[number, number, Corner]>([
    [10, 10, 'tl'],
    [390, 10, 'tr'],
    [10, 790, 'bl'],
    [390, 790, 'br'],
    [199, 399, 'tl'],
    [200, 400, 'br'],
    [-50, 900, 'bl'],
  ])('%i,%i rests in %s', (x, y, corner) => expect(nearest(x, y, 400, 800)).toBe(corner))

  it.each<[Corner, string, Corner | undefined]>([
    ['tr', 'ArrowLeft', 'tl'],
    ['tr', 'ArrowDown', 'br'],
    ['tr', 'ArrowUp', 'tr'],
    ['bl', 'ArrowRight', 'br'],
    ['bl', 'ArrowUp', 'tl'],
    ['bl', 'Enter', undefined],
  ])('%s and %s give %s', (from, key, to) => expect(moved(from, key)).toBe(to))

  it('a tap goes round all four corners', () => {
    const seen: Corner[] = ['tl']
    for (let i = 0; i < 4; i++) seen.push(turned(seen[i]!))
    expect(seen).toEqual(['tl', 'tr', 'br', 'bl', 'tl'])
    expect(seen.map(cornerName)).toContain('bottom right')
  })
})

describe('keys', () => {
  it('Esc twice within the window is Next', () => {
    const keys = new Keys()
    expect(keys.press({ key: 'Escape' }, 1000, true, true)).toBe('arm-next')
    expect(keys.press({ key: 'Escape' }, 2400, true, true)).toBe('next')
    expect(keys.press({ key: 'Escape' }, 2500, true, true)).toBe('arm-next')
    expect(keys.press({ key: 'Escape' }, 4100, true, true)).toBe('arm-next')
    keys.reset()
    expect(keys.press({ key: 'Escape' }, 4200, true, true)).toBe('arm-next')
  })
  it('B after a call asks the last one back, and nothing else does anything there', () => {
    const press = (key: string, typing = false, letters = true, inCall = false) => new Keys().press({ key }, 1000, typing, letters, inCall)
    expect([press('b'), press('B')]).toEqual(['back', 'back'])
    expect([press('m'), press('Escape'), press('b', true), press('b', false, false), press('b', false, true, true)]).toEqual([undefined, undefined, undefined, undefined, undefined])
  })
  it('Esc that ends the choice of a character is not ours', () => {
    expect(new Keys().press({ key: 'Escape', isComposing: true }, 1000, true, true)).toBeUndefined()
  })
  it.each([
    ['m', 'mute'],
    ['V', 'camera'],
    ['/', 'chat'],
    ['t', 'chat'],
    ['?', 'help'],
    ['x', undefined],
    ['Enter', undefined],
  ])('%s is %s', (key, command) => {
    expect(new Keys().press({ key }, 0, false, true)).toBe(command)
    expect(new Keys().press({ key }, 0, true, true)).toBeUndefined()
    expect(new Keys().press({ key }, 0, false, false)).toBeUndefined()
    expect(new Keys().press({ key, ctrlKey: true }, 0, false, true)).toBeUndefined()
    expect(new Keys().press({ key, repeat: true }, 0, false, true)).toBeUndefined()
  })
})

describe('zoom', () => {
  const desktop = { w: 1280, h: 800 }
  const phone = { w: 390, h: 844 }
  it('fills a stage of about the same shape', () => {
    expect(zoom({ w: 1280, h: 720 }, desktop)).toBeCloseTo(1280 / 720 / (1280 / 800))
    expect(zoom({ w: 720, h: 1280 }, phone)).toBeCloseTo(720 / 1280 / (390 / 844))
  })
  it('cuts off no more than is good across shapes', () => {
    expect(zoom({ w: 1280, h: 720 }, phone)).toBeCloseTo(1 / 0.58)
    expect(zoom({ w: 720, h: 1280 }, desktop)).toBeCloseTo(1 / 0.58)
  })
  it('is 1 before anything is known', () => expect(zoom({ w: 0, h: 0 }, phone)).toBe(1))
})

describe('loudness', () => {
  it.each([
    ['silence', 0, 0],
    ['a whisper', 0.003, 0.19],
    ['a voice', 0.1, 0.8],
    ['shouting', 1, 1],
  ])('%s', (_, amplitude, level) => expect(loudness([amplitude, -amplitude])).toBeCloseTo(level, 1))
  it('of nothing is nothing', () => expect(loudness([])).toBe(0))
})

describe('problems', () => {
  it.each<[string, string, Kind]>([
    ['NotAllowedError', 'Permission denied', 'refused'],
    ['NotAllowedError', 'Permission denied by system', 'system'],
    ['SecurityError', '', 'refused'],
    ['NotFoundError', 'Requested device not found', 'missing'],
    ['OverconstrainedError', '', 'missing'],
    ['NotReadableError', 'Could not start video source', 'busy'],
    ['AbortError', '', 'busy'],
    ['TypeError', '', 'failed'],
  ])('%s %s is %s', (name, message, kind) => expect(classify({ name, message })).toBe(kind))
  it('knows nothing about no error', () => expect(classify(undefined)).toBe('failed'))
  it('has help for each, naming the device', () => {
    for (const kind of ['refused', 'system', 'missing', 'busy', 'failed'] as const) {
      const { title, steps } = help({ kind, device: 'camera' })
      expect(title).toContain('camera')
      expect(title).not.toContain('microphone')
      expect(steps.length).toBeGreaterThan(0)
    }
    expect(help({ kind: 'insecure', device: 'both' }).steps[0]).toContain('https')
  })
})

describe('screens', () => {
  it.each<[Screen, Parameters<typeof screenOf>[0], Parameters<typeof screenOf>[1]]>([
    ['splash', { link: 'connecting', user: undefined, phase: 'idle' }, 'home'],
    ['splash', { link: 'reconnecting', user: undefined, phase: 'idle' }, 'home'],
    ['splash', { ...IDLE, link: 'connecting' }, 'home'],
    ['home', IDLE, 'home'],
    ['preview', IDLE, 'preview'],
    ['waiting', IDLE, 'starting'],
    ['waiting', { ...IDLE, phase: 'queued' }, 'home'],
    ['call', { ...IDLE, phase: 'call' }, 'preview'],
    ['call', { ...IDLE, phase: 'call', link: 'reconnecting' }, 'home'],
    ['left', { ...IDLE, phase: 'left' }, 'home'],
    ['closed', { ...IDLE, phase: 'call', link: 'closed', closedBy: 'replaced' }, 'home'],
    ['closed', { ...IDLE, link: 'closed', closedBy: 'full', user: undefined }, 'home'],
    ['home', { ...IDLE, link: 'closed', closedBy: 'user' }, 'home'],
  ])('%s', (screen, state, route) => expect(screenOf(state, route)).toBe(screen))

  it('only what lies past the topics has a history entry', () => {
    const names: Screen[] = ['splash', 'home', 'closed', 'preview', 'waiting', 'call', 'left']
    expect(names.map(anchorOf)).toEqual(['', '', '', 'preview', 'waiting', 'talk', 'talk'])
  })
})

describe('a search', () => {
  it('speaks what the browser speaks, at most three', () => {
    expect(spoken(['de-AT', 'de', 'en-US', 'en'])).toEqual(['de', 'en'])
    expect(spoken(['de', 'en', 'fr', 'it'])).toEqual(['de', 'en', 'fr'])
    expect(spoken([])).toEqual([])
  })
  it('names languages', () => {
    expect(inLangs(['en'])).toBe(', in English')
    expect(inLangs([])).toBe('')
    expect(langName('not a tag')).toBe('not a tag')
  })
  it('has what the client needs', () => {
    expect(searchOf([], [], 'ask')).toEqual({ topics: 'any', langs: [] })
    expect(searchOf(['news'], ['en'], 'strict')).toEqual({ topics: ['news'], langs: ['en'], strict: true })
    expect(searchOf(['news'], ['en'], '15')).toEqual({ topics: ['news'], langs: ['en'], widenAfterMs: 15_000 })
    expect(searchOf(['news'], ['en'], '60')).toEqual({ topics: ['news'], langs: ['en'], widenAfterMs: 60_000 })
  })
})

describe('words', () => {
  it('lists', () => {
    expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map((words) => listed(words))).toEqual(['', 'a', 'a and b', 'a, b and c'])
    expect(listed(['a', 'b', 'c'], 'or')).toBe('a, b or c')
    expect(topicNames(['movies', 'gone'], IDLE.topics)).toEqual(['Movies & TV', 'gone'])
  })
  it('does not make small numbers more exact than they are', () => expect([4, 5, 212].map(crowd)).toEqual(['1–4', '5', '212']))
  it('says whose topics they are', () => {
    expect(sharedLine([], IDLE.topics, ['gaming'])).toBe('')
    expect(sharedLine(['gaming', 'chess'], IDLE.topics, ['gaming', 'chess', 'news'])).toBe('You both picked Gaming and chess')
    expect(sharedLine(['movies'], IDLE.topics, ['gaming'])).toBe('They picked Movies & TV')
    expect(sharedLine(['movies'], IDLE.topics, [])).toBe('They picked Movies & TV')
  })
  it('says what still counts in a search', () => {
    expect(aboutLine([], [], [])).toBe('to talk about anything')
    expect(aboutLine(['Gaming', 'News'], ['en', 'de'], [])).toBe('to talk about Gaming and News, in English or German')
    expect(aboutLine(['Gaming'], ['en'], ['topics'])).toBe('to talk about anything, in English')
    expect(aboutLine(['Gaming'], ['en'], ['langs'])).toBe('to talk about Gaming')
    expect(widenedLine([])).toBe('')
    expect(widenedLine(['topics'])).toContain('Any topic')
    expect(widenedLine(['langs'])).toContain('Any language')
    expect(widenedLine(['topics', 'langs'])).toMatch(/topic.*language/)
  })
  it('says how many wait only when that is known', () => {
    expect([0, 1, 4].map((n) => manyLine(n, 5_000).trim())).toEqual(['', 'You are the first in line', 'A few people are waiting'])
    expect(manyLine(1, 21_000)).toContain('quiet')
  })
  it.each<[number | undefined, number, string]>([
    [undefined, 0, ''],
    [undefined, 500_000, ''],
    [0, 0, 'Usually a few seconds'],
    [7_400, 0, 'Usually a few seconds'],
    [17_600, 0, 'Usually about 20 s'],
    [57_000, 0, 'Usually about 55 s'],
    [58_000, 0, 'Usually about a minute'],
    [89_000, 0, 'Usually about a minute'],
    [150_000, 0, 'Usually about 3 minutes'],
    [7_200_000, 0, 'Usually more than an hour'],
    [20_000, 41_000, 'Usually about 20 s; longer this time'],
    [2_000, 6_000, 'Usually a few seconds'],
  ])('a wait of %s ms, of which %i are over: %s', (eta, waited, line) => expect(usualLine(eta, waited)).toBe(line))
  it('says how it stands with the last partner', () => {
    const of = (asked: boolean, wanted: boolean) => backLine({ name: 'Calm Fox', asked, wanted })
    expect(of(false, false)).toBe('Get Calm Fox back?')
    expect(of(false, true)).toBe('Calm Fox would like to come back')
    expect(of(true, false)).toContain('they have to ask too')
  })
  it('says what is wrong with a topic', () => {
    expect(topicProblem('chess', ['gaming'])).toBeUndefined()
    expect(topicProblem('  ', [])).toContain('first')
    expect(topicProblem('x'.repeat(65), [])).toContain('too long')
    expect(topicProblem('a\u202eb', [])).toContain('letters')
    expect(topicProblem(' CHESS', ['chess'])).toContain('already')
    expect(topicProblem('chess', [...'12345678'])).toContain('8 topics')
  })
  it('tells the time', () => expect([-5, 0, 61_500, 3_600_000].map(clock)).toEqual(['0:00', '0:00', '1:01', '60:00']))
  it('says when to try again', () => {
    expect(errorLine({ code: 'rate_limited', message: 'no', retry: 'later', retryAfterMs: 2100 })).toContain('3 s')
    expect(errorLine({ code: 'internal', message: 'The disk is full.', retry: 'later' })).toBe('The disk is full.')
    expect(errorLine({ code: 'internal', message: '', retry: 'later' })).not.toBe('')
  })
  it('has a line for every end', () => {
    const ends = (['next', 'left', 'lost', 'blocked', 'kicked', 'restart'] as const).map(leftLine)
    expect(new Set(ends).size).toBe(6)
    const error = { code: 'unauthorized', message: 'This server needs an account.', retry: 'never' } as const
    expect(closedLines('unauthorized', error)).toMatchObject({ text: error.message, retry: 'Try again' })
    expect(closedLines('unauthorized', { ...error, retry: 'reauth' }).retry).toBe('Come in as a guest')
    const titles = (['full', 'too_many', 'banned', 'unauthorized', 'unsupported', 'user'] as const).map((by) => closedLines(by).title)
    expect(new Set(titles).size).toBe(6)
  })
})

describe('trouble in a call', () => {
  const callWith = (peerConnection: 'ok' | 'reconnecting') =>
    ({ id: 'c', peer: { id: 'p', name: 'Calm Fox', friend: false }, rung: false, topics: [], startedAt: 0, peerAudio: true, peerVideo: true, peerWatching: true, peerConnection }) satisfies State['call']
  it.each<[string, State['rtc'], number, 'ok' | 'reconnecting', string]>([
    ['nothing', 'connected', 0, 'ok', ''],
    ['the partner is away', 'connected', 0, 'reconnecting', 'Calm Fox lost'],
    ['both are away: one\'s own failure first', 'failed', 1, 'reconnecting', 'Your video connection failed'],
    ['one more try after a failure', 'connecting', 2, 'reconnecting', 'Your video connection failed'],
    ['interrupted, and the partner too', 'disconnected', 0, 'reconnecting', 'Your video connection is interrupted'],
    ['not connected yet, nor is the partner', 'connecting', 0, 'reconnecting', 'Your video is connecting'],
    ['refused for good', 'failed', 0, 'ok', 'Your video connection failed'],
  ])('%s', (_, rtc, rtcFailures, peerConnection, text) => {
    const said = callNote({ rtc, rtcFailures, call: callWith(peerConnection) })?.text ?? ''
    expect(said.startsWith(text) && (text !== '' || said === '')).toBe(true)
  })
})
