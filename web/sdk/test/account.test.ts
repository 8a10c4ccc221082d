import { expect, test, vi } from 'vitest'
import { createAccount, type AccountOptions } from '../src/account.js'

interface Asked {
  url: string
  method: string
  headers: Record<string, string>
  body?: string
  credentials: string
}

function account(answers: readonly (readonly [status: number, body: string])[], options: Partial<AccountOptions> = {}) {
  const asked: Asked[] = []
  const queue = [...answers]
  const signedIn = vi.fn()
  const a = createAccount({
    url: 'http://h/',
    native: false,
    token: () => undefined,
    signedIn,
    fetch: async (url, init) => {
      asked.push({ url, ...init })
      const [status = 204, body = ''] = queue.shift() ?? []
      return { status, headers: { get: () => null }, text: async () => body }
    },
    ...options,
  })
  return { a, asked, signedIn }
}

const user = { id: 'u1', name: 'Calm Otter', guest: false, roles: [] }

test('a browser signs up by cookie and learns no token', async () => {
  const { a, asked, signedIn } = account([[201, JSON.stringify({ user })]])
  expect(await a.signUp({ username: 'otter', password: 'long enough' })).toEqual(user)
  expect(asked).toEqual([{ url: 'http://h/api/v1/users', method: 'POST', headers: { 'Content-Type': 'application/json' }, credentials: 'same-origin', body: '{"username":"otter","password":"long enough"}' }])
  expect(signedIn).toHaveBeenCalledWith(undefined)
})

test('a native client sends its token, no cookies, and gets the new one', async () => {
  const { a, asked, signedIn } = account([[200, JSON.stringify({ user, token: 'new' })]], { native: true, token: () => 'old' })
  await a.logIn({ username: 'otter', password: 'long enough' })
  expect(asked[0]).toMatchObject({ credentials: 'omit', headers: { Authorization: 'Bearer old', 'Smalltalk-Client': 'native' } })
  expect(signedIn).toHaveBeenCalledWith('new')
})

test('a refusal keeps its code, and a page of a proxy is one too', async () => {
  const refused = { code: 'rate_limited', message: 'slow', retry: 'later', retry_after_ms: 4_000 }
  await expect(account([[429, JSON.stringify(refused)]]).a.me()).rejects.toMatchObject({ status: 429, code: 'rate_limited', retry: 'later', retryAfterMs: 4_000 })
  await expect(account([[502, '<html>']]).a.me()).rejects.toMatchObject({ status: 502, code: 'internal', retry: 'same' })
  const offline = account([], { fetch: () => Promise.reject(new TypeError('failed')) })
  await expect(offline.a.me()).rejects.toMatchObject({ status: 0, code: 'offline' })
})

test('a reply that was cut off, and a network that answers in the place of the server, are no reply', async () => {
  const ok = (text: () => Promise<string>): AccountOptions['fetch'] => async () => ({ status: 200, headers: { get: () => null }, text })
  for (const text of [() => Promise.reject(new TypeError('cut off')), async () => '{"friends":[', async () => '<html>Please log in</html>', async () => '']) {
    await expect(account([], { fetch: ok(text) }).a.friends()).rejects.toMatchObject({ status: 0, code: 'offline', retry: 'same' })
    await expect(account([], { fetch: ok(text) }).a.unfriend('f')).rejects.toMatchObject({ code: 'offline' })
  }
})

test('a new password does not begin a new session, a new name does; who keeps the token gets the new one', async () => {
  const me = { id: 'u1', name: 'Calm Otter', guest: false, roles: [] }
  const changes = async (body: object, reply: object, native = false): Promise<unknown[][]> => {
    const { a, signedIn } = account([[200, JSON.stringify(reply)]], native ? { native, token: () => 'old' } : {})
    await a.change(body)
    return signedIn.mock.calls
  }
  expect(await changes({ password: 'long enough' }, me)).toEqual([])
  expect(await changes({ password: 'long enough' }, { ...me, token: 'new' }, true)).toEqual([['new']])
  expect(await changes({ name: 'Otter' }, me)).toEqual([[undefined]])
  expect(await changes({ name: 'Otter' }, me, true)).toEqual([['old']])
})

test('an address is shown to be one\'s own by a code that was mailed', async () => {
  const me = JSON.stringify({ id: 'u1', name: 'Calm Otter', guest: false, roles: [], account: { username: 'otter', email: 'otter@example.org' } })
  const { a, asked, signedIn } = account([[202, '{"valid_ms":900000}'], [200, me], [200, me], [200, me]])
  expect(await a.mailCode('otter@example.org', 'account')).toBe(900_000)
  expect((await a.setEmail('otter@example.org', 'ABCD-EFGH', 'long enough')).account?.email).toBe('otter@example.org')
  await a.setEmail('otter@example.org', 'ABCD-EFGH', undefined)
  await a.removeEmail('long enough')
  expect(asked.map(({ method, url, body }) => `${method} ${url.slice('http://h/api/v1'.length)} ${body}`)).toEqual([
    'POST /email/codes {"email":"otter@example.org","for":"account"}',
    'PUT /users/me/email {"email":"otter@example.org","code":"ABCD-EFGH","password":"long enough"}',
    'PUT /users/me/email {"email":"otter@example.org","code":"ABCD-EFGH"}',
    'DELETE /users/me/email {"password":"long enough"}',
  ])
  expect(asked.every((r) => r.headers['Content-Type'] === 'application/json')).toBe(true)
  expect(signedIn).not.toHaveBeenCalled()
})

test('whoever gets the mail gets in again', async () => {
  const { a, asked, signedIn } = account([[200, JSON.stringify({ user, token: 'new' })]], { native: true })
  expect(await a.reset({ email: 'otter@example.org', code: 'ABCD-EFGH', password: 'long enough' })).toEqual(user)
  expect(asked[0]).toMatchObject({ method: 'POST', url: 'http://h/api/v1/sessions/email' })
  expect(signedIn).toHaveBeenCalledWith('new')
})

test('ids go into the path, and nowhere else', async () => {
  const { a, asked } = account([])
  await a.unfriend('a/../b')
  expect(asked[0]).toMatchObject({ method: 'DELETE', url: 'http://h/api/v1/friends/a%2F..%2Fb' })
  expect(asked[0]?.body).toBeUndefined()
})

test('a passkey is made and used between two requests', async () => {
  const authenticator = { create: vi.fn(async () => ({ id: 'made' })), get: vi.fn(async () => ({ id: 'got' })) }
  const ceremony = JSON.stringify({ ceremony: 'c1', public_key: { challenge: 'x' } })
  const made = account([[200, ceremony], [201, JSON.stringify({ user, passkey: { id: 'k', label: '', created: 1 } })]], { authenticator })
  await made.a.signUpByPasskey({ username: 'otter' }, 'Firefox on Linux')
  expect(authenticator.create).toHaveBeenCalledWith({ challenge: 'x' })
  expect(JSON.parse(made.asked[1]?.body ?? '')).toEqual({ ceremony: 'c1', credential: { id: 'made' }, device: 'Firefox on Linux', label: 'Firefox on Linux' })
  expect(made.signedIn).toHaveBeenCalledTimes(1)
  const used = account([[200, ceremony], [200, JSON.stringify({ user })]], { authenticator })
  await used.a.logInByPasskey()
  expect(JSON.parse(used.asked[1]?.body ?? '')).toEqual({ ceremony: 'c1', credential: { id: 'got' } })
  await expect(account([[200, ceremony]]).a.logInByPasskey()).rejects.toMatchObject({ code: 'passkey_rejected' })
})
