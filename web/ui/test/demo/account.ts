import type { api } from '@smalltalk/client'

const MIN = 60_000
const now = Date.now()

const OPEN = { access: 'open', guests: true, invite: false, passkeys: true, email: true } satisfies api.AccessReply
const DOMAIN = { ...OPEN, access: 'domain', guests: false, email_domains: ['example.org', 'uni.example'] } satisfies api.AccessReply

/** What the server would say to a person with a life; `out` is one who has to show an address first. */
function replies(account: boolean, out: boolean): Record<string, object> {
  return {
    'GET /access': out ? DOMAIN : OPEN,
    'GET /users/me': {
      id: 'u1',
      name: 'Quiet Otter',
      guest: !account,
      roles: [],
      ...(account ? { account: { username: 'otter.77', password: true, passkeys: 1, recovery_codes: 8, hide_presence: false, created: now, ...(out ? {} : { email: 'otter@example.org' }), email_required: out } } : {}),
    } satisfies api.MeReply,
    'GET /sessions': {
      sessions: [
        { id: 'd1', device: 'Firefox on Linux', current: true, created: now, seen: now, expires: now },
        { id: 'd2', device: 'Safari on iPhone', current: false, created: now, seen: now - 200 * MIN, expires: now },
      ],
    } satisfies api.DevicesReply,
    'GET /passkeys': { passkeys: [{ id: 'k1', label: 'Safari on iPhone', created: now - 30_000 * MIN }] } satisfies api.PasskeysReply,
    'GET /friends': {
      friends: account
        ? [
            { id: 'f1', name: 'Calm Fox', guest: false, presence: 'online', since: 0 },
            { id: 'f2', name: 'The One With The Very Long Name That Goes On', guest: false, presence: 'in_call', since: 0 },
            { id: 'f3', name: 'Sunny Badger', guest: false, presence: 'offline', since: 0 },
          ]
        : [],
    } satisfies api.FriendsReply,
    'GET /friends/requests': { requests: account ? [{ id: 'f4', name: 'Merry Wren', at: now - 3 * MIN }] : [] } satisfies api.RequestsReply,
    'GET /missed': { missed: account ? [{ id: 'f1', name: 'Calm Fox', at: now - 90 * MIN }] : [] } satisfies api.MissedReply,
    'GET /partners': {
      partners: [
        { call: 'c1', name: 'Brave Lynx', at: now - 12 * MIN, friend: false },
        { call: 'c2', name: 'Calm Fox', at: now - 400 * MIN, friend: true },
      ],
    } satisfies api.PartnersReply,
    'POST /email/codes': { valid_ms: 15 * MIN } satisfies api.EmailCodeReply,
    'GET /blocks': { blocks: account ? [{ id: 'x1', name: 'Loud Crow', at: now - 3000 * MIN }] : [] } satisfies api.BlocksReply,
  }
}

/** A `fetch` that answers as the server would, and refuses what is not asked for in a scene. */
export function answer(account: boolean, out: boolean): typeof fetch {
  const known = replies(account, out)
  const real = globalThis.fetch
  return async (url, init) => {
    const path = String(url).split('/api/v1')[1]
    if (path === undefined) return real(url, init)
    const body = known[`${init?.method ?? 'GET'} ${path}`]
    return new Response(JSON.stringify(body ?? { code: 'not_found', message: 'There is no such thing.', retry: 'never' }), { status: body ? 200 : 404 })
  }
}
