import type { CallInfo, DataUse } from '@smalltalk/client'
import { beforeEach, describe, expect, it } from 'vitest'
import { SETTLE_MS } from '../src/media/gate'
import { RemoteView, type Clock, type RemoteElement } from '../src/media/remote'

/** A clock that stands still until it is moved. */
class FakeClock implements Clock {
  time = 1000
  #jobs: { at: number; fn: () => void }[] = []
  now = () => this.time
  after = (ms: number, fn: () => void) => {
    const job = { at: this.time + ms, fn }
    this.#jobs.push(job)
    return () => {
      this.#jobs = this.#jobs.filter((j) => j !== job)
    }
  }
  move(ms: number): void {
    this.time += ms
    const due = this.#jobs.filter((j) => j.at <= this.time)
    this.#jobs = this.#jobs.filter((j) => j.at > this.time)
    for (const j of due) j.fn()
  }
}

class FakeVideo implements RemoteElement {
  muted = false
  dataset: DOMStringMap = {}
  forbidden = false
  /** There is no stream yet: who plays waits, and is turned away when it comes. */
  empty = false
  frames = 0
  requestVideoFrameCallback?: NonNullable<RemoteElement['requestVideoFrameCallback']>
  #waiting: ((now: number, meta: { receiveTime?: number }) => void)[] = []

  constructor(callbacks: boolean) {
    if (callbacks)
      this.requestVideoFrameCallback = (fn) => {
        this.#waiting.push(fn)
        return 0
      }
  }
  async play(): Promise<void> {
    if (this.empty) throw new DOMException('', 'AbortError')
    if (this.forbidden && !this.muted) throw new DOMException('', 'NotAllowedError')
  }
  getVideoPlaybackQuality = () => ({ totalVideoFrames: this.frames })
  frame(now: number, receiveTime: number): void {
    this.frames++
    const fns = this.#waiting
    this.#waiting = []
    for (const fn of fns) fn(now, { receiveTime })
  }
  get live(): boolean {
    return this.dataset['live'] === 'true'
  }
}

const call = (id: string, peerVideo = true, dataUse: DataUse = 'normal'): { phase: 'call'; call: CallInfo; dataUse: DataUse } => ({
  phase: 'call',
  dataUse,
  call: { id, peer: { id: 'p', name: 'P', friend: false }, rung: false, topics: [], startedAt: 0, peerAudio: true, peerVideo, peerWatching: true, peerConnection: 'ok' },
})
const gone = { phase: 'left', call: undefined, dataUse: 'normal' } as const

describe('RemoteView', () => {
  it('shows no picture that is left out to save data, and a new one after that', () => {
    view.update(call('a'))
    clock.move(2 * SETTLE_MS)
    video.frame(clock.time, clock.time)
    expect(video.live).toBe(true)
    view.update(call('a', true, 'audio'))
    expect(video.live).toBe(false)
    const before = clock.time
    clock.move(1000)
    view.update(call('a', true, 'low'))
    video.frame(clock.time, before)
    expect(video.live).toBe(false)
    clock.move(2 * SETTLE_MS)
    video.frame(clock.time, clock.time)
    expect(video.live).toBe(true)
  })

  let clock: FakeClock
  let video: FakeVideo
  let blocked: boolean
  let view: RemoteView
  const make = (callbacks = true) => {
    clock = new FakeClock()
    video = new FakeVideo(callbacks)
    blocked = false
    view = new RemoteView(video, (b) => (blocked = b), clock)
  }
  beforeEach(() => make())

  it('shows a partner from the first frame that came after the match', () => {
    expect(video.muted).toBe(true)
    view.update(call('a'))
    video.frame(1005, 990)
    expect(video.live).toBe(false)
    video.frame(1030, 1010)
    expect(video.live).toBe(true)
  })

  it('hides and mutes in the instant the call ends', async () => {
    view.update(call('a'))
    video.frame(1030, 1010)
    clock.move(SETTLE_MS)
    expect(video.muted).toBe(false)
    view.update(gone)
    expect(video.live).toBe(false)
    expect(video.muted).toBe(true)
    video.frame(2000, 1999)
    expect(video.live).toBe(false)
  })

  it('does not take the old partner for the new one', () => {
    view.update(call('a'))
    video.frame(1030, 1010)
    clock.move(500)
    view.update(call('b'))
    expect(video.live).toBe(false)
    expect(video.muted).toBe(true)
    video.frame(1510, 1495)
    expect(video.live).toBe(false)
    video.frame(1540, 1520)
    expect(video.live).toBe(true)
  })

  it('leaves the sound off until what the jitter buffer held is gone', () => {
    view.update(call('a'))
    clock.move(SETTLE_MS - 1)
    expect(video.muted).toBe(true)
    clock.move(1)
    expect(video.muted).toBe(false)
  })

  it('never plays sound of a call that ended before it began', () => {
    view.update(call('a'))
    clock.move(50)
    view.update(gone)
    clock.move(1000)
    expect(video.muted).toBe(true)
  })

  it('hides a camera that is switched off, and waits for a new frame after', () => {
    view.update(call('a'))
    video.frame(1030, 1010)
    view.update(call('a', false))
    expect(video.live).toBe(false)
    clock.move(300)
    view.update(call('a'))
    video.frame(1310, 1200)
    expect(video.live).toBe(false)
    video.frame(1340, 1320)
    expect(video.live).toBe(true)
  })

  it('keeps the picture while other things about the call change', () => {
    view.update(call('a'))
    video.frame(1030, 1010)
    view.update({ ...call('a'), call: { ...call('a').call, peerConnection: 'poor' } })
    expect(video.live).toBe(true)
  })

  it('asks for a tap where the browser forbids sound, and the picture runs on', async () => {
    video.forbidden = true
    view.update(call('a'))
    clock.move(SETTLE_MS)
    await Promise.resolve().then(() => {})
    expect(blocked).toBe(true)
    expect(video.muted).toBe(true)
    video.forbidden = false
    await view.unmute()
    expect(blocked).toBe(false)
    expect(video.muted).toBe(false)
  })

  it('does not ask for a tap when the stream is late, and plays it with sound', async () => {
    video.empty = true
    view.update(call('a'))
    clock.move(SETTLE_MS)
    await Promise.resolve().then(() => {})
    expect(blocked).toBe(false)
    video.empty = false
    view.attached()
    await Promise.resolve().then(() => {})
    expect(blocked).toBe(false)
    expect(video.muted).toBe(false)
  })

  it('asks for a tap when the late stream may not be heard', async () => {
    video.empty = true
    view.update(call('a'))
    clock.move(SETTLE_MS)
    video.empty = false
    video.forbidden = true
    view.attached()
    await Promise.resolve().then(() => {})
    expect(blocked).toBe(true)
    expect(video.muted).toBe(true)
  })

  it('counts frames where there are no frame callbacks', () => {
    make(false)
    view.update(call('a'))
    video.frames = 7
    clock.move(16)
    expect(video.live).toBe(false)
    clock.move(SETTLE_MS)
    expect(video.live).toBe(false)
    video.frames = 8
    clock.move(16)
    clock.move(16)
    expect(video.live).toBe(true)
  })
})
