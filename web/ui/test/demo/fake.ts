import type { Client, DataUse, QueueInfo, Search, Side, State } from '@smalltalk/client'

export const IDLE: State = {
  link: 'online',
  user: { id: 'u1', name: 'Quiet Otter', guest: true },
  topics: [
    { id: 'general', name: 'General', online: 128, waiting: 3 },
    { id: 'news', name: 'News', online: 41, waiting: 1 },
    { id: 'sports', name: 'Sports', online: 67, waiting: 0 },
    { id: 'movies', name: 'Movies & TV', online: 93, waiting: 2 },
    { id: 'gaming', name: 'Gaming', online: 212, waiting: 5 },
  ],
  freeTopics: true,
  rtc: 'connected',
  rtcFailures: 0,
  phase: 'idle',
  chat: [],
  peerTyping: false,
  audio: true,
  video: true,
  dataUse: 'normal',
}

/** The place in line of a search that has just begun, among four. */
function queueOf({ topics, langs = [], strict = false }: Search): QueueInfo {
  return { topics, langs, strict, since: Date.now(), waiting: 4, widened: [] }
}

/** A client that does as it is told by the test and remembers what it was asked. */
export class FakeClient implements Client {
  state: State
  readonly asked: string[] = []
  readonly pc = undefined
  /** What was looked for last. */
  sought: Search | undefined
  remote: MediaStream | undefined
  #fns = new Set<(s: State) => void>()

  constructor(state: State) {
    this.state = state
  }

  set(part: Partial<State>): void {
    this.state = { ...this.state, ...part }
    for (const fn of this.#fns) fn(this.state)
  }

  subscribe(fn: (s: State) => void): () => void {
    this.#fns.add(fn)
    return () => this.#fns.delete(fn)
  }

  async connect(): Promise<void> {
    this.asked.push('connect')
  }
  close(): void {
    this.asked.push('close')
  }
  async setMedia(m: { audio?: unknown; video?: unknown }): Promise<void> {
    this.asked.push(`media ${m.audio ? 'audio' : '-'} ${m.video ? 'video' : '-'}`)
  }
  setEnabled(on: { audio?: boolean; video?: boolean }): void {
    this.asked.push(`enabled ${on.audio} ${on.video}`)
  }
  setDataUse(dataUse: DataUse): void {
    this.asked.push(`data ${dataUse}`)
    this.set({ dataUse })
  }
  join(search: Search): void {
    this.asked.push('join')
    this.sought = search
    this.set({ phase: 'queued', queue: queueOf(search) })
  }
  cancel(): void {
    this.asked.push('cancel')
    this.set({ phase: 'idle' })
  }
  next(): void {
    this.asked.push('next')
    this.set({ phase: 'queued', queue: queueOf({ topics: 'any' }) })
  }
  leave(): void {
    this.asked.push('leave')
    this.set({ phase: 'idle' })
  }
  requeue(): void {
    this.asked.push('requeue')
  }
  widen(...sides: Side[]): void {
    this.asked.push(`widen ${sides}`)
  }
  undo(): void {
    this.asked.push('undo')
  }
  retryMedia(): void {
    this.asked.push('retryMedia')
  }
  sendChat(text: string): void {
    this.set({ chat: [...this.state.chat, { id: String(this.state.chat.length), from: 'me', text, at: Date.now(), state: 'sent' }] })
  }
  resendChat(): void {}
  setTyping(): void {}
  watchTopics(): void {}
  dismissError(): void {
    this.set({ error: undefined })
  }
  dismissNotice(): void {
    this.set({ notice: undefined })
  }
  onRemote(fn: (s: MediaStream) => void): () => void {
    if (this.remote) fn(this.remote)
    return () => {}
  }
  takeover(): void {
    this.asked.push('takeover')
  }
  freshGuest(): void {
    this.asked.push('freshGuest')
  }
  token: string | undefined
  signIn(): void {
    this.asked.push('signIn')
  }
  /** Says something about people, as the server would. */
  readonly others = new Set<(text: string) => void>()
  onOther(fn: (text: string) => void): () => void {
    this.others.add(fn)
    return () => this.others.delete(fn)
  }
  say(m: { type: string }): void {
    this.asked.push(`say ${m.type}`)
  }
  expect(on: boolean): void {
    this.asked.push(`expect ${on}`)
  }
  async stats() {
    return {
      rttMs: 23,
      peerRttMs: 61,
      path: 'udp' as const,
      received: { kbps: 1740, loss: 0.004, repairs: 2, codec: 'VP8', fps: 29.9, width: 1280, height: 720 },
      sent: { kbps: 1512, loss: 0, repairs: 0, codec: 'VP8', fps: 30, width: 640, height: 360 },
    }
  }
}
