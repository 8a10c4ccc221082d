import { vi } from 'vitest'

/** A track of a camera or microphone that exists in a test only. */
export class FakeTrack extends EventTarget {
  enabled = true
  stopped = false

  constructor(
    readonly kind: 'audio' | 'video',
    readonly deviceId: string,
  ) {
    super()
  }

  stop(): void {
    this.stopped = true
  }
}

type Want = { deviceId?: { exact: string } } | false

/** The cameras and microphones of a test, in place of the browser's. */
export class FakeDevices extends EventTarget {
  readonly asked: string[] = []
  readonly given: FakeTrack[] = []
  /** Thrown by the next questions that want this kind; `exact` only by those that name a device. */
  refuse: { video?: DOMException; audio?: DOMException; exact?: DOMException } = {}
  /** Answers wait for this. */
  gate: Promise<void> = Promise.resolve()

  async getUserMedia({ audio, video }: { audio: Want; video: Want }): Promise<{ getTracks(): FakeTrack[] }> {
    const name = (w: Want, kind: string) => (w ? [`${kind}${w.deviceId ? `=${w.deviceId.exact}` : ''}`] : [])
    this.asked.push([...name(audio, 'audio'), ...name(video, 'video')].join(' '))
    await this.gate
    const exact = (audio && audio.deviceId) || (video && video.deviceId)
    const no = (video && this.refuse.video) || (audio && this.refuse.audio) || (exact && this.refuse.exact)
    if (no) throw no
    const tracks = [...(audio ? [new FakeTrack('audio', 'mic')] : []), ...(video ? [new FakeTrack('video', 'cam')] : [])]
    this.given.push(...tracks)
    return { getTracks: () => tracks }
  }

  async enumerateDevices(): Promise<[]> {
    return []
  }
}

/** Puts fake devices in the browser's place for the running test. */
export function plugIn(): FakeDevices {
  const devices = new FakeDevices()
  vi.stubGlobal('navigator', { mediaDevices: devices })
  return devices
}
