import { beforeEach, describe, expect, it } from 'vitest'
import { BackButton, invited, type HistoryHost } from '../src/history'

/** A browser's history with one document; traversal is asynchronous, as in browsers. */
class FakeHost implements HistoryHost {
  entries: { state: unknown; url: string }[] = [{ state: null, url: '/t/gaming?x=1' }]
  at = 0
  left = false
  #fns = new Set<() => void>()
  #pending: number[] = []
  location = { pathname: '/t/gaming', search: '?x=1' }
  history: HistoryHost['history']

  constructor() {
    const host = this
    this.history = {
      get state() {
        return host.entries[host.at]!.state
      },
      pushState(state: unknown, _: string, url?: string | URL | null) {
        host.entries = [...host.entries.slice(0, host.at + 1), { state, url: String(url) }]
        host.at++
      },
      replaceState(state: unknown, _: string, url?: string | URL | null) {
        host.entries[host.at] = { state, url: String(url) }
      },
      back: () => void host.#pending.push(-1),
    }
  }
  addEventListener(_: 'popstate', fn: () => void): void {
    this.#fns.add(fn)
  }
  removeEventListener(_: 'popstate', fn: () => void): void {
    this.#fns.delete(fn)
  }
  /** What a person does. */
  go(by: number): void {
    this.#pending.push(by)
    this.settle()
  }
  settle(): void {
    for (let by = this.#pending.shift(); by !== undefined; by = this.#pending.shift()) {
      const to = this.at + by
      if (to < 0) this.left = true
      if (to < 0 || to >= this.entries.length) continue
      this.at = to
      for (const fn of this.#fns) fn()
    }
  }
  get url(): string {
    return this.entries[this.at]!.url
  }
}

describe('BackButton', () => {
  let host: FakeHost
  let asked: number
  let back: BackButton
  beforeEach(() => {
    host = new FakeHost()
    asked = 0
    back = new BackButton(host, () => asked++)
  })

  it('adds one entry however many screens lie past the topics', () => {
    for (const s of ['preview', 'waiting', 'talk', 'talk', 'waiting', 'talk']) back.follow(s)
    expect(host.entries.length).toBe(2)
    expect(host.url).toBe('/t/gaming?x=1#talk')
    back.follow('')
    host.settle()
    expect(host.at).toBe(0)
    expect(host.url).toBe('/t/gaming?x=1')
    expect(asked).toBe(0)
  })

  it('asks, and keeps the person where they are, when Back is pressed', () => {
    back.follow('talk')
    host.go(-1)
    expect(asked).toBe(1)
    expect(host.url).toBe('/t/gaming?x=1#talk')
    host.go(-1)
    expect(asked).toBe(2)
    expect(host.left).toBe(false)
  })

  it('lets Back leave from the topics', () => {
    back.follow('talk')
    back.follow('')
    host.settle()
    host.go(-1)
    expect(asked).toBe(0)
    expect(host.left).toBe(true)
  })

  it('does not go forward into a call that is over', () => {
    back.follow('talk')
    back.follow('')
    host.settle()
    host.go(1)
    host.settle()
    expect(host.at).toBe(0)
    expect(asked).toBe(0)
  })

  it('keeps its count when screens change faster than the browser goes back', () => {
    back.follow('talk')
    back.follow('')
    back.follow('waiting')
    host.settle()
    expect(host.url).toBe('/t/gaming?x=1#waiting')
    expect(host.entries.length).toBe(2)
    host.go(-1)
    expect(asked).toBe(1)
  })

  it('starts at home after a reload in the middle of a call', () => {
    back.follow('talk')
    back.close()
    back = new BackButton(host, () => asked++)
    expect(host.url).toBe('/t/gaming?x=1')
    host.go(-1)
    expect(asked).toBe(0)
  })
})

describe('invited', () => {
  for (const [path, topic] of [
    ['/t/gaming', 'gaming'],
    ['/t/gaming/', 'gaming'],
    ['/t/movies%20%26%20tv', 'movies & tv'],
    ['/t/', undefined],
    ['/t/a/b', undefined],
    ['/t/%E0%A4%A', undefined],
    ['/', undefined],
  ] as const)
    it(path, () => expect(invited(path)).toBe(topic))
})
