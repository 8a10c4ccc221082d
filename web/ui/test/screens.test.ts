import type { State } from '@smalltalk/client'
import type { Ring } from '@smalltalk/client/people'
import { h } from 'preact'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { App } from '../src/app'
import { BackButton } from '../src/history'
import { LocalMedia } from '../src/media/local'
import { Model, type Keep } from '../src/model'
import { AccountPage } from '../src/people/account'
import { Codes } from '../src/people/codes'
import { Door } from '../src/people/door'
import { Field, Password } from '../src/people/form'
import { FriendsPage } from '../src/people/friends'
import { Layer } from '../src/people'
import { Incoming, Outgoing } from '../src/people/ring'
import { socialOf, type Social } from '../src/people/social'
import { FakeClient, IDLE } from './demo/fake'
import { plugIn, type FakeDevices } from './devices'
import { openPage, type FakePage } from './page'

// The screens about people, as they are used.

// Pictures of partners are not for here.
vi.mock('../src/stage', () => ({ Stage: () => null }))

type Answer = readonly [status: number, body?: object]

let page: FakePage
let devices: FakeDevices
let client: FakeClient
let model: Model
let social: Social
/** What was asked of the server, and what it answers; 404 to what is not here. */
let asked: string[]
let answers: Record<string, Answer | (() => Promise<Answer>)>

const memory = (): Keep => {
  const kept = new Map<string, string>()
  return { get: (k) => kept.get(k) ?? null, set: (k, v) => void kept.set(k, v) }
}

async function fetched(url: string, init: { method: string }) {
  const route = `${init.method} ${url.split('/api/v1')[1]}`
  asked.push(route)
  const known = answers[route] ?? ([404, refusal('not_found')] as const)
  const [status, body] = typeof known === 'function' ? await known() : known
  return { status, headers: { get: () => null }, text: async () => (body ? JSON.stringify(body) : '') }
}

const refusal = (code: string, more: object = {}) => ({ code, message: `${code}.`, retry: 'never', ...more })
const times = (route: string) => asked.filter((a) => a === route).length
/** Lets everything happen that is due within `ms`. */
const settle = (ms = 100) => vi.advanceTimersByTimeAsync(ms)
const fill = (name: string, text: string) => {
  page.querySelector(`[name=${name}]`)!.value = text
}
const texts = () => page.body.textContent

beforeEach(() => {
  vi.useFakeTimers()
  devices = plugIn()
  page = openPage()
  asked = []
  answers = { 'GET /access': [200, { access: 'open', guests: true, invite: false, passkeys: true }] }
  vi.stubGlobal('fetch', fetched)
  client = new FakeClient({ ...IDLE })
  model = new Model(client, new LocalMedia(), { tab: memory(), ever: memory() })
  social = socialOf(model)
})
afterEach(() => {
  page.show(null)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('a field', () => {
  it('keeps what is being typed while the rest of the page changes', () => {
    const field = () => h(Field, { name: 'name', label: 'Name', autocomplete: 'nickname', value: 'Calm Otter' })
    page.show(field())
    expect(page.querySelector('input')!.value).toBe('Calm Otter')
    fill('name', 'Wild')
    page.show(field())
    expect(page.querySelector('input')!.value).toBe('Wild')
  })

  it('does not cut a password that is pasted', () => {
    page.show(h(Password, { name: 'new-password', label: 'Password', autocomplete: 'new-password' }))
    expect(page.querySelector('input')!.getAttribute('maxLength')).toBeNull()
  })
})

describe('the door', () => {
  const enter = async () => {
    fill('username', 'otter')
    fill('password', 'long enough')
    page.body.at('log-in-go').click()
    page.body.at('log-in-go').click()
    await settle()
  }

  it('sends once, waits as long as the server says, and gives the focus back', async () => {
    social.show('door', 'log-in')
    answers['POST /sessions'] = [429, refusal('rate_limited', { retry: 'later', retry_after_ms: 4_000 })]
    page.show(h(Door, { social, guest: true }))
    await settle()
    await enter()
    expect(times('POST /sessions')).toBe(1)
    expect(page.focus).toBe('log-in-go')
    await enter()
    expect(times('POST /sessions')).toBe(1)
    expect(texts()).toContain('Not yet. Try again in 4 s.')
    await settle(4_000)
    await enter()
    expect(times('POST /sessions')).toBe(2)
  })

  it('lets in who has an account now, though its codes could not be made', async () => {
    let refuse = (_: Answer) => {}
    answers['POST /users'] = [201, { user: IDLE.user! }]
    answers['POST /users/me/recovery'] = () => new Promise((resolve) => (refuse = resolve))
    social.show('door', 'sign-up')
    page.show(h(Door, { social, guest: false }))
    await settle()
    fill('username', 'otter')
    fill('new-password', 'long enough')
    page.body.at('sign-up-go').click()
    await settle()
    expect(social.cell.get()).toMatchObject({ page: 'account', codes: [] })
    expect(model.ui.get().route).toBe('people')
    refuse([500, refusal('internal')])
    await settle()
    expect(social.cell.get()).toMatchObject({ page: 'account', codes: undefined, said: expect.stringContaining('The account is made') })
  })

  it('asks for an invitation that the server wants, also if it did not say so before', async () => {
    delete answers['GET /access']
    answers['POST /users'] = [403, refusal('invite_required')]
    page.show(h(Door, { social, guest: true }))
    await settle()
    expect(page.body.querySelectorAll('[name=invite]')).toHaveLength(0)
    fill('username', 'otter')
    fill('new-password', 'long enough')
    page.body.at('sign-up-go').click()
    await settle()
    expect(page.body.querySelectorAll('[name=invite]')).toHaveLength(1)
  })
})

it('a mail that comes no more often does not keep back the code that has come', async () => {
  social.show('door', 'reset')
  answers['POST /email/codes'] = [202, { valid_ms: 900_000 }]
  answers['POST /sessions/email'] = [403, refusal('wrong_code')]
  page.show(h(Door, { social, guest: true }))
  await settle()
  fill('email', 'otter@example.org')
  page.body.at('reset-go').click()
  await settle()
  answers['POST /email/codes'] = [429, refusal('rate_limited', { retry: 'later', retry_after_ms: 60_000 })]
  page.body.at('another-code').click()
  await settle()
  page.body.at('another-code').click()
  await settle()
  expect(times('POST /email/codes')).toBe(2)
  fill('email-code', 'ABCD-EFGH')
  fill('new-password', 'long enough')
  page.body.at('reset-go').click()
  await settle()
  expect(times('POST /sessions/email')).toBe(1)
})

describe('the account', () => {
  const me = (account: object) => ({ id: 'u1', name: 'Calm Otter', guest: false, roles: [], account: { username: 'otter', password: true, passkeys: 1, recovery_codes: 3, hide_presence: false, created: 0, ...account } })

  async function open(account: object = {}): Promise<void> {
    answers['GET /users/me'] = [200, me(account)]
    answers['GET /sessions'] = [200, { sessions: [] }]
    answers['GET /passkeys'] = [200, { passkeys: [] }]
    const state: State = { ...IDLE, user: { id: 'u1', name: 'Calm Otter', guest: false } }
    page.show(h(AccountPage, { social, state, guest: false }))
    await settle()
  }

  it('shows what was asked for while it is not known whether it was done, and not if it was not', async () => {
    let answer = (_: Answer) => {}
    answers['PATCH /users/me'] = () => new Promise((resolve) => (answer = resolve))
    await open()
    const box = page.body.at('hide-presence')
    box.checked = true
    box.fire('change')
    await settle()
    expect([box.checked, box.disabled]).toEqual([true, true])
    answer([500, refusal('internal')])
    await settle()
    expect([box.checked, box.disabled]).toEqual([false, false])
  })

  it('offers the passkey to confirm where there is no password', async () => {
    answers['POST /users/me/recovery'] = [403, refusal('confirm_required')]
    await open({ password: false })
    page.body.at('new-codes').click()
    await settle()
    expect(texts()).toContain('Confirm it with your passkey first')
    page.body.at('confirm-passkey')
    page.show(null)
    await open()
    page.body.at('new-codes').click()
    await settle()
    expect(texts()).toContain('That is not your present password.')
    expect(page.body.querySelectorAll('[data-testid=confirm-passkey]')).toHaveLength(0)
  })

  it('says that the password is changed, beside it or on the page that came meanwhile', async () => {
    answers['PATCH /users/me'] = [200, me({})]
    await open()
    fill('password', 'long enough')
    fill('new-password', 'longer than that')
    page.body.at('password-form').fire('submit')
    await settle()
    expect(page.body.at('password-form').textContent).toContain('The password is changed')
    social.tell('Your name is changed.', undefined)
    page.show(null)
    await open()
    expect(page.body.at('said').textContent).toBe('Your name is changed.')
    social.show('friends')
    await settle()
    expect(page.body.at('said').textContent).toBe('')
  })

  it('can be tried again when it could not be had', async () => {
    await open()
    page.show(null)
    delete answers['GET /users/me']
    page.show(h(AccountPage, { social, state: IDLE, guest: true }))
    await settle()
    expect(texts()).toContain('Try again')
    answers['GET /users/me'] = [200, me({})]
    page.querySelector('.go button')!.click()
    await settle()
    page.body.at('export')
  })

  it('keeps the focus on what is asked before deleting', async () => {
    await open()
    page.body.at('delete').click()
    await settle()
    expect(page.focus).toBe('h2')
    page.body.at('delete-form').querySelector('.primary')!.click()
    await settle()
    expect(page.focus).toBe('delete')
  })
})

describe('a friend rings', () => {
  const ring: Ring = { id: 'r1', way: 'in', friend: { id: 'f1', name: 'Calm Fox' }, answered: false }
  const show = (part: Partial<Ring> = {}, state: Partial<State> = {}) => page.show(h(Incoming, { social, ring: { ...ring, ...part }, state: { ...IDLE, ...state }, letters: true }))
  const dialog = () => page.body.at('ringing')

  beforeEach(() => {
    client.others.forEach((fn) => fn(JSON.stringify({ type: 'ring', ring: 'r1', from: ring.friend, expires: 1 })))
  })

  it('keys mean nothing at first, then they answer, and never reach what lies below', async () => {
    const below = vi.fn()
    page.window.addEventListener('keydown', below)
    show()
    await settle()
    expect(page.focus).toBe('h2')
    // Wherever the focus is.
    page.body.fire('keydown', { key: 'a' })
    expect(social.people.state.ring?.answered).toBe(false)
    await settle(800)
    page.body.fire('keydown', { key: 'a' })
    expect(social.people.state.ring?.answered).toBe(true)
    expect(below).not.toHaveBeenCalled()
    page.show(null)
    page.body.fire('keydown', { key: 'a' })
    expect(below).toHaveBeenCalledTimes(1)
  })

  it('can be given up while it is being connected, and the focus stays', async () => {
    show()
    await settle()
    page.body.at('ring-accept').click()
    show({ answered: true })
    await settle()
    expect(page.focus).toBe('h2')
    page.body.at('ring-hang-up').click()
    expect(social.people.state.ring).toBeUndefined()
  })

  it('is not to be closed without an answer', async () => {
    show()
    await settle()
    dialog().close()
    await settle()
    expect(dialog().open).toBe(true)
    const gone = dialog()
    page.show(null)
    await settle()
    expect(gone.open).toBe(false)
  })

  it('is told in the title, in turns with what the page below says meanwhile', async () => {
    show()
    await settle()
    expect(page.title).toBe('Calm Fox is calling')
    page.title = 'Brave Lynx · Small Talk'
    await settle(1_000)
    expect(page.title).toBe('Calm Fox is calling')
    await settle(1_000)
    expect(page.title).toBe('Brave Lynx · Small Talk')
    await settle(1_000)
    expect(page.title).toBe('Calm Fox is calling')
    page.show(null)
    await settle(3_000)
    expect(page.title).toBe('Brave Lynx · Small Talk')
  })
})

it('who has an account is rung without having touched the page, or kept anything in the browser', async () => {
  const host = { history: { state: null, pushState() {}, replaceState() {}, back() {} }, location: { pathname: '/', search: '' }, addEventListener() {}, removeEventListener() {} }
  const open = async (guest: boolean) => {
    client.set({ user: { id: 'u1', name: 'Calm Otter', guest } })
    page.show(h(App, { model, back: new BackButton(host, () => {}) }))
    for (let i = 0; i < 5; i++) await settle().then(() => vi.dynamicImportSettled())
    client.others.forEach((fn) => fn(JSON.stringify({ type: 'ring', ring: 'r1', from: { id: 'f1', name: 'Calm Fox' }, expires: 1 })))
    await settle()
    return page.body.querySelectorAll('[data-testid=ringing]').length
  }
  expect(await open(true)).toBe(0)
  expect(await open(false)).toBe(1)
})

describe('a friend is rung', () => {
  const ring: Ring = { way: 'out', friend: { id: 'f1', name: 'Calm Fox' }, answered: false }

  it('the key that began it does not end it, and the focus goes back to where it came from', async () => {
    const both = (on: boolean) => page.show(h('div', {}, h('button', { 'data-testid': 'call' }), on && h(Outgoing, { social, ring })))
    both(false)
    page.body.at('call').focus()
    social.ring(ring.friend)
    expect(social.people.state.ring).toBeDefined()
    both(true)
    await settle()
    expect(page.focus).toBe('ring-cancel')
    page.body.at('ring-cancel').click(0)
    expect(social.people.state.ring).toBeDefined()
    await settle(800)
    page.body.at('ring-cancel').click(0)
    expect(social.people.state.ring).toBeUndefined()
    both(false)
    await settle()
    expect(page.focus).toBe('call')
  })

  it('its end gives back the devices that were made ready for it, but none that a search wants', async () => {
    social.ring(ring.friend)
    await settle()
    expect(model.local.cell.get().video).toBeDefined()
    social.people.cancel()
    await settle()
    expect(model.local.cell.get().video).toBeUndefined()

    let open = () => {}
    devices.gate = new Promise((resolve) => (open = resolve))
    social.ring({ id: 'f2', name: 'B' })
    void model.go('video')
    social.people.cancel()
    open()
    await settle()
    expect(model.local.cell.get().video).toBeDefined()
  })
})

describe('missed calls', () => {
  const missed = [{ id: 'f1', name: 'Calm Fox', at: 5 }]

  it('are new until they have been looked at', async () => {
    answers['GET /missed'] = [200, { missed }]
    for (const list of ['friends', 'friends/requests', 'partners', 'blocks']) answers[`GET /${list}`] = [200, { friends: [], requests: [], partners: [], blocks: [] }]
    const layer = () => page.show(h(Layer, { model, state: client.state, screen: 'home', ui: model.ui.get() }))
    await social.people.load('missed')
    layer()
    await settle()
    expect(model.ui.get().pending).toBe(1)
    page.show(h(FriendsPage, { social, people: social.people.state, guest: false }))
    await settle()
    page.show(null)
    layer()
    await settle()
    expect(model.ui.get().pending).toBe(0)
    answers['GET /missed'] = [200, { missed: [{ ...missed[0], at: 9 }, ...missed] }]
    await social.people.load('missed')
    await settle()
    expect(model.ui.get().pending).toBe(1)
  })
})

it('codes can be copied by hand where there is no clipboard', async () => {
  page.show(h(Codes, { social, codes: ['a-b-c'], name: 'Calm Otter' }))
  page.body.at('codes-copy').click()
  await settle()
  expect(texts()).toContain('The browser does not let us copy.')
})
