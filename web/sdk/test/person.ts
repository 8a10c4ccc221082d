import { createRequire } from 'node:module'
import { WebSocket } from 'ws'
import { createClient, type Client, type State } from '../src/index.js'
import { nodePlatform, type NodePeer, type NodeWebRTC } from '../src/platform/node.js'
import type { MediaStreamLike, MediaTrackLike, PeerState } from '../src/platform/types.js'

interface I420 {
  width: number
  height: number
  data: Uint8Array
}

/** The part of @roamhq/wrtc that is used here; its own types lean on the DOM library. */
interface Wrtc extends NodeWebRTC {
  readonly nonstandard: {
    RTCVideoSource: new () => { createTrack(): StoppableTrack; onFrame(frame: I420): void }
    RTCAudioSource: new () => {
      createTrack(): StoppableTrack
      onData(d: { samples: Int16Array; sampleRate: number; bitsPerSample: number; channelCount: number; numberOfFrames: number }): void
    }
    RTCVideoSink: new (track: MediaTrackLike) => { onframe: ((e: { frame: I420 }) => void) | null; stop(): void }
    RTCAudioSink: new (track: MediaTrackLike) => { ondata: ((e: { samples: Int16Array; sampleRate: number; channelCount?: number }) => void) | null; stop(): void }
  }
}

interface StoppableTrack extends MediaTrackLike {
  stop(): void
}

const wrtc = createRequire(import.meta.url)('@roamhq/wrtc') as Wrtc

const width = 320
const height = 240
const sampleRate = 48_000
const tickMs = 10
const samplesPerTick = (sampleRate * tickMs) / 1000

/** The share of the sound's energy that lies at `hz` (0 to 1), by Goertzel's algorithm. */
function share(samples: Int16Array, rate: number, hz: number): number {
  const k = 2 * Math.cos((2 * Math.PI * hz) / rate)
  let s1 = 0
  let s2 = 0
  let energy = 0
  for (const x of samples) {
    const s0 = x + k * s1 - s2
    s2 = s1
    s1 = s0
    energy += x * x
  }
  if (energy === 0) return 0
  return (s1 * s1 + s2 * s2 - k * s1 * s2) / (energy * (samples.length / 2))
}

/** Collects the latest 100 ms of the partner's sound. */
class Ear {
  #kept: number[] = []
  #rate = sampleRate

  hear(samples: Int16Array, rate: number, channels: number): void {
    this.#rate = rate
    for (let i = 0; i < samples.length; i += channels) this.#kept.push(samples[i] ?? 0)
    this.#kept = this.#kept.slice(-rate / 10)
  }

  hears(hz: number): boolean {
    return this.#kept.length >= this.#rate / 10 && share(Int16Array.from(this.#kept), this.#rate, hz) > 0.5
  }
}

/** A client with a picture of one grey level and a tone of one frequency. */
export class Person {
  readonly client: Client
  readonly grey: number
  readonly hz: number
  /** The grey level in the middle of the partner's latest frame. */
  seen: number | undefined
  /** Offers made by every peer connection of this person. */
  offers = 0
  /** Tells the client a state that the present peer connection is not in. */
  report: (state: PeerState) => void = () => undefined
  readonly #ear = new Ear()
  readonly #stops: (() => void)[] = []
  readonly #tracks: { audio: StoppableTrack; video: StoppableTrack }
  #phase = 0
  #ticks = 0

  constructor(url: string, name: string, grey: number, hz: number) {
    this.grey = grey
    this.hz = hz
    const count = (): number => this.offers++
    class CountingPeer extends (wrtc.RTCPeerConnection as new (config: object) => NodePeer) {
      override createOffer(options?: { iceRestart?: boolean }): Promise<{ sdp?: string }> {
        count()
        return super.createOffer(options)
      }
    }
    const platform = nodePlatform({ webrtc: { ...wrtc, RTCPeerConnection: CountingPeer }, openWebSocket: (u) => new WebSocket(u) })
    this.client = createClient({
      url,
      name,
      version: 'test',
      platform: {
        ...platform,
        createPeer: (ice, events) => {
          this.report = (state) => events.onState(state)
          return platform.createPeer(ice, events)
        },
      },
    })
    const video = new wrtc.nonstandard.RTCVideoSource()
    const audio = new wrtc.nonstandard.RTCAudioSource()
    this.#tracks = { audio: audio.createTrack(), video: video.createTrack() }
    const timer = setInterval(() => {
      this.#ticks++
      if (this.#ticks % 3 === 0) video.onFrame(this.#picture())
      audio.onData({ samples: this.#tone(), sampleRate, bitsPerSample: 16, channelCount: 1, numberOfFrames: samplesPerTick })
    }, tickMs)
    this.#stops.push(() => clearInterval(timer))
    this.#watch()
  }

  /** Connects, sends picture and tone, and waits until media can flow. */
  async start(): Promise<void> {
    await this.client.setMedia(this.#tracks)
    await this.client.connect()
    await this.until((s) => s.rtc === 'connected', 'media connected')
  }

  /** Resolves when the state is as wanted. */
  until(want: (s: State) => boolean, what: string): Promise<void> {
    return waitFor(() => want(this.client.state), () => `${what}: ${JSON.stringify(this.client.state)}`)
  }

  /** Resolves when the other person's picture and tone have come. Grey levels are compared coarsely, since VP8 is lossy. */
  async meets(other: Person): Promise<void> {
    await waitFor(
      () => this.seen !== undefined && Math.abs(this.seen - other.grey) < 12 && this.#ear.hears(other.hz),
      () => `picture ${other.grey} and tone ${other.hz}: sees ${this.seen}, tone ${this.#ear.hears(other.hz)}`,
    )
  }

  /** What identifies the media connection: the server's certificate and the SSRCs that it announced and really sends. */
  async identity(): Promise<{ fingerprint: string | undefined; ssrcs: unknown[]; answered: string[] }> {
    const pc = this.client.pc as { remoteDescription: { sdp: string }; getStats(): Promise<Map<string, Record<string, unknown>>> }
    const sdp = pc.remoteDescription.sdp
    const inbound = [...(await pc.getStats()).values()].filter((r) => r['type'] === 'inbound-rtp')
    return {
      fingerprint: /a=fingerprint:(.*)/.exec(sdp)?.[1],
      ssrcs: inbound.map((r) => r['ssrc']).sort(),
      answered: [...new Set([...sdp.matchAll(/a=ssrc:(\d+)/g)].map((m) => m[1] ?? ''))].sort(),
    }
  }

  close(): void {
    this.client.close()
    for (const stop of this.#stops) stop()
    this.#tracks.audio.stop()
    this.#tracks.video.stop()
  }

  #watch(): void {
    const watched = new Set<MediaTrackLike>()
    this.client.onRemote((stream: MediaStreamLike) => {
      for (const track of stream.getTracks().filter((t) => !watched.has(t))) {
        watched.add(track)
        this.#stops.push(track.kind === 'video' ? this.#look(track) : this.#listen(track))
      }
    })
  }

  #look(track: MediaTrackLike): () => void {
    const sink = new wrtc.nonstandard.RTCVideoSink(track)
    sink.onframe = ({ frame }) => {
      this.seen = frame.data[frame.width * (frame.height >> 1) + (frame.width >> 1)]
    }
    return () => sink.stop()
  }

  #listen(track: MediaTrackLike): () => void {
    const sink = new wrtc.nonstandard.RTCAudioSink(track)
    sink.ondata = (e) => this.#ear.hear(e.samples, e.sampleRate, e.channelCount ?? 1)
    return () => sink.stop()
  }

  /** One grey level with a bar that moves along the top, so that no frame equals the one before. */
  #picture(): I420 {
    const data = new Uint8Array((width * height * 3) / 2).fill(128)
    data.fill(this.grey, 0, width * height)
    for (let y = 0; y < 16; y++) data.fill(255 - this.grey, y * width, y * width + (this.#ticks % width))
    return { width, height, data }
  }

  #tone(): Int16Array {
    const samples = new Int16Array(samplesPerTick)
    for (let i = 0; i < samples.length; i++) samples[i] = 12_000 * Math.sin((2 * Math.PI * this.hz * (this.#phase + i)) / sampleRate)
    this.#phase += samples.length
    return samples
  }
}

/** Polls, because pictures and sound come without an event that says what is in them. */
export async function waitFor(done: () => boolean, what: () => string, ms = 10_000): Promise<void> {
  const end = Date.now() + ms
  while (!done()) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
