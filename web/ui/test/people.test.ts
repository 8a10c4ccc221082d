import { ApiError } from '@smalltalk/client/account'
import { describe, expect, it } from 'vitest'
import { emailHelp } from '../src/people/email'
import { rungLine } from '../src/people/notes'
import { deviceName, trouble } from '../src/people/social'
import { ago, apart, wait, wordsFor } from '../src/people/words'

describe('the name of a device', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0', 'Firefox on Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36 Edg/156.0', 'Edge on Windows'],
    ['Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Mobile Safari/537.36', 'Chrome on Android'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15', 'Safari on macOS'],
    ['something', 'Browser'],
  ])('%s', (agent, name) => {
    expect(deviceName(agent)).toBe(name)
  })
})

describe('trouble', () => {
  it('says how long to wait', () => {
    expect(trouble(new ApiError(429, 'rate_limited', 'slow', 'later', 3_200))?.text).toBe('That was too often. Try again in 4 s.')
  })
  it('takes the words of the server where none fit', () => {
    expect(trouble(new ApiError(400, 'bad_password', 'Too easily guessed.', 'never'))).toEqual({ code: 'bad_password', text: 'Too easily guessed.' })
  })
  it('says it in words where a network or a proxy has none', () => {
    expect(trouble(new ApiError(0, 'offline', 'TypeError: Failed to fetch', 'same'))?.text).toBe('The server cannot be reached. Try again.')
    expect(trouble(new ApiError(502, 'internal', 'HTTP status 502', 'same'))?.text).toBe('Something went wrong on the server. Try again.')
    expect(trouble(new DOMException('', 'InvalidStateError'))?.text).toBe('This device has a passkey for it already.')
  })
  it('says what to do about a code that is not right', () => {
    expect(trouble(new ApiError(403, 'wrong_code', 'x', 'never'))?.text).toContain('newest mail')
    expect(trouble(new ApiError(403, 'email_domain', 'This server takes e-mail addresses of uni.example only.', 'never'))?.text).toContain('uni.example')
  })
  it('is silent when the person has changed their mind about a passkey', () => {
    expect(trouble(new DOMException('', 'NotAllowedError'))).toBeUndefined()
  })
  it('hides no fault of the program', () => {
    expect(() => trouble(new TypeError('x'))).toThrow('x')
  })
})

it('how a ring ended is told to whom it is news', () => {
  const friend = { id: 'f', name: 'Calm Fox' }
  expect(rungLine({ way: 'out', friend, reason: 'busy' })).toBe('\u2068Calm Fox\u2069 is busy with another call')
  expect(rungLine({ way: 'out', friend: { id: 'f', name: '' }, reason: 'declined' })).toBe('Your friend cannot talk now')
  expect(rungLine({ way: 'in', friend, reason: 'answered_elsewhere' })).toBe('Answered on another device')
  expect(rungLine({ way: 'in', friend, reason: 'timeout' })).toBeUndefined()
  expect(rungLine({ way: 'out', friend, reason: 'cancelled' })).toBeUndefined()
})

it.each([
  [30_000, 'just now'],
  [90_000, '1 min ago'],
  [7_200_000, '2 h ago'],
  [90_000_000, 'yesterday'],
  [260_000_000, '3 days ago'],
])('%d ms ago', (ms, text) => {
  expect(ago(1e12 - ms, 1e12)).toBe(text)
})

it.each([
  [900, '1 s'],
  [100_000, '100 s'],
  [101_000, '2 min'],
  [840_000, '14 min'],
])('a wait of %d ms', (ms, text) => {
  expect(wait(ms)).toBe(text)
  expect(wordsFor('rate_limited', '', ms)).toBe(`That was too often. Try again in ${text}.`)
})

it('a name stands apart from the sentence around it', () => {
  expect(apart('\u05d3\u05d1')).toBe('\u2068\u05d3\u05d1\u2069')
})

it('says which addresses are taken where not all are', () => {
  const access = { access: 'open', guests: true, invite: false, passkeys: false, email: true } as const
  expect(emailHelp(access)).toContain('If you forget your password')
  expect(emailHelp({ ...access, access: 'domain', guests: false, email_domains: ['example.org', 'uni.example'] })).toBe('Of example.org or uni.example. A code is sent to it.')
})
