import wrtc, { type nonstandard } from '@roamhq/wrtc'
import { nodePlatform, type NodeWebRTC } from '@smalltalk/client/node'
import { WebSocket } from 'ws'
import type { Colour } from '../page/scene.js'
import { Player, type Actor, type Body } from './actor.js'
import { beat, picture, type Kind } from './kinds.js'
import { clock, type Senses } from './senses.js'

// A client in this process, on libwebrtc itself.

const rate = 48_000
const chunk = rate / 100
const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard

/** Luminance and the two differences of colour (BT.601, limited range), each from 0 to 255. */
function yuv([r, g, b]: Colour): Colour {
  return [16 + 0.257 * r + 0.504 * g + 0.098 * b, 128 - 0.148 * r - 0.291 * g + 0.439 * b, 128 + 0.439 * r - 0.368 * g - 0.071 * b]
}

function rgb(y: number, u: number, v: number): Colour {
  const l = 1.164 * (y - 16)
  return [l + 1.596 * (v - 128), l - 0.392 * (u - 128) - 0.813 * (v - 128), l + 2.017 * (u - 128)]
}

/** Where the two planes of colour begin in a frame (I420). */
function planes(width: number, height: number): { u: number; v: number; half: number } {
  return { u: width * height, v: (width * height * 5) / 4, half: width / 2 }
}

/** The picture that a page's camera would make, as the n-th. */
function paint(colour: Colour, n: number): nonstandard.RTCVideoFrame {
  const { width, height, flashTop } = picture
  const data = new Uint8Array((width * height * 3) / 2).fill(128)
  const [y, u, v] = yuv(colour)
  const at = planes(width, height)
  const top = at.half * (flashTop / 2)
  data.fill(y, 0, width * flashTop)
  data.fill(u, at.u, at.u + top)
  data.fill(v, at.v, at.v + top)
  for (let row = 0; row < 30; row++) data.fill(235, row * width + ((n * 4) % (width - 12)), row * width + ((n * 4) % (width - 12)) + 12)
  data.fill(n % beat.frames < beat.flash ? 235 : 16, width * flashTop, width * height)
  return { width, height, data }
}

/** Shows and plays by the clock, and makes good for timers that come late: sound that was left out would be a gap. */
class Stage {
  resting = false
  readonly tracks: { audio: MediaStreamTrack; video: MediaStreamTrack }
  readonly #video = new RTCVideoSource()
  readonly #audio = new RTCAudioSource()
  readonly #kind: Kind
  readonly #begin = clock()
  readonly #timer: ReturnType<typeof setInterval>
  #frames = 0
  #chunks = 0
  /** The sample with which the last beep began. */
  #beep = -rate

  constructor(kind: Kind) {
    this.#kind = kind
    this.tracks = { audio: this.#audio.createTrack(), video: this.#video.createTrack() }
    this.#timer = setInterval(() => this.#tick((clock() - this.#begin) / 1000), 5)
  }

  end(): void {
    clearInterval(this.#timer)
    this.tracks.audio.stop()
    this.tracks.video.stop()
  }

  #tick(seconds: number): void {
    if (seconds * beat.frames > this.#frames) {
      const n = this.#frames++
      if (!this.resting) this.#show(n)
    }
    while (seconds * 100 > this.#chunks) this.#audio.onData({ samples: this.#play(), sampleRate: rate, bitsPerSample: 16, channelCount: 1, numberOfFrames: chunk })
  }

  /** The n-th frame, and the beep that begins with a flash. */
  #show(n: number): void {
    if (n % beat.frames === 0) this.#beep = this.#chunks * chunk
    this.#video.onFrame(paint(this.#kind.colour, n))
  }

  #play(): Int16Array {
    const first = this.#chunks++ * chunk
    const wave = (hz: number, t: number): number => Math.sin((2 * Math.PI * hz * t) / rate)
    return Int16Array.from({ length: chunk }, (_, i) => {
      const t = first + i
      const loud = t >= this.#beep && t - this.#beep < beat.seconds * rate ? 0.6 : 0
      return 32_767 * (0.2 * wave(this.#kind.hz, t) + loud * wave(beat.hz, t))
    })
  }
}

function look(track: MediaStreamTrack, senses: Senses): nonstandard.RTCVideoSink {
  const sink = new RTCVideoSink(track)
  sink.onframe = ({ frame }: { frame: nonstandard.RTCVideoFrame }) => {
    const { width, height, data } = frame
    const { u, v, half } = planes(width, height)
    const middle = half * (height >> 2) + (half >> 1)
    const colour = rgb(data[width * (height >> 1) + (width >> 1)] ?? 0, data[u + middle] ?? 0, data[v + middle] ?? 0)
    const row = Math.floor((height * (picture.flashTop + picture.height)) / 2 / picture.height)
    senses.frame(clock(), colour, data[width * row + (width >> 1)] ?? 0)
  }
  return sink
}

interface Heard {
  samples: Int16Array
  sampleRate: number
  channelCount?: number
}

function listen(track: MediaStreamTrack, senses: Senses): nonstandard.RTCAudioSink {
  const sink = new RTCAudioSink(track)
  sink.ondata = ({ samples, sampleRate, channelCount = 1 }: Heard) => {
    const mono = Float32Array.from({ length: samples.length / channelCount }, (_, i) => (samples[i * channelCount] ?? 0) / 32_768)
    senses.sound(mono, sampleRate, clock())
  }
  return sink
}

/** Makes a client in this process; `leave` ends all that it does. */
export function nodeActor(): { actor: Actor; leave: () => Promise<void> } {
  const sinks = new Map<MediaStreamTrack, { stop(): void }>()
  const stages: Stage[] = []
  const body: Body = {
    platform: nodePlatform({ webrtc: wrtc as unknown as NodeWebRTC, openWebSocket: (url) => new WebSocket(url) }),
    perform(kind) {
      const stage = new Stage(kind)
      stages.push(stage)
      const { audio, video } = stage.tracks
      return new wrtc.MediaStream([audio, video])
    },
    rest(still) {
      for (const s of stages) s.resting = still
    },
    attend(stream, senses) {
      for (const track of stream.getTracks().filter((t) => !sinks.has(t))) sinks.set(track, (track.kind === 'video' ? look : listen)(track, senses))
    },
    connection: () => new wrtc.RTCPeerConnection({ bundlePolicy: 'max-bundle' }),
  }
  const actor = new Player(body)
  return {
    actor,
    async leave() {
      await actor.close()
      for (const s of sinks.values()) s.stop()
      for (const s of stages) s.end()
    },
  }
}
