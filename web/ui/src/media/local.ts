import { Cell } from '../cell'
import { classify, type Kind, type Problem } from './problem'

/** What a person goes in with. */
export type Mode = 'video' | 'audio' | 'text'

/** One's own camera and microphone. */
export interface LocalState {
  /** The browser is asking, or the devices are starting. */
  readonly asking: boolean
  readonly problem: Problem | undefined
  readonly audio: MediaStreamTrack | undefined
  readonly video: MediaStreamTrack | undefined
  readonly cameras: readonly MediaDeviceInfo[]
  readonly microphones: readonly MediaDeviceInfo[]
  /** What the person wants; a hidden page pauses the camera all the same. */
  readonly micOn: boolean
  readonly camOn: boolean
  readonly hidden: boolean
}

const EMPTY: LocalState = {
  asking: false,
  problem: undefined,
  audio: undefined,
  video: undefined,
  cameras: [],
  microphones: [],
  micOn: true,
  camOn: true,
  hidden: false,
}

const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
  facingMode: 'user',
}
const AUDIO: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true }

/** Holds one's own camera and microphone: asks for them, changes them, gives them back. */
export class LocalMedia {
  readonly cell = new Cell<LocalState>(EMPTY)
  /** Rises with each open and close, so that a late answer is known as late. */
  #turn = 0
  #camera = ''
  #microphone = ''

  constructor() {
    navigator.mediaDevices?.addEventListener?.('devicechange', () => {
      const { audio, video } = this.cell.get()
      if (audio || video) void this.#list()
    })
  }

  /**
   * Asks for what `mode` needs. Where one of the two cannot be had the other is
   * taken alone and `problem` says why; it never throws.
   */
  async open(mode: Mode): Promise<void> {
    const { audio, video } = this.cell.get()
    if (mode === 'text') return this.close()
    if (mode === 'audio' && video) this.#drop('video')
    if (audio && (video || mode === 'audio')) return this.cell.patch({ problem: undefined })
    const turn = ++this.#turn
    if (!navigator.mediaDevices?.getUserMedia) {
      this.cell.patch({ problem: { kind: window.isSecureContext ? 'failed' : 'insecure', device: 'both' } })
      return
    }
    this.cell.patch({ asking: true, problem: undefined })
    const wantVideo = mode === 'video' && !video
    const [tracks, problem] = await this.#get(!audio, wantVideo)
    if (turn !== this.#turn) {
      for (const t of tracks) t.stop()
      return
    }
    for (const t of tracks) this.#take(t)
    this.cell.patch({ asking: false, problem })
    await this.#list()
  }

  /** Gives the devices back; the camera's light goes off. */
  close(): void {
    this.#turn++
    this.#drop('audio')
    this.#drop('video')
    this.cell.patch({ asking: false, problem: undefined })
  }

  /** Changes to another camera or microphone. */
  async pick(kind: 'audio' | 'video', id: string): Promise<void> {
    if (kind === 'video') this.#camera = id
    else this.#microphone = id
    // The old one goes first: phones open only one camera at a time.
    this.#drop(kind)
    const turn = ++this.#turn
    const [tracks, problem] = await this.#get(kind === 'audio', kind === 'video')
    if (turn !== this.#turn) {
      for (const t of tracks) t.stop()
      return
    }
    for (const t of tracks) this.#take(t)
    this.cell.patch({ asking: false, problem })
  }

  /** What the person wants on, and whether anybody can see the page. */
  set(part: Partial<Pick<LocalState, 'micOn' | 'camOn' | 'hidden'>>): void {
    this.cell.patch(part)
    const { audio, video, micOn, camOn, hidden } = this.cell.get()
    if (audio) audio.enabled = micOn
    if (video) video.enabled = camOn && !hidden
  }

  async #get(audio: boolean, video: boolean): Promise<[MediaStreamTrack[], Problem | undefined]> {
    const device = audio && video ? 'both' : video ? 'camera' : 'microphone'
    try {
      return [await this.#ask(audio, video), undefined]
    } catch (err) {
      const kind = classify(err)
      // One that was chosen may have been unplugged: the next try takes any.
      if (audio) this.#microphone = ''
      if (video) this.#camera = ''
      // Asking again after a no would only bring up the question again.
      if (device !== 'both' || kind === 'refused' || kind === 'system') return [[], { kind, device }]
      return this.#oneOf(kind)
    }
  }

  async #oneOf(kind: Kind): Promise<[MediaStreamTrack[], Problem]> {
    try {
      return [await this.#ask(true, false), { kind, device: 'camera' }]
    } catch {
      try {
        return [await this.#ask(false, true), { kind, device: 'microphone' }]
      } catch {
        return [[], { kind, device: 'both' }]
      }
    }
  }

  async #ask(audio: boolean, video: boolean): Promise<MediaStreamTrack[]> {
    const of = (base: MediaTrackConstraints, id: string) => (id ? { ...base, facingMode: undefined!, deviceId: { exact: id } } : base)
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: audio && of(AUDIO, this.#microphone),
      video: video && of(VIDEO, this.#camera),
    })
    return stream.getTracks()
  }

  #take(track: MediaStreamTrack): void {
    const kind = track.kind as 'audio' | 'video'
    // Unplugged, or taken away by the system.
    track.addEventListener('ended', () => {
      if (this.cell.get()[kind] !== track) return
      this.cell.patch({ [kind]: undefined, problem: { kind: 'missing', device: kind === 'video' ? 'camera' : 'microphone' } })
    })
    this.cell.patch({ [kind]: track })
    this.set({})
  }

  #drop(kind: 'audio' | 'video'): void {
    const track = this.cell.get()[kind]
    this.cell.patch({ [kind]: undefined })
    track?.stop()
  }

  async #list(): Promise<void> {
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => [])
    const of = (kind: MediaDeviceKind) => all.filter((d) => d.kind === kind && d.deviceId)
    this.cell.patch({ cameras: of('videoinput'), microphones: of('audioinput') })
  }
}
