import type { Clock } from './machine.js'
import { initialModel, reduce, type Action, type Effect, type Model, type TimerName } from './machine.js'
import { Media } from './media.js'
import type { Saved } from './model.js'
import type { MediaStreamLike, MediaTrackLike, Platform } from './platform/types.js'
import { beat, beatMs, type Pulse } from './pulse.js'
import type { PeopleMessage } from './protocol.js'
import { Session } from './socket.js'
import type { DataUse, Search, Side, State } from './state.js'
import type { CallStats, StatTotals } from './stats.js'
import { num, selectedPair } from './transport.js'

/** What {@link createClient} needs. */
export interface ClientOptions {
  /** Where the server is, such as `https://example.org`; the WebSocket address is made from it. */
  url: string
  platform: Platform
  /** The name and version of the program, sent in `hello.client`. */
  name: string
  version: string
  /** The person's language as a BCP 47 tag. */
  lang?: string
  /** Start as a guest of its own, apart from the session in the browser's cookie. */
  freshGuest?: boolean
  /** A guest's token from an earlier run. */
  token?: string
  /** Hears what happens on the wire, for debugging; never a token. */
  log?: (text: string) => void
}

/** A person's connection to the server: one WebSocket and one peer connection, kept alive until `close`. */
export interface Client {
  /** What to show now. */
  readonly state: State
  /** Calls `fn` at every change of `state`. The returned function stops it. */
  subscribe(fn: (s: State) => void): () => void
  /** Starts; resolves when the link is online, or closed for good (`state.closedBy` says why). Never rejects. */
  connect(): Promise<void>
  /** Says goodbye: ends the call, closes the WebSocket cleanly and the peer connection. */
  close(): void
  /** Sends these tracks from now on; `null` sends nothing, an absent kind stays. Never renegotiates. The caller keeps and stops the tracks. */
  setMedia(m: { audio?: MediaTrackLike | null; video?: MediaTrackLike | null }): Promise<void>
  /** Mutes or unmutes; the partner is told. */
  setEnabled(m: { audio?: boolean; video?: boolean }): void
  /** Saves data: `low` holds both pictures to about 300 kbit/s, `audio` sends and receives none. */
  setDataUse(use: DataUse): void
  /** Queues for a partner. */
  join(search: Search): void
  /** Takes any topic, any language, or both from now on; holds for this wait. */
  widen(...sides: Side[]): void
  /** Leaves the queue. */
  cancel(): void
  /** Ends the call and queues again at once. */
  next(): void
  /** Ends the call. */
  leave(): void
  /** Asks for the partner of the last call back, while `state.undo` is there. */
  undo(): void
  /** Queues again as before, keeping the place in line. */
  requeue(): void
  /** Tries the media connection anew, which happens by itself too, but later. Nothing happens if it is connected. */
  retryMedia(): void
  /** Sends a line to the partner. Empty lines are not sent; longer ones than 2000 characters are cut. */
  sendChat(text: string): void
  /** Sends a failed line again, by its id. */
  resendChat(id: string): void
  /** Tells the partner that the person types. May be called at each key. */
  setTyping(on: boolean): void
  /** Asks for the number of people per topic, as it changes. */
  watchTopics(on: boolean): void
  /** Forgets `state.error`. */
  dismissError(): void
  /** Forgets `state.notice`. */
  dismissNotice(): void
  /** The partner's sound and picture: one stream for the whole life, whoever the partner is. */
  readonly remote: MediaStreamLike | undefined
  /** Calls `fn` when the remote stream first has a track and whenever its tracks change. The returned function stops it. */
  onRemote(fn: (s: MediaStreamLike) => void): () => void
  /** After `closedBy: 'replaced'`: connects again, which ends the other connection. */
  takeover(): void
  /** Goes on as a new guest in this tab only. */
  freshGuest(): void
  /** Starts anew as who one has become by signing up, logging in or out: as the token says, else as the cookie does. */
  signIn(token?: string): void
  /** The token of this client's session, where it is not in a cookie. */
  readonly token: string | undefined
  /** For {@link createPeople}: hears each `welcome` and every message that is not about calls, as it came; the first to listen also what has come before. */
  onOther(fn: (text: string) => void): () => void
  /** For {@link createPeople}: sends a message, if there is a connection. */
  say(message: PeopleMessage): void
  /** For {@link createPeople}: whether the match that is to come has been agreed upon by ringing. */
  expect(on: boolean): void
  stats(): Promise<CallStats>
  /** The platform's own peer connection. */
  readonly pc: unknown
}

/** Makes a client. Nothing happens before `connect`. */
export function createClient(opts: ClientOptions): Client {
  return new Runner(opts)
}

/** The storage key of what survives a reload of the tab. */
const storageKey = 'smalltalk'

/** How many messages wait for somebody who wants to know of friends. */
const unheardMax = 50

interface Heart {
  cancel: () => void
}

/** Runs the reducer: turns effects into calls of the platform and what the platform reports into actions. */
class Runner implements Client {
  readonly #platform: Platform
  readonly #media: Media
  readonly #session: Session
  readonly #timers = new Map<TimerName, () => void>()
  readonly #listeners = new Set<(s: State) => void>()
  readonly #log: (text: string) => void
  readonly #queue: Action[] = []
  readonly #others = new Set<(text: string) => void>()
  #unheard: string[] = []
  #model: Model
  #running = false
  #lines = 0
  #totals: StatTotals | undefined
  #unwatch: (() => void)[] = []
  /** The present watch over the path; readings of an earlier one that come late are not its own. */
  #heart: Heart | undefined
  readonly #prefix: string

  constructor(opts: ClientOptions) {
    const p = opts.platform
    this.#platform = p
    this.#log = opts.log ?? (() => undefined)
    this.#prefix = Math.floor(p.random() * 2 ** 40).toString(36)
    this.#media = new Media(p, (a) => this.#dispatch(a), this.#log)
    this.#session = new Session(p, opts.url, (a) => this.#dispatch(a), this.#log, (text) => this.#pass(text))
    this.#model = initialModel({
      client: { name: opts.name, version: opts.version, platform: p.name },
      lang: opts.lang,
      fresh: opts.freshGuest === true,
      cookies: p.ensureGuest !== undefined,
      saved: readSaved(p.storage.get(storageKey), opts.token),
    })
  }

  get state(): State {
    return this.#model.view
  }

  get remote(): MediaStreamLike | undefined {
    return this.#media.remote
  }

  get pc(): unknown {
    return this.#media.raw
  }

  subscribe(fn: (s: State) => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  connect(): Promise<void> {
    this.#watch()
    this.#dispatch({ type: 'connect' })
    return new Promise((resolve) => {
      const settled = (s: State): boolean => s.link === 'online' || s.link === 'closed'
      if (settled(this.state)) return resolve()
      const stop = this.subscribe((s) => {
        if (!settled(s)) return
        stop()
        resolve()
      })
    })
  }

  close(): void {
    this.#dispatch({ type: 'close' })
    for (const stop of this.#unwatch) stop()
    this.#unwatch = []
  }

  async setMedia(m: { audio?: MediaTrackLike | null; video?: MediaTrackLike | null }): Promise<void> {
    const has: { audio?: boolean; video?: boolean } = {}
    if (m.audio !== undefined) has.audio = m.audio !== null
    if (m.video !== undefined) has.video = m.video !== null
    const done = this.#media.setTracks(m)
    this.#dispatch({ type: 'media', has })
    await done
  }

  setEnabled(m: { audio?: boolean; video?: boolean }): void {
    this.#dispatch({ type: 'enable', on: m })
  }

  setDataUse(dataUse: DataUse): void {
    this.#dispatch({ type: 'use', dataUse })
  }

  join(search: Search): void {
    this.#dispatch({ type: 'join', search })
  }

  widen(...sides: Side[]): void {
    this.#dispatch({ type: 'widen', sides })
  }

  cancel(): void {
    this.#dispatch({ type: 'cancel' })
  }

  next(): void {
    this.#dispatch({ type: 'next' })
  }

  leave(): void {
    this.#dispatch({ type: 'leave' })
  }

  undo(): void {
    this.#dispatch({ type: 'undo' })
  }

  requeue(): void {
    this.#dispatch({ type: 'requeue' })
  }

  retryMedia(): void {
    this.#dispatch({ type: 'retryMedia' })
  }

  sendChat(text: string): void {
    this.#dispatch({ type: 'chat', cid: `${this.#prefix}-${++this.#lines}`, text })
  }

  resendChat(id: string): void {
    this.#dispatch({ type: 'resend', cid: id })
  }

  setTyping(on: boolean): void {
    this.#dispatch({ type: 'typing', on })
  }

  watchTopics(on: boolean): void {
    this.#dispatch({ type: 'watch', on })
  }

  dismissError(): void {
    this.#dispatch({ type: 'dismiss', what: 'error' })
  }

  dismissNotice(): void {
    this.#dispatch({ type: 'dismiss', what: 'notice' })
  }

  onRemote(fn: (s: MediaStreamLike) => void): () => void {
    return this.#media.onRemote(fn)
  }

  takeover(): void {
    this.#watch()
    this.#dispatch({ type: 'takeover' })
  }

  freshGuest(): void {
    this.#watch()
    this.#dispatch({ type: 'fresh' })
  }

  signIn(token?: string): void {
    this.#watch()
    this.#dispatch({ type: 'signIn', token })
  }

  get token(): string | undefined {
    return this.#model.token
  }

  onOther(fn: (text: string) => void): () => void {
    this.#others.add(fn)
    for (const text of this.#unheard.splice(0)) fn(text)
    return () => this.#others.delete(fn)
  }

  say(message: PeopleMessage): void {
    this.#dispatch({ type: 'say', message })
  }

  expect(on: boolean): void {
    this.#dispatch({ type: 'expect', on })
  }

  async stats(): Promise<CallStats> {
    // Few look at it, so whoever does not need not load it.
    const { readStats } = await import('./stats.js')
    const { stats, totals } = readStats(await this.#media.stats(), this.#totals, this.#platform.now())
    this.#totals = totals
    return stats
  }

  #pass(text: string): void {
    for (const fn of this.#others) fn(text)
    if (this.#others.size === 0) this.#unheard = [...this.#unheard.slice(1 - unheardMax), text]
  }

  #watch(): void {
    if (this.#unwatch.length > 0) return
    this.#unwatch = [this.#platform.onNetwork((up) => this.#dispatch({ type: 'network', up })), this.#platform.onGone(() => this.close())]
  }

  /** Actions that effects cause are run after the present one, in order. */
  #dispatch(action: Action): void {
    this.#queue.push(action)
    if (this.#running) return
    this.#running = true
    const before = this.#model.view
    try {
      for (let a = this.#queue.shift(); a; a = this.#queue.shift()) {
        const clock: Clock = { now: this.#platform.now(), random: this.#platform.random() }
        const step = reduce(this.#model, a, clock)
        this.#model = step.model
        for (const e of step.effects) this.#run(e)
      }
    } finally {
      this.#running = false
    }
    this.#listen()
    if (this.#model.view !== before) for (const fn of [...this.#listeners]) fn(this.#model.view)
  }

  /** Feels the pulse of the path while a call lasts, when it should be beating. */
  #listen(): void {
    const { phase, rtc } = this.#model.view
    const on = phase === 'call' && rtc === 'connected'
    if (on === (this.#heart !== undefined)) return
    this.#heart?.cancel()
    this.#heart = on ? { cancel: () => undefined } : undefined
    if (this.#heart) this.#await(this.#heart, undefined)
  }

  #await(heart: Heart, last: Pulse | undefined): void {
    heart.cancel = this.#platform.setTimer(beatMs, () => void this.#feel(heart, last))
  }

  async #feel(heart: Heart, last: Pulse | undefined): Promise<void> {
    const entries = await this.#media.stats().catch(() => [])
    if (heart !== this.#heart) return
    const now = this.#platform.now()
    const { pulse, dead } = beat(last, num(selectedPair(entries), 'bytesReceived') ?? 0, now)
    // Nothing can be done without the server, but it is remembered: the same change of network often takes the WebSocket first.
    const online = this.#model.view.link === 'online'
    this.#await(heart, dead && last && !online ? { ...last, readAt: now } : pulse)
    if (!dead || !online) return
    this.#log('nothing comes any more')
    this.#dispatch({ type: 'rtc', state: 'failed' })
  }

  #run(e: Effect): void {
    switch (e.type) {
      case 'open':
        return this.#session.open(e.guest)
      case 'send':
        return this.#session.send(e.message)
      case 'hangup':
        return this.#session.close(e.code)
      case 'timer':
        return this.#setTimer(e.name, e.ms)
      case 'untimer':
        return this.#clearTimer(e.name)
      case 'save':
        return this.#platform.storage.set(storageKey, e.saved ? JSON.stringify(e.saved) : null)
      case 'pc.open':
        return this.#media.open(e.gen, e.iceServers)
      case 'pc.restart':
        return this.#media.restart(e.gen)
      case 'pc.answer':
        return this.#media.answer(e.gen, e.sdp)
      case 'pc.close':
        return this.#media.close()
      case 'enable':
        return this.#media.setEnabled(e.on)
      case 'pace':
        return this.#media.setPace(e.pace)
    }
  }

  #setTimer(name: TimerName, ms: number): void {
    this.#clearTimer(name)
    this.#timers.set(
      name,
      this.#platform.setTimer(ms, () => {
        this.#timers.delete(name)
        this.#dispatch({ type: 'timer', name })
      }),
    )
  }

  #clearTimer(name: TimerName): void {
    this.#timers.get(name)?.()
    this.#timers.delete(name)
  }
}

/** What {@link Effect} `save` wrote, or what is given for the first start. A damaged record counts as none. */
function readSaved(text: string | null, token: string | undefined): Saved {
  const given = token === undefined ? {} : { token }
  if (text === null) return { ...given, gen: 0 }
  try {
    const v: unknown = JSON.parse(text)
    if (typeof v !== 'object' || v === null) return { ...given, gen: 0 }
    const { token: t, resume, pair, gen } = v as { [K in keyof Saved]?: unknown }
    return {
      ...(typeof t === 'string' ? { token: t } : given),
      ...(typeof resume === 'string' ? { resume } : {}),
      ...(typeof pair === 'string' ? { pair } : {}),
      gen: typeof gen === 'number' ? gen : 0,
    }
  } catch {
    return { ...given, gen: 0 }
  }
}

