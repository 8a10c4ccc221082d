import type { Client, Phase } from '@smalltalk/client'

// Everything in this file runs in the page. It is handed over as source, so the functions may use nothing from outside themselves.

/** A colour as red, green, blue from 0 to 255. */
export type Colour = readonly [number, number, number]

/** What a visitor's page is told. */
export interface ProbeOptions {
  colour: Colour
  hz: number
  /** The camera and microphone are refused. */
  refuse: boolean
}

/** A change of the client's state that matters to a journey; `at` is `Date.now()`, the same clock in every process of a machine. */
export interface Change {
  at: number
  phase: Phase
  call: string
  link: string
}

/** What was on screen at one animation frame; `now` and `matchAt` are `performance.now()`. */
export interface Sample {
  now: number
  phase: Phase
  call: string
  visible: boolean
  live: boolean
  colour: Colour | undefined
}

/** What the tests may ask a page. */
export interface Probe {
  offers: number
  peers: number
  violations: string[]
  changes: Change[]
  /** The middle of the partner's picture, if an element shows one. */
  look(): { visible: boolean; live: boolean; colour: Colour | undefined }
  /** The level in decibels at each frequency of the partner's sound. */
  hear(hz: number[]): Promise<number[]>
  /** Starts and ends taking a sample at each animation frame. */
  record(): void
  recorded(): Sample[]
}

declare global {
  var __smalltalk: Client
  var __probe: Probe
}

/** Installs a camera that paints one colour with a moving bar, a microphone that plays one tone, and the probe. */
function install({ colour, hz, refuse }: ProbeOptions): void {
  const paint = (): MediaStreamTrack => {
    const canvas = document.createElement('canvas')
    canvas.width = 320
    canvas.height = 240
    const g = canvas.getContext('2d')
    if (!g) throw new Error('no 2d canvas')
    let n = 0
    setInterval(() => {
      n = (n + 4) % 320
      g.fillStyle = `rgb(${colour.join(',')})`
      g.fillRect(0, 0, 320, 240)
      g.fillStyle = '#fff'
      g.fillRect(n, 0, 12, 30)
    }, 33)
    const track = canvas.captureStream(30).getVideoTracks()[0]
    if (!track) throw new Error('no canvas track')
    return track
  }

  let audio: AudioContext | undefined
  const sound = (): AudioContext => (audio ??= new AudioContext())
  const play = (): MediaStreamTrack => {
    const ctx = sound()
    const tone = ctx.createOscillator()
    tone.frequency.value = hz
    const gain = ctx.createGain()
    gain.gain.value = 0.3
    const out = ctx.createMediaStreamDestination()
    tone.connect(gain).connect(out)
    tone.start()
    const track = out.stream.getAudioTracks()[0]
    if (!track) throw new Error('no audio track')
    return track
  }

  if (navigator.mediaDevices) {
    navigator.mediaDevices.getUserMedia = async (want) => {
      if (refuse) throw new DOMException('Permission denied', 'NotAllowedError')
      return new MediaStream([...(want?.audio ? [play()] : []), ...(want?.video ? [paint()] : [])])
    }
  }

  const element = (): HTMLVideoElement | null => document.querySelector<HTMLVideoElement>('[data-testid=remote-video]')
  const shown = (v: HTMLElement): boolean => {
    const box = v.getBoundingClientRect()
    return v.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && box.width > 1 && box.height > 1
  }
  const scratch = document.createElement('canvas')
  scratch.width = scratch.height = 1
  const pen = scratch.getContext('2d', { willReadFrequently: true })
  const middle = (v: HTMLVideoElement): Colour | undefined => {
    if (!pen || v.videoWidth === 0 || v.readyState < 2) return undefined
    pen.drawImage(v, v.videoWidth / 2 - 8, v.videoHeight / 2 - 8, 16, 16, 0, 0, 1, 1)
    const [r = 0, g = 0, b = 0] = pen.getImageData(0, 0, 1, 1).data
    return [r, g, b]
  }

  let analyser: AnalyserNode | undefined
  const ears = (): AnalyserNode | undefined => {
    const stream = globalThis.__smalltalk.remote
    if (analyser || !(stream instanceof MediaStream)) return analyser
    analyser = sound().createAnalyser()
    analyser.fftSize = 4096
    analyser.smoothingTimeConstant = 0
    sound().createMediaStreamSource(stream).connect(analyser)
    return analyser
  }

  let samples: Sample[] | undefined
  const sample = (): void => {
    if (!samples) return
    const s = globalThis.__smalltalk.state
    samples.push({ now: performance.now(), phase: s.phase, call: s.call?.id ?? '', ...probe.look() })
    requestAnimationFrame(sample)
  }

  const probe: Probe = {
    offers: 0,
    peers: 0,
    violations: [],
    changes: [],
    look() {
      const v = element()
      if (!v) return { visible: false, live: false, colour: undefined }
      return { visible: shown(v), live: v.dataset['live'] === 'true', colour: middle(v) }
    },
    async hear(list) {
      const a = ears()
      if (!a) return list.map(() => -Infinity)
      const bins = new Float32Array(a.frequencyBinCount)
      a.getFloatFrequencyData(bins)
      return list.map((f) => bins[Math.round((f * a.fftSize) / a.context.sampleRate)] ?? -Infinity)
    },
    record() {
      samples = []
      sample()
    },
    recorded() {
      const done = samples ?? []
      samples = undefined
      return done
    },
  }
  globalThis.__probe = probe

  document.addEventListener('securitypolicyviolation', (e) => {
    probe.violations.push(`${e.violatedDirective} ${e.blockedURI}`)
  })

  const Real = globalThis.RTCPeerConnection
  globalThis.RTCPeerConnection = class extends Real {
    constructor(config?: RTCConfiguration) {
      super(config)
      probe.peers++
    }
  }
  Real.prototype.createOffer = new Proxy(Real.prototype.createOffer, {
    apply(target, self, args) {
      probe.offers++
      return Reflect.apply(target, self, args) as unknown
    },
  })

  // The page hands out its client; from then on every change is noted.
  let client: Client | undefined
  Object.defineProperty(globalThis, '__smalltalk', {
    configurable: true,
    get: () => client,
    set(c: Client) {
      client = c
      c.subscribe((s) => {
        const change: Change = { at: Date.now(), phase: s.phase, call: s.call?.id ?? '', link: s.link }
        const last = probe.changes.at(-1)
        if (!last || last.phase !== change.phase || last.call !== change.call || last.link !== change.link) probe.changes.push(change)
      })
    },
  })
}

/** The source of an init script that does `install`. tsx names functions through a helper, `__name`, that pages do not have. */
export function source(options: ProbeOptions): string {
  return `globalThis.__name = (f) => f; (${install.toString()})(${JSON.stringify(options)})`
}
