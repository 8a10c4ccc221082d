/** What a person does over HTTP: signing up and in, the account and its devices, passkeys, friends, blocks and the like. */
import type { Api, ApiErrorCode, ChangeBody, DeviceInfo, EmailCodeBody, Export, FriendInfo, LogInBody, MeReply, PartnerInfo, PasskeyInfo, PersonBody, PersonInfo, RecoverBody, ResetBody, SignUpBody, UserInfo } from './api.js'
import type { ErrorRetry } from './protocol.js'

/** The part of the standard `fetch` that is used. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; credentials: 'same-origin' | 'omit' },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>

/** The device's side of passkeys: it takes and gives what WebAuthn calls the JSON forms. Rejects if the person does not want to after all. */
export interface Authenticator {
  create(options: Record<string, unknown>): Promise<Record<string, unknown>>
  get(options: Record<string, unknown>): Promise<Record<string, unknown>>
}

/** What {@link createAccount} needs. */
export interface AccountOptions {
  /** As for the client. */
  url: string
  fetch: Fetch
  /** The token of this client's session, sent as bearer; without one a browser's cookie says who it is. */
  token: () => string | undefined
  /** Whether tokens are kept by this program, not in a cookie; then a new one is handed to `signedIn`. */
  native: boolean
  /** Called when one has become somebody else, or has a new token, or (`undefined` in a browser) a new cookie. Usually the client's `signIn`. */
  signedIn: (token: string | undefined) => void
  authenticator?: Authenticator
}

/** A request that the server refused, or that did not reach it (`status` 0, code `offline`). */
export class ApiError extends Error {
  readonly status: number
  readonly code: ApiErrorCode | 'offline'
  readonly retry: ErrorRetry
  readonly retryAfterMs: number | undefined

  constructor(status: number, code: ApiErrorCode | 'offline', message: string, retry: ErrorRetry, retryAfterMs?: number) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.retry = retry
    this.retryAfterMs = retryAfterMs
  }
}

type Route = keyof Api
type Body<R extends Route> = Api[R]['body']
type Reply<R extends Route> = Api[R]['reply']

/** A password may confirm; after a log-in by passkey of less than five minutes ago nothing has to. */
type Confirm = string | undefined

/** Who wants an account without a password. */
interface Newcomer {
  username: string
  name?: string
  invite?: string
  email?: string
  email_code?: string
}

/** The calls of one person. All reject with {@link ApiError}. */
export class Account {
  readonly #o: AccountOptions

  constructor(options: AccountOptions) {
    this.#o = options
  }

  /** Any call, by its route; `id` takes the place of `{id}`. */
  async call<R extends Route>(route: R, body?: Body<R>, id = ''): Promise<Reply<R>> {
    const [method = '', path = ''] = route.split(' ')
    const url = `${this.#o.url.replace(/\/+$/, '')}/api/v1${path.replace('{id}', encodeURIComponent(id))}`
    const token = this.#o.token()
    const headers: Record<string, string> = {}
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`
    if (this.#bearer) headers['Smalltalk-Client'] = 'native'
    const writes = method === 'POST' || method === 'PATCH' || body !== undefined
    if (writes) headers['Content-Type'] = 'application/json'
    const init = { method, headers, credentials: this.#bearer ? ('omit' as const) : ('same-origin' as const), ...(writes ? { body: JSON.stringify(body ?? {}) } : {}) }
    const res = await this.#o.fetch(url, init).catch(unreached)
    const good = res.status >= 200 && res.status < 300
    // Also a body that nobody wants has to be read, else the request stays open.
    const text = await res.text().catch((err: unknown) => (good ? unreached(err) : ''))
    if (!good) throw failure(res.status, text, res.headers.get('Retry-After'))
    if (res.status === 204) return undefined as Reply<R>
    const reply = object(text)
    // A network that wants something of the person first answers in the server's place.
    return reply ? (reply as Reply<R>) : unreached('not the server')
  }

  /** Whether this tab's token is its own, apart from the browser's cookie, as with a guest of one tab only. */
  get #bearer(): boolean {
    return this.#o.native || this.#o.token() !== undefined
  }

  #signed<T extends { token?: string }>(reply: T): T {
    this.#o.signedIn(reply.token)
    return reply
  }

  access = () => this.call('GET /access')

  /** Makes an account; of the guest that one is, if one is one. */
  signUp = async (body: SignUpBody): Promise<UserInfo> => this.#signed(await this.call('POST /users', body)).user
  logIn = async (body: LogInBody): Promise<UserInfo> => this.#signed(await this.call('POST /sessions', body)).user
  /** Sets a new password by a recovery code and logs in. */
  recover = async (body: RecoverBody): Promise<UserInfo> => this.#signed(await this.call('POST /sessions/recovery', body)).user
  /** Sets a new password by a code that was mailed for `reset`, and logs in. */
  reset = async (body: ResetBody): Promise<UserInfo> => this.#signed(await this.call('POST /sessions/email', body)).user
  async logOut(): Promise<void> {
    await this.call('DELETE /sessions')
    this.#o.signedIn(undefined)
  }

  me = (): Promise<MeReply> => this.call('GET /users/me')
  /** A new password ends all other sessions, and gives this one a new token. */
  async change(body: ChangeBody): Promise<MeReply> {
    const me = await this.call('PATCH /users/me', body)
    // The session goes on, by the new cookie; but it knows the old name, and a token of one's own is the new one.
    if (me.token !== undefined || body.name !== undefined) this.#o.signedIn(me.token ?? this.#o.token())
    return me
  }
  /**
   * Has a code mailed that shows that an address is one's own, for one purpose; resolves with how many milliseconds it is good. Whether anybody
   * has the address, it does not tell.
   */
  mailCode = async (email: string, purpose: EmailCodeBody['for']): Promise<number> => (await this.call('POST /email/codes', { email, for: purpose })).valid_ms
  /** Gives the account the address to which a code was mailed for `account`. */
  setEmail = (email: string, code: string, password: Confirm): Promise<MeReply> => this.call('PUT /users/me/email', { email, code, ...confirm(password) })
  removeEmail = (password: Confirm): Promise<MeReply> => this.call('DELETE /users/me/email', password === undefined ? undefined : { password })
  /** Deletes the person, for good. */
  async remove(password: Confirm): Promise<void> {
    await this.call('DELETE /users/me', password === undefined ? undefined : { password })
    this.#o.signedIn(undefined)
  }
  exportData = (): Promise<Export> => this.call('GET /users/me/export')
  /** Ten new recovery codes in the place of all older ones; they can be read this once. */
  newCodes = async (password: Confirm): Promise<string[]> => (await this.call('POST /users/me/recovery', confirm(password))).codes

  devices = async (): Promise<DeviceInfo[]> => (await this.call('GET /sessions')).sessions
  endDevice = (id: string) => this.call('DELETE /sessions/{id}', undefined, id)

  passkeys = async (): Promise<PasskeyInfo[]> => (await this.call('GET /passkeys')).passkeys
  removePasskey = (id: string) => this.call('DELETE /passkeys/{id}', undefined, id)
  /** Makes an account that needs no password. */
  signUpByPasskey = (body: Newcomer, device?: string): Promise<PasskeyInfo> => this.#enrol(body, device)
  /** Adds a passkey to the account. */
  addPasskey = (password: Confirm, device?: string): Promise<PasskeyInfo> => this.#enrol(confirm(password), device)
  async logInByPasskey(device?: string): Promise<UserInfo> {
    const { ceremony, public_key } = await this.call('POST /sessions/passkey/options')
    const credential = await this.#authenticator.get(public_key)
    return this.#signed(await this.call('POST /sessions/passkey', { ceremony, credential, ...on(device) })).user
  }

  friends = async (): Promise<FriendInfo[]> => (await this.call('GET /friends')).friends
  unfriend = (id: string) => this.call('DELETE /friends/{id}', undefined, id)
  requests = async (): Promise<PersonInfo[]> => (await this.call('GET /friends/requests')).requests
  /** Asks for friendship, or says yes. */
  ask = async (whom: PersonBody): Promise<'asked' | 'friends'> => (await this.call('POST /friends/requests', whom)).state
  decline = (id: string) => this.call('DELETE /friends/requests/{id}', undefined, id)
  blocks = async (): Promise<PersonInfo[]> => (await this.call('GET /blocks')).blocks
  block = (whom: PersonBody) => this.call('POST /blocks', whom)
  unblock = (id: string) => this.call('DELETE /blocks/{id}', undefined, id)
  partners = async (): Promise<PartnerInfo[]> => (await this.call('GET /partners')).partners
  missed = async (): Promise<PersonInfo[]> => (await this.call('GET /missed')).missed
  forgetMissed = () => this.call('DELETE /missed')

  get #authenticator(): Authenticator {
    if (!this.#o.authenticator) throw new ApiError(0, 'passkey_rejected', 'this device has no passkeys', 'never')
    return this.#o.authenticator
  }

  async #enrol(body: Partial<Newcomer> & { password?: string }, device: string | undefined): Promise<PasskeyInfo> {
    const { ceremony, public_key } = await this.call('POST /passkeys/options', body)
    const credential = await this.#authenticator.create(public_key)
    const label = device === undefined ? {} : { label: device }
    const reply = await this.call('POST /passkeys', { ceremony, credential, ...label, ...on(device) })
    if (body.username !== undefined || reply.token !== undefined) this.#signed(reply)
    return reply.passkey
  }
}

/** Makes the calls of the person that a client is, or will be. */
export function createAccount(options: AccountOptions): Account {
  return new Account(options)
}

function confirm(password: Confirm): { password?: string } {
  return password === undefined ? {} : { password }
}

function on(device: string | undefined): { device?: string } {
  return device === undefined ? {} : { device }
}

const retries: readonly string[] = ['never', 'same', 'later', 'reauth'] satisfies ErrorRetry[]

/** The object that a body holds, if it does. */
function object(text: string): Record<string, unknown> | undefined {
  try {
    const v: unknown = JSON.parse(text)
    return typeof v === 'object' && v !== null ? (v as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function unreached(err: unknown): never {
  throw new ApiError(0, 'offline', `The server cannot be reached: ${String(err)}`, 'same')
}

/** What a refusal says; a proxy's own page says nothing. */
function failure(status: number, text: string, after: string | null): ApiError {
  const { code, message, retry, retry_after_ms: ms } = object(text) ?? {}
  const wait = typeof ms === 'number' ? ms : Number(after) > 0 ? Number(after) * 1000 : undefined
  return new ApiError(
    status,
    typeof code === 'string' ? code : 'internal',
    typeof message === 'string' ? message : `HTTP status ${status}`,
    typeof retry === 'string' && retries.includes(retry) ? (retry as ErrorRetry) : status >= 500 ? 'same' : 'never',
    wait,
  )
}
