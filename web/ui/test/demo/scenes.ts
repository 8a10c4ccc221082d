import type { QueueInfo, State, Undo } from '@smalltalk/client'
import type { Problem } from '../../src/media/problem'
import type { Ui } from '../../src/model'
import type { Page, Way } from '../../src/people/social'
import { IDLE } from './fake'

/** One picture of the app: what differs from standing at the topics. */
export interface Scene {
  state?: Partial<State>
  ui?: Partial<Ui>
  problem?: Problem
  /** The own devices: both unless said otherwise. */
  media?: 'video' | 'audio' | 'text'
  off?: boolean
  /** What is to be seen of people, what the server says about them, and who is rung. */
  people?: { page?: Page; way?: Way; codes?: string[]; says?: object[]; rings?: { id: string; name: string }; answers?: boolean }
  /** What is to be seen comes only after so many ms. */
  wait?: number
}

const CALL: NonNullable<State['call']> = {
  id: 'c1',
  peer: { id: 'p1', name: 'Bright Heron', friend: false },
  rung: false,
  topics: ['gaming'],
  startedAt: 0,
  peerAudio: true,
  peerVideo: true,
  peerWatching: true,
  peerConnection: 'ok',
}
const LINES: State['chat'] = [
  { id: '1', from: 'peer', text: 'hi! what are you playing these days?', at: 0, state: 'sent' },
  { id: '2', from: 'me', text: 'Mostly Outer Wilds. No spoilers please', at: 0, state: 'sent' },
  { id: '3', from: 'peer', text: 'oh you are in for a treat. It took me three evenings to find out what the ship log is for', at: 0, state: 'sent' },
  { id: '4', from: 'me', text: 'how far did you get?', at: 0, state: 'sending' },
  { id: '5', from: 'me', text: 'https://example.org/a-very-long-address-without-any-break-in-it-at-all-0123456789', at: 0, state: 'failed' },
]
const call = (part: Partial<State['call'] & object> = {}, rest: Partial<State> = {}): Partial<State> => ({ phase: 'call', call: { ...CALL, ...part }, ...rest })
const queue = (topics: string[] | 'any', waiting: number, ago: number, part: Partial<QueueInfo> = {}) => ({
  phase: 'queued' as const,
  queue: { topics, langs: ['en'], strict: false, waiting, since: Date.now() - ago, widened: [], ...part },
})
const undo = (part: Partial<Undo> = {}): Undo => ({ call: 'c1', name: 'Bright Heron', until: Date.now() + 8_000, asked: false, wanted: false, ...part })
const left = { phase: 'left', left: { reason: 'next', name: 'Bright Heron', rung: false } } as const
const closed = (by: State['closedBy']): Scene => ({ state: { link: 'closed', closedBy: by } })
const problem = (kind: Problem['kind'], device: Problem['device'], media: NonNullable<Scene['media']>): Scene => ({ ui: { route: 'preview' }, problem: { kind, device }, media })

const HERON = { id: 'u1', name: 'Quiet Otter', guest: false }
const RING = { type: 'ring', ring: 'r1', from: { id: 'f1', name: 'Calm Fox' }, expires: Date.now() + 40_000 }
const page = (name: Page, part: Partial<Scene> = {}): Scene => ({ state: { user: HERON }, ui: { route: 'people' }, people: { page: name }, wait: 900, ...part })

export const SCENES: Record<string, Scene> = {
  splash: { state: { link: 'connecting', user: undefined, topics: [] } },
  'splash-gone': { state: { link: 'reconnecting', user: undefined, topics: [], retryAt: Date.now() + 4000 } },
  home: {},
  'home-picked': { ui: { picked: ['gaming', 'news'] } },
  'home-own': { ui: { picked: ['gaming'], own: ['board games', 'the history of bread in the alps', 'xyz'] } },
  'home-listed-only': { state: { freeTopics: false } },
  'home-back': { state: { undo: undo() } },
  search: { ui: { dialog: 'search', own: ['board games', 'chess'], langs: ['en'] } },
  'search-full': { ui: { dialog: 'search', langs: ['en', 'de', 'pt'] }, state: { freeTopics: false } },
  'home-error': { state: { error: { code: 'rate_limited', message: 'slow down', retry: 'later', retryAfterMs: 4000 } } },
  'home-no-topic': { ui: { missing: 'underwater-basket-weaving' } },
  'home-many': {
    state: { topics: [...IDLE.topics, ...['Music', 'Philosophy and the meaning of life', 'Cooking', 'Travel', 'Programming', 'Gardening'].map((name, i) => ({ id: `x${i}`, name, online: i * 7, waiting: 0 }))] },
    ui: { picked: ['x1', 'general'] },
  },
  preview: { ui: { route: 'preview' } },
  'preview-asking': { ui: { route: 'preview' }, media: 'text' },
  'preview-refused': problem('refused', 'both', 'text'),
  'preview-none': problem('missing', 'camera', 'audio'),
  'preview-busy': problem('busy', 'camera', 'audio'),
  'preview-insecure': problem('insecure', 'both', 'text'),
  waiting: { state: queue(['gaming', 'news'], 4, 12_000) },
  'waiting-usual': { state: queue(['gaming', 'news'], 4, 12_000, { etaMs: 20_000 }) },
  'waiting-long': { state: queue(['gaming', 'news', 'board games'], 2, 130_000, { etaMs: 20_000, langs: ['en', 'de'] }) },
  'waiting-offer': { state: queue(['gaming', 'news'], 1, 4_000), wait: 2_600 },
  'waiting-widened': { state: queue(['gaming'], 3, 18_000, { widened: ['topics'] }) },
  'waiting-back': { state: { ...queue(['gaming', 'news'], 1, 2_000), undo: undo() }, wait: 2_600 },
  'waiting-asked': { state: { ...queue(['gaming'], 4, 2_000), undo: undo({ asked: true }) } },
  'waiting-wanted': { state: { ...queue(['gaming'], 4, 2_000), undo: undo({ wanted: true }) } },
  'waiting-ticket': { state: { ...queue(['gaming', 'news'], 4, 2_000), notice: { code: 'ticket_expired', text: 'Your place in line has expired; you start at its end.' } } },
  'waiting-quiet': { state: queue('any', 1, 95_000), media: 'audio' },
  'waiting-cut': { state: { ...queue(['gaming'], 3, 40_000), rtc: 'connecting', rtcFailures: 2 } },
  call: { state: call(), ui: { picked: ['gaming'] } },
  'call-chat': { state: call({}, { chat: LINES, peerTyping: true }), ui: { chat: true } },
  'call-chat-empty': { state: call(), ui: { chat: true } },
  'call-dark': { state: call({ peerVideo: false, peerAudio: false, topics: ['gaming', 'movies'] }, { chat: LINES }), off: true },
  'call-weak': { state: call({ peerConnection: 'poor', topics: [] }), media: 'text' },
  'call-reconnecting': { state: call({ peerConnection: 'reconnecting' }) },
  'call-gone': { state: call({}, { link: 'reconnecting', retryAt: Date.now() + 5000 }) },
  'call-failed': { state: call({}, { rtc: 'failed', rtcFailures: 1 }) },
  'call-silent': { state: call(), ui: { silent: true, armed: true } },
  'call-help': { state: call(), ui: { dialog: 'help' } },
  'call-sound-only': { state: { ...call(), dataUse: 'audio', video: false } },
  'call-unwatched': { state: call({ peerWatching: false }) },
  'data-use': { ui: { route: 'preview', dialog: 'data' } },
  'call-details': { state: call(), ui: { dialog: 'details' } },
  'call-confirm': { state: call(), ui: { dialog: 'leave' } },
  'left-next': { state: { phase: 'left', left: { reason: 'next', name: 'Bright Heron', rung: false } } },
  'left-back': { state: { ...left, undo: undo() } },
  'left-asked': { state: { ...left, undo: undo({ asked: true }) } },
  'left-wanted': { state: { ...left, undo: undo({ wanted: true }) }, ui: { auto: true } },
  'left-auto': { state: { phase: 'left', left: { reason: 'next', name: 'Bright Heron', rung: false } }, ui: { auto: true } },
  'left-lost': { state: { phase: 'left', left: { reason: 'lost', name: 'Bright Heron', rung: false } } },
  'friends-guest': page('friends', { people: { page: 'friends' }, state: {} }),
  friends: page('friends'),
  'friends-sign-up': page('door', { state: {}, people: { page: 'door', way: 'sign-up' } }),
  'friends-log-in': page('door', { state: {}, people: { page: 'door', way: 'log-in' } }),
  'friends-recover': page('door', { state: {}, people: { page: 'door', way: 'recover' } }),
  'friends-reset': page('door', { state: {}, people: { page: 'door', way: 'reset' } }),
  account: page('account'),
  'account-guest': page('account', { state: {} }),
  'account-codes': page('account', { people: { page: 'account', codes: Array.from({ length: 10 }, (_, i) => `k7qf-${i}m2x-9dt${i}-w4ap`) } }),
  'home-account': { state: { user: HERON } },
  'ring-home': { people: { says: [RING] }, wait: 900 },
  'ring-answered': { people: { says: [RING], answers: true }, wait: 900 },
  'ring-rtl': { people: { says: [{ ...RING, from: { id: 'f1', name: '\u05d0\u05d9\u05d9\u05dc \u05d4\u05d3\u05d5\u05d1 \u05d4\u05d7\u05d1\u05e8\u05d5\u05ea\u05d9' } }] }, wait: 900 },
  'ring-call': { state: call(), people: { says: [RING] }, wait: 900 },
  'ring-out': { state: { user: HERON }, people: { rings: { id: 'f1', name: 'Calm Fox' } }, wait: 900 },
  'ring-out-call': { state: call(), people: { rings: { id: 'f1', name: 'Calm Fox' } }, wait: 900 },
  'ring-missed': { state: { user: HERON }, people: { says: [RING, { type: 'ring.end', ring: 'r1', reason: 'timeout' }] }, wait: 900 },
  'call-person': { state: call(), ui: { dialog: 'person' }, wait: 900 },
  'call-friend': { state: call({ rung: true, peer: { id: 'p1', name: 'Bright Heron', friend: true } }), wait: 900 },
  'call-asked': { state: call(), people: { says: [{ type: 'friend.request', user: { id: 'f9', name: 'Bright Heron' }, call: 'c1' }] }, wait: 900 },
  'closed-door': { state: { link: 'closed', closedBy: 'unauthorized', error: { code: 'unauthorized', message: 'This server takes no guests.', retry: 'never' } }, people: { page: 'friends', way: 'log-in' }, wait: 900 },
  'closed-address': { state: { user: HERON, link: 'closed', closedBy: 'unauthorized', error: { code: 'email_required', message: 'This server wants an e-mail address that is shown to be yours.', retry: 'never' } }, people: { page: 'friends' }, wait: 900 },
  replaced: closed('replaced'),
  full: closed('full'),
  'too-many': closed('too_many'),
  banned: closed('banned'),
  unauthorized: closed('unauthorized'),
  outdated: closed('unsupported'),
  unsupported: {},
}
