import { loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstLine, type Checks } from '../lib/checks.js'
import { until } from '../lib/visitor.js'
import type { Actor, Identity, Terms } from './actor.js'
import { watch } from './baseline.js'
import type { Cast } from './cast.js'
import { kindNamed, kinds, type Kind } from './kinds.js'
import type { Lips } from './lips.js'

/** Some kinds, and who of them is met in turn by the one who was met before. The first two meet without Next. */
export interface Tour {
  readonly kinds: readonly Kind[]
  readonly order: readonly number[]
}

/**
 * Each of five kinds meets each other one once, and then once again with the parts of the one who presses Next, the one who is left and the one
 * who waits given otherwise.
 */
export const everybody: Tour = {
  kinds: ['chromium', 'firefox', 'node', 'chromium-vp9', 'chromium-bare'].map(kindNamed),
  order: [3, 0, 1, 2, 3, 4, 0, 2, 4, 1, 3, 0, 4, 3, 2, 1, 0, 3, 1, 4, 2, 0],
}

/** Each codec that not all clients have follows each other one. */
export const codecs: Tour = { kinds: ['chromium-vp9', 'chromium-h264', 'chromium-av1'].map(kindNamed), order: [0, 1, 2, 0, 1] }

/** How long a partner may take to be seen and heard, and how long anything else may take, in milliseconds. */
const patience = { media: 2_000, rest: 20_000 }

/** How long a camera runs before anybody looks, in milliseconds. */
const warmUp = 1_500

/** What one end of a re-wire saw and heard. Times are in milliseconds after the match. */
export interface Arrival extends Lips {
  from: string
  to: string
  picture: number | undefined
  tone: number | undefined
  codec: string
}

/** One press of Next. */
export interface Rewire {
  pressed: string
  left: string
  waited: string
  ends: Arrival[]
  /** Of the last minute. */
  load: number
}

/** What a client negotiated. */
export type Signed = { kind: string } & Terms

export interface Toured {
  signed: Signed[]
  rewires: Rewire[]
}

/** One of them, at work. */
export class Guest {
  readonly kind: Kind
  readonly actor: Actor
  readonly leave: () => Promise<void>
  name = ''
  /** What must not change, from the first call on. */
  identity: Identity | undefined

  constructor(kind: Kind, actor: Actor, leave: () => Promise<void>) {
    this.kind = kind
    this.actor = actor
    this.leave = leave
  }

  async start(url: string): Promise<void> {
    this.name = await this.actor.start({ url, kind: kinds.indexOf(this.kind) })
    await until(() => this.actor.connected(), (c) => c, `${this.kind.name} to be connected`, patience.rest)
  }

  async wait(): Promise<void> {
    await this.actor.rest(false)
    await this.actor.join()
    await until(() => this.actor.waiting(), (w) => w, `${this.kind.name} to wait`, patience.rest)
  }
}

/** Arrives with all, lets them meet as the tour says, and checks each meeting. */
export function travel(tour: Tour, cast: Cast, url: string, checks: Checks): Promise<Toured> {
  return among(tour, cast, url, async (guests) => {
    const people = Object.fromEntries(guests.map((g) => [g.name, kinds.indexOf(g.kind)]))
    for (const g of guests) await g.actor.know(people)
    return { signed: await sign(guests, checks), rewires: await rewires(tour.order.flatMap((i) => guests[i] ?? []), checks) }
  })
}

/** Does something while all kinds of a tour are connected and rest. */
export async function among<T>(tour: Tour, cast: Cast, url: string, work: (guests: readonly Guest[]) => Promise<T>): Promise<T> {
  const guests: Guest[] = []
  try {
    for (const kind of tour.kinds) await arrive(kind, cast, url, guests)
    await sleep(warmUp)
    for (const g of guests) await g.actor.rest(true)
    return await work(guests)
  } finally {
    await Promise.allSettled(guests.map((g) => g.leave()))
  }
}

/** Brings a guest of a kind whose name nobody else has: the server draws them, and a partner is known by it. */
async function arrive(kind: Kind, cast: Cast, url: string, guests: Guest[]): Promise<void> {
  for (;;) {
    const { actor, leave } = await cast.call(kind.engine, url)
    const guest = new Guest(kind, actor, leave)
    guests.push(guest)
    await guest.start(url)
    if (guests.filter((g) => g.name === guest.name).length === 1) return
    guests.pop()
    await leave()
  }
}

/** Sees to it that each kind negotiated what makes it one. */
async function sign(guests: readonly Guest[], checks: Checks): Promise<Signed[]> {
  const signed: Signed[] = []
  for (const { kind, actor } of guests) {
    const terms = await actor.terms()
    signed.push({ kind: kind.name, ...terms })
    const [repair, delay] = [kind.without !== 'repair', kind.without !== 'playout-delay']
    checks.check(`${kind.name} negotiated what it is for`, terms.rtx === repair && terms.red === repair && terms.playoutDelay === delay, JSON.stringify(terms))
  }
  return signed
}

async function rewires(people: readonly Guest[], checks: Checks): Promise<Rewire[]> {
  const [one, two] = people
  if (!one || !two) throw new Error('the tour is empty')
  await one.wait()
  await two.actor.rest(false)
  await two.actor.join()
  await Promise.all([met(one, two, ''), met(two, one, '')])
  const list: Rewire[] = []
  for (let i = 1; i + 1 < people.length; i++) {
    const [left, pressed, waited] = people.slice(i - 1, i + 2)
    if (left && pressed && waited) list.push(await rewire(left, pressed, waited, checks))
  }
  return list
}

/** Waits for a call with a certain partner, other than the one before; returns its name. */
async function met(g: Guest, partner: Guest, before: string): Promise<string> {
  const m = await until(() => g.actor.meeting(), (x) => x !== undefined && x.call !== before && x.peer === partner.name, `${g.kind.name} to meet ${partner.kind.name}`, patience.rest)
  return m?.call ?? ''
}

/** One step: `pressed` leaves `left` by Next for `waited`. */
async function rewire(left: Guest, pressed: Guest, waited: Guest, checks: Checks): Promise<Rewire> {
  const title = `${left.kind.name} | ${pressed.kind.name} -> ${waited.kind.name}`
  await until(() => waited.actor.phase(), (p) => p === 'idle' || p === 'left', `${waited.kind.name} to be free`, patience.rest)
  await waited.wait()
  await sleep(warmUp)
  const before = [await pressed.actor.meeting(), await waited.actor.meeting()].map((m) => m?.call ?? '')
  await pressed.actor.next()
  await Promise.all([met(pressed, waited, before[0] ?? ''), met(waited, pressed, before[1] ?? '')])
  await left.actor.rest(true)
  const [atPressed, atWaited] = await Promise.all([arrival(waited, pressed), arrival(pressed, waited)])
  for (const end of [atPressed, atWaited]) {
    const { picture = Infinity, tone = Infinity } = end
    checks.check(`${title}: ${end.to} sees and hears ${end.from}`, picture <= patience.media && tone <= patience.media, `picture ${picture} ms, tone ${tone} ms, ${end.codec}`)
    const { sends } = kindNamed(end.from)
    if (sends) checks.check(`${title}: ${end.to} gets the codec that ${end.from} chose`, end.codec === sends, end.codec)
  }
  await kept(pressed, checks, title)
  await kept(waited, checks, title)
  return { pressed: pressed.kind.name, left: left.kind.name, waited: waited.kind.name, ends: [atPressed, atWaited], load: loadavg()[0] ?? 0 }
}

/** Watches one end of a call that has just begun. */
async function arrival(from: Guest, to: Guest): Promise<Arrival> {
  const lips = await watch(to.actor)
  const [meeting, codec] = [await to.actor.meeting(), await to.actor.codec()]
  return { from: from.kind.name, to: to.kind.name, picture: meeting?.picture, tone: meeting?.tone, codec, ...lips }
}

/** Checks that the connection is what it was. */
async function kept(g: Guest, checks: Checks, title: string): Promise<void> {
  try {
    const now = await g.actor.identity()
    g.identity ??= now
    const same = JSON.stringify(now) === JSON.stringify(g.identity)
    checks.check(`${title}: ${g.kind.name} keeps its one offer, connection and streams`, same && now.offers === 1 && now.peers === 1 && now.ssrcs.length === 2, same ? '' : JSON.stringify([g.identity, now]))
  } catch (err) {
    checks.check(`${title}: ${g.kind.name} can be asked`, false, firstLine(err))
  }
}
