import type { Client, DataUse, Search, State } from '@smalltalk/client'
import type { Tie } from '@smalltalk/client/people'
import { Cell } from './cell'
import { Keys, ESC_WINDOW_MS } from './keys'
import type { LocalMedia, LocalState, Mode } from './media/local'
import { screenOf, type Route, type Screen } from './screen'
import { MAX_TOPICS, searchOf, spoken, WIDENINGS, type Widening } from './search'

/** What a dialog may be open about. */
export type Dialog = 'leave' | 'help' | 'data' | 'details' | 'search' | 'person'

/** What the screens know beside the client's state and the own devices. */
export interface Ui {
  readonly route: Route
  /** Topic ids; empty means anything, if there are none of the person's own. */
  readonly picked: readonly string[]
  /** Topics in the person's own words. */
  readonly own: readonly string[]
  /** Base languages that the person wants to talk in; empty means any. */
  readonly langs: readonly string[]
  readonly widening: Widening
  /** The topic of an invitation, if it is not offered here. */
  readonly missing: string | undefined
  readonly chat: boolean
  /** How many lines of the chat have been seen. */
  readonly read: number
  readonly dialog: Dialog | undefined
  /** The first Esc of two was pressed. */
  readonly armed: boolean
  /** The browser wants a gesture before it plays sound. */
  readonly silent: boolean
  /** Single-letter shortcuts are on. */
  readonly letters: boolean
  /** Whether to look for the next partner unasked when one has left; `undefined` while the person has not said. */
  readonly auto: boolean | undefined
  /** How the partner of the call stands to the person; `undefined` until that is known. */
  readonly tie: Tie | undefined
  /** How much there is to see among the people. */
  readonly pending: number
  /** What this tab went in with last. */
  readonly mode: Mode | undefined
}

/** Strings that last, where the browser lets us keep any. */
export interface Keep {
  get(key: string): string | null
  set(key: string, value: string): void
}

/** A Storage that may be forbidden, as in some private windows. */
export function keep(of: () => Storage): Keep {
  return {
    get(key) {
      try {
        return of().getItem(key)
      } catch {
        return null
      }
    },
    set(key, value) {
      try {
        of().setItem(key, value)
      } catch {
        // Then it is asked again next time.
      }
    },
  }
}

const TAB = { mode: 'st.mode', off: 'st.off' }
const EVER = { picked: 'st.topics', own: 'st.own', langs: 'st.langs', widening: 'st.widen', letters: 'st.letters', auto: 'st.auto', data: 'st.data', friends: 'st.friends' }

const USES: readonly string[] = ['normal', 'low', 'audio'] satisfies DataUse[]

/** Ties the client, the own devices and the screens together. */
export class Model {
  readonly ui: Cell<Ui>
  readonly client: Client
  readonly local: LocalMedia
  /** Plays sound, from a gesture; set by the stage. */
  hear = () => {}
  readonly #tab: Keep
  readonly #ever: Keep
  readonly #keys = new Keys()
  #armTimer: ReturnType<typeof setTimeout> | undefined
  #screen: Screen = 'splash'
  /** Our tracks are with the client: from Start until back at the topics. */
  #sending = false
  #sent: Pick<LocalState, 'audio' | 'video'> | undefined
  #call: string | undefined
  /** The topic that the person was invited to, until the topics are known. */
  #invited: string | undefined
  /** When the call began, by performance.now(). */
  #metAt = -Infinity

  constructor(client: Client, local: LocalMedia, stores: { tab: Keep; ever: Keep }, invited?: string, frugal = false, langs: readonly string[] = []) {
    this.client = client
    this.local = local
    this.#tab = stores.tab
    this.#ever = stores.ever
    this.#invited = invited
    const use = this.#ever.get(EVER.data) ?? ''
    // Where the person has not said, the browser may have been told to save data.
    if (USES.includes(use) || frugal) client.setDataUse(USES.includes(use) ? (use as DataUse) : 'low')
    const auto = this.#ever.get(EVER.auto)
    this.ui = new Cell<Ui>({
      route: 'home',
      picked: invited ? [invited] : this.#kept(EVER.picked, ' '),
      own: invited ? [] : this.#kept(EVER.own, '\n'),
      langs: this.#ever.get(EVER.langs) === null ? spoken(langs) : this.#kept(EVER.langs, ' '),
      widening: WIDENINGS.find((w) => w === this.#ever.get(EVER.widening)) ?? WIDENINGS[0]!,
      missing: undefined,
      chat: false,
      read: 0,
      dialog: undefined,
      armed: false,
      silent: false,
      letters: this.#ever.get(EVER.letters) !== 'off',
      auto: auto === null ? undefined : auto === 'on',
      tie: undefined,
      pending: 0,
      mode: (this.#tab.get(TAB.mode) as Mode | null) ?? undefined,
    })
    const off = this.#tab.get(TAB.off) ?? ''
    local.set({ micOn: !off.includes('mic'), camOn: !off.includes('cam') })
    client.subscribe((s) => this.#follow(s))
    this.ui.subscribe(() => this.#settle())
    local.cell.subscribe(() => this.#send())
  }

  get screen(): Screen {
    return screenOf(this.client.state, this.ui.get().route)
  }

  /** Somebody here has friends, who may ring before anything is touched. */
  get friended(): boolean {
    return this.#ever.get(EVER.friends) === 'yes'
  }

  set friended(yes: boolean) {
    this.#ever.set(EVER.friends, yes ? 'yes' : '')
  }

  /** Picks or unpicks a topic. */
  toggle(id: string): void {
    const { picked } = this.ui.get()
    const now = picked.includes(id) ? picked.filter((p) => p !== id) : [...picked, id]
    const own = [...this.ui.get().own]
    // One too many: the oldest goes.
    if (now.length + own.length > MAX_TOPICS) (now.length > 1 ? now : own).shift()
    this.#pick(now, own)
  }

  /** Picks "anything". */
  anything(): void {
    this.#pick([], [])
  }

  /** Topics in the person's own words, all of them. */
  own(own: readonly string[]): void {
    this.#pick(this.ui.get().picked, own)
  }

  /** Says in which languages, from now on and in later visits. */
  langs(langs: readonly string[]): void {
    this.#ever.set(EVER.langs, langs.join(' '))
    this.ui.patch({ langs })
  }

  /** Says how a search goes on when nobody fits, from now on and in later visits. */
  widening(widening: Widening): void {
    this.#ever.set(EVER.widening, widening)
    this.ui.patch({ widening })
  }

  /** The topics that are picked and can be had here. */
  topics(): string[] {
    const { topics, freeTopics } = this.client.state
    const { picked, own } = this.ui.get()
    return [...picked.filter((p) => !topics.length || topics.some((t) => t.id === p)), ...(freeTopics ? own : [])]
  }

  /** From the topics: to the preview the first time, then straight to waiting. */
  start(): void {
    const { mode } = this.ui.get()
    if (mode) void this.go(mode, true)
    else this.preview()
  }

  /** The look at oneself, where devices and the way to take part are chosen. */
  preview(): void {
    this.ui.patch({ route: 'preview' })
    void this.#open('video')
  }

  /**
   * Starts the search with what `mode` asks for. `unseen` is for a start
   * without the preview: it comes after all if the devices fail.
   */
  async go(mode: Mode, unseen = false): Promise<void> {
    this.#tab.set(TAB.mode, mode)
    this.client.dismissError()
    this.ui.patch({ route: 'starting', mode })
    await this.#open(mode)
    if (this.ui.get().route !== 'starting') return
    if (unseen && this.local.cell.get().problem) return this.ui.patch({ route: 'preview' })
    this.#sending = true
    this.#send()
    this.client.join(this.#search())
  }

  /** Looks for the next one, as before. */
  again(): void {
    this.client.join(this.#search())
  }

  /** Back to the topics from the preview or from waiting. */
  home(): void {
    const { phase } = this.client.state
    if (phase === 'queued') this.client.cancel()
    else if (phase !== 'idle') this.leave()
    this.ui.patch({ route: 'home', dialog: undefined })
  }

  next(): void {
    // The second click of a double click would fall on somebody just met. Who talks to a friend has not asked for strangers.
    if (!this.client.state.call?.rung && performance.now() - this.#metAt >= BLINK_MS) this.client.next()
  }

  /** Gets the devices ready for a call that comes without a search. */
  prepare(mode: Mode): void {
    this.#tab.set(TAB.mode, mode)
    this.ui.patch({ mode })
    void this.#open(mode)
  }

  /** Asks the last partner back. */
  undo(): void {
    this.client.undo()
  }

  leave(): void {
    this.client.leave()
    this.ui.patch({ route: 'home', dialog: undefined })
  }

  /** The Back button: what it means depends on where one is. */
  back(): void {
    const asked = this.ui.get().dialog === 'leave'
    if (this.screen === 'call' && !asked) this.ui.patch({ dialog: 'leave' })
    else this.home()
  }

  mute(): void {
    this.#turn({ micOn: !this.local.cell.get().micOn })
  }

  camera(): void {
    this.#turn({ camOn: !this.local.cell.get().camOn })
  }

  chat(open = !this.ui.get().chat): void {
    this.ui.patch({ chat: open, read: this.client.state.chat.length })
  }

  letters(on: boolean): void {
    this.#ever.set(EVER.letters, on ? 'on' : 'off')
    this.ui.patch({ letters: on })
  }

  /** Says whether to go on unasked when a partner has left. */
  auto(on: boolean): void {
    this.#ever.set(EVER.auto, on ? 'on' : 'off')
    this.ui.patch({ auto: on })
  }

  /** Says how much data may be used, from now on and in later visits. */
  data(use: DataUse): void {
    this.#ever.set(EVER.data, use)
    this.client.setDataUse(use)
    const { mode } = this.ui.get()
    if (this.screen === 'preview') void this.#open('video')
    // Whoever went in without a camera is not filmed for using more data.
    else if (this.#sending && mode) void this.#open(mode)
  }

  /** Takes a key pressed anywhere; true if it meant something. */
  key(e: KeyboardEvent): boolean {
    const { dialog, letters } = this.ui.get()
    if (dialog) return false
    const t = e.target as HTMLElement
    const typing = t.isContentEditable || /^(input|textarea|select)$/i.test(t.tagName)
    const inCall = this.screen === 'call'
    const back = this.client.state.undo
    if (!inCall && !back) return false
    switch (this.#keys.press(e, e.timeStamp, typing, letters, inCall)) {
      case 'back':
        this.undo()
        return true
      case 'arm-next':
        this.#arm()
        return true
      case 'next':
        this.#disarm()
        this.next()
        return true
      case 'mute':
        this.mute()
        return true
      case 'camera':
        this.camera()
        return true
      case 'chat':
        this.chat()
        return true
      case 'help':
        this.ui.patch({ dialog: 'help' })
        return true
      default:
        return false
    }
  }

  /** Opens the devices for a mode, but no camera that nobody would see. */
  #open(mode: Mode): Promise<void> {
    return this.local.open(mode === 'video' && this.client.state.dataUse === 'audio' ? 'audio' : mode)
  }

  /** Switches the microphone or the camera; a reload keeps to it. */
  #turn(part: Partial<Pick<LocalState, 'micOn' | 'camOn'>>): void {
    this.local.set(part)
    const { micOn, camOn } = this.local.cell.get()
    this.#tab.set(TAB.off, `${micOn ? '' : 'mic'} ${camOn ? '' : 'cam'}`)
  }

  #arm(): void {
    clearTimeout(this.#armTimer)
    this.ui.patch({ armed: true })
    this.#armTimer = setTimeout(() => this.ui.patch({ armed: false }), ESC_WINDOW_MS)
  }

  #disarm(): void {
    clearTimeout(this.#armTimer)
    this.#keys.reset()
    this.ui.patch({ armed: false })
  }

  #search(): Search {
    const { langs, widening } = this.ui.get()
    return searchOf(this.topics(), langs, widening)
  }

  #pick(picked: readonly string[], own: readonly string[]): void {
    this.#ever.set(EVER.picked, picked.join(' '))
    this.#ever.set(EVER.own, own.join('\n'))
    this.ui.patch({ picked, own, missing: undefined })
  }

  /** What was chosen last, in this visit or an earlier one. */
  #kept(key: string, between: string): string[] {
    const kept = this.#ever.get(key)
    return kept ? kept.split(between) : []
  }

  /** Looks whether the topic of the invitation can be had; if not it is said, instead of a search for anything. */
  #lookUp({ topics, freeTopics }: State): void {
    const id = this.#invited
    if (!id || !topics.length) return
    this.#invited = undefined
    if (topics.some((t) => t.id === id)) return
    if (freeTopics) this.ui.patch({ picked: [], own: [id] })
    else this.ui.patch({ picked: this.#kept(EVER.picked, ' '), own: this.#kept(EVER.own, '\n'), missing: id })
  }

  #follow(s: State): void {
    this.#lookUp(s)
    const { route, chat, read } = this.ui.get()
    const call = s.phase === 'call' ? s.call?.id : undefined
    if (call !== this.#call) {
      this.#call = call
      this.#metAt = performance.now()
    }
    if (s.phase !== 'idle' && route !== 'home') this.ui.patch({ route: 'home' })
    // A search that was refused: back to the topics, where the error shows.
    if (s.phase === 'idle' && s.error && route === 'starting') this.ui.patch({ route: 'home' })
    if (s.phase !== 'call') this.#disarm()
    if (chat ? read !== s.chat.length : read > s.chat.length) this.ui.patch({ read: s.chat.length })
    this.#settle()
  }

  /** Does what entering a screen asks for. */
  #settle(): void {
    const screen = this.screen
    if (screen === this.#screen) return
    this.#screen = screen
    if (screen !== 'call') this.ui.patch({ dialog: undefined, ...(screen === 'waiting' || screen === 'left' ? {} : { chat: false }) })
    if (screen === 'home' || screen === 'people' || screen === 'closed') {
      this.#sending = false
      this.#sent = undefined
      this.local.close()
      void this.client.setMedia({ audio: null, video: null })
    }
    if (screen !== 'home') this.ui.patch({ missing: undefined })
    this.client.watchTopics(screen === 'home')
    const { mode, route } = this.ui.get()
    // The call goes on in a new page, as after a crash: so do our devices.
    if (screen === 'call' && !this.#sending && mode && route !== 'starting') {
      this.#sending = true
      void this.#open(mode)
      this.#send()
    }
  }

  /** Hands the tracks to the client and says what is on. */
  #send(): void {
    if (!this.#sending) return
    const { audio, video, micOn, camOn, hidden } = this.local.cell.get()
    // First, so that a camera that is off does not blink on.
    this.client.setEnabled({ audio: micOn, video: camOn && !hidden })
    if (audio !== this.#sent?.audio || video !== this.#sent?.video || !this.#sent) {
      this.#sent = { audio, video }
      void this.client.setMedia({ audio: audio ?? null, video: video ?? null })
    }
  }
}

/** Nobody decides on a face in less, in ms; double clicks are mostly faster. */
const BLINK_MS = 400
