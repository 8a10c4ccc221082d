import type { Client, Phase } from '@smalltalk/client'
import { crowd, middle, paint, sound, tone, type Colour } from './scene.js'

// Runs in the page, before anything of the page's own.

/** What a visitor's page is told. */
export interface ProbeOptions {
  colour: Colour
  hz: number
  /** The camera and microphone are refused. */
  refuse: boolean
  /** The camera shows a crowd, which needs all the bits that it can get, instead of the colour. */
  crowd: boolean
  /** Where no answer to the connection's checks ever comes from: nothing but the page gets through. */
  nowhere?: string
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
  /** Whether the way for media is closed to the connections to come. */
  closed: boolean
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
export function install({ colour, hz, refuse, crowd: crowded, nowhere }: ProbeOptions): void {
  if (navigator.mediaDevices) {
    navigator.mediaDevices.getUserMedia = async (want) => {
      if (refuse) throw new DOMException('Permission denied', 'NotAllowedError')
      return new MediaStream([...(want?.audio ? [tone(hz)] : []), ...(want?.video ? [crowded ? crowd() : paint(colour)] : [])])
    }
  }

  const element = (): HTMLVideoElement | null => document.querySelector<HTMLVideoElement>('[data-testid=remote-video]')
  const shown = (v: HTMLElement): boolean => {
    const box = v.getBoundingClientRect()
    return v.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && box.width > 1 && box.height > 1
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
    closed: nowhere !== undefined,
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

  Real.prototype.setRemoteDescription = new Proxy(Real.prototype.setRemoteDescription, {
    apply(target, self, args) {
      const [{ type, sdp }] = args as [RTCSessionDescription]
      const led = sdp.replace(/^(a=candidate:\S+ \d udp \d+) \S+ \d+ /gim, `$1 ${nowhere} `).replace(/^a=candidate:\S+ \d tcp .*\r\n/gim, '')
      return Reflect.apply(target, self, probe.closed ? [{ type, sdp: led }] : args) as unknown
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
