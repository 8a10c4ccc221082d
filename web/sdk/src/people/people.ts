/** The people that a person knows: friends and whether they are there, requests, last partners, blocks, missed calls, ringing. */
import type { PersonBody } from '../api.js'
import { ApiError, type Account } from '../account.js'
import type { Client } from '../client.js'
import type { ClientError } from '../state.js'
import { initialPeople, reducePeople, type Lists, type PeopleAction, type PeopleEffect, type PeopleModel } from './machine.js'
import { decodePeople } from './protocol.js'
import type { ListName, PeopleState } from './state.js'

export type { ListName, News, PeopleState, Presence, Ring, RingEnd, Rung, Tie } from './state.js'

/** What {@link createPeople} needs. */
export interface PeopleOptions {
  client: Client
  account: Account
  /** As the platform's. */
  setTimer(ms: number, fn: () => void): () => void
  now(): number
}

/** How long after it did not come a list is asked for again, in ms: at first and at most; and after how many times that is told. */
const retryMs = 1_000
const retryMaxMs = 30_000
const retriesMeant = 3

/** Follows a client and keeps up with its person's friends. One for each client; it may come later than the client. */
export class People {
  readonly #o: PeopleOptions
  readonly #fns = new Set<(s: PeopleState) => void>()
  readonly #queue: PeopleAction[] = []
  readonly #stop: (() => void)[]
  #model: PeopleModel = initialPeople
  #running = false
  #untimer: (() => void) | undefined
  /** Who is online; `null`: the link is closed for good. */
  #link: string | null | undefined
  #call: unknown
  /** How often each list was asked for, and what will ask again. */
  readonly #turns = new Map<ListName, number>()
  readonly #again = new Map<ListName, () => void>()

  constructor(options: PeopleOptions) {
    this.#o = options
    const { client } = options
    this.#stop = [client.subscribe(() => this.#follow()), client.onOther((text) => this.#hear(text))]
    this.#follow()
  }

  get state(): PeopleState {
    return this.#model.view
  }

  /** Calls `fn` at every change of `state`. The returned function stops it. */
  subscribe(fn: (s: PeopleState) => void): () => void {
    this.#fns.add(fn)
    return () => this.#fns.delete(fn)
  }

  /** Fetches lists anew, each by itself; one that does not come is tried again. */
  async load(...lists: ListName[]): Promise<void> {
    await Promise.all(lists.map((l) => this.#fetch(l, 0)))
  }

  async #fetch(list: ListName, tries: number): Promise<void> {
    const { user, told } = this.#model
    const turn = (this.#turns.get(list) ?? 0) + 1
    this.#turns.set(list, turn)
    this.#again.get(list)?.()
    this.#again.delete(list)
    // Meanwhile it may have been asked for once more, or one may have become somebody else.
    const stale = (): boolean => turn !== this.#turns.get(list) || user !== this.#model.user
    try {
      const items = await this.#o.account[list]()
      if (!stale()) this.#dispatch({ type: 'loaded', lists: { [list]: items } as Partial<Lists>, told })
    } catch (err) {
      if (!(err instanceof ApiError)) throw err
      if (stale()) return
      if (err.retry === 'same' || err.retry === 'later') {
        const ms = Math.max(err.retryAfterMs ?? 0, Math.min(retryMaxMs, retryMs * 2 ** tries))
        this.#again.set(list, this.#o.setTimer(ms, () => void this.#fetch(list, tries + 1)))
      }
      // A network that is away for a moment is no news. A guest of a server that has no such thing has no friends.
      if (err.retry === 'never' || tries === retriesMeant) this.#fail(err, 'account_required')
    }
  }

  /** Rings a friend. */
  ring(friend: { id: string; name: string }): void {
    this.#dispatch({ type: 'ring', friend: { id: friend.id, name: friend.name } })
  }

  /** Answers who rings; the call comes as a match on the client. */
  accept(): void {
    this.#dispatch({ type: 'accept' })
  }

  decline(): void {
    this.#dispatch({ type: 'decline' })
  }

  /** Stops ringing. */
  cancel(): void {
    this.#dispatch({ type: 'cancel' })
  }

  /** Asks the partner of the running call for friendship, or says yes. */
  askPartner(): void {
    this.#dispatch({ type: 'ask' })
  }

  /** Blocks the partner of the running call, which ends it. */
  blockPartner(): void {
    this.#dispatch({ type: 'block' })
  }

  /** Asks a last partner, or says yes to who has asked. */
  ask(whom: PersonBody): Promise<boolean> {
    return this.#try(async () => {
      const state = await this.#o.account.ask(whom)
      if (whom.call !== undefined) this.#dispatch({ type: 'asked', call: whom.call, state })
      if (whom.user !== undefined) this.#dispatch({ type: 'remove', list: 'requests', id: whom.user })
      await this.load('friends', 'requests')
    })
  }

  /** Declines a request; the other does not hear of it. */
  refuse(user: string): Promise<boolean> {
    return this.#try(async () => {
      await this.#o.account.decline(user)
      this.#dispatch({ type: 'remove', list: 'requests', id: user })
    })
  }

  unfriend(user: string): Promise<boolean> {
    return this.#try(async () => {
      await this.#o.account.unfriend(user)
      this.#dispatch({ type: 'remove', list: 'friends', id: user })
    })
  }

  /** Blocks a last partner, a friend or who has asked to be one. */
  block(whom: PersonBody): Promise<boolean> {
    return this.#try(async () => {
      await this.#o.account.block(whom)
      await this.load('friends', 'requests', 'partners', 'blocks')
    })
  }

  unblock(user: string): Promise<boolean> {
    return this.#try(async () => {
      await this.#o.account.unblock(user)
      this.#dispatch({ type: 'remove', list: 'blocks', id: user })
    })
  }

  forgetMissed(): Promise<boolean> {
    return this.#try(async () => {
      await this.#o.account.forgetMissed()
      this.#dispatch({ type: 'loaded', lists: { missed: [] }, told: this.#model.told })
    })
  }

  /** Forgets how the last ring ended, the news, or the error. */
  dismiss(what: 'rung' | 'news' | 'error'): void {
    this.#dispatch({ type: 'dismiss', what })
  }

  close(): void {
    for (const stop of this.#stop) stop()
    for (const stop of this.#again.values()) stop()
    this.#again.clear()
    this.#turns.clear()
    this.#untimer?.()
  }

  async #try(fn: () => Promise<void>): Promise<boolean> {
    try {
      await fn()
      return true
    } catch (err) {
      this.#fail(err)
      return false
    }
  }

  #fail(err: unknown, but = ''): void {
    if (!(err instanceof ApiError)) throw err
    const { code, message, retry, retryAfterMs } = err
    const error: ClientError = { code, message, retry, retryAfterMs }
    if (code !== but && code !== 'unauthorized') this.#dispatch({ type: 'failed', error })
  }

  #hear(text: string): void {
    const message = decodePeople(text)
    if (message) this.#dispatch({ type: 'message', message })
  }

  #follow(): void {
    const { link, user, call } = this.#o.client.state
    const at = link === 'online' ? user?.id : link === 'closed' ? null : undefined
    if (at !== this.#link) {
      this.#link = at
      this.#dispatch(typeof at === 'string' ? { type: 'online', user: at } : { type: 'offline', closed: at === null })
    }
    if (call !== this.#call) {
      this.#call = call
      this.#dispatch({ type: 'call', call })
    }
  }

  /** Actions that effects cause are run after the present one, in order. */
  #dispatch(action: PeopleAction): void {
    this.#queue.push(action)
    if (this.#running) return
    this.#running = true
    const before = this.#model.view
    try {
      for (let a = this.#queue.shift(); a; a = this.#queue.shift()) {
        const step = reducePeople(this.#model, a, this.#o.now())
        this.#model = step.model
        for (const e of step.effects) this.#run(e)
      }
    } finally {
      this.#running = false
    }
    if (this.#model.view !== before) for (const fn of [...this.#fns]) fn(this.#model.view)
  }

  #run(e: PeopleEffect): void {
    switch (e.type) {
      case 'send':
        return this.#o.client.say(e.message)
      case 'expect':
        return this.#o.client.expect(e.on)
      case 'load':
        return void this.load(...e.lists)
      case 'timer':
        this.#untimer?.()
        this.#untimer = e.ms === undefined ? undefined : this.#o.setTimer(e.ms, () => this.#dispatch({ type: 'timer' }))
    }
  }
}

/** Follows a client. */
export function createPeople(options: PeopleOptions): People {
  return new People(options)
}
