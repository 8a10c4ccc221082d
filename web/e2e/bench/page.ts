import { createClient, type Client } from '@smalltalk/client'
import { browserPlatform } from '@smalltalk/client/browser'
import type { Colour } from '../page/probe.js'

// Runs in the page of one client of the switch benchmark: the SDK, a painted picture and one <video>, without the user interface, so
// that both ways of switching are measured on the same ground.

/** Times of one switch at one end, in milliseconds after the arrival of `match`; `undefined` while it has not come. */
export interface Switch {
  call: string
  /** The first frame in the new partner's colour, presented. */
  picture: number | undefined
}

/** What the benchmark asks of a page. */
export interface BenchPage {
  readonly client: Client
  start(colour: Colour): Promise<string>
  /** Everybody's colour by name. */
  know(people: Record<string, Colour>): void
  /** From now on each match is met with a new peer connection (`fresh`), or with the one that is there. */
  mode(fresh: boolean): void
  /** The switch of the present call. */
  last(): Switch | undefined
  peers(): number
}

declare global {
  var bench: BenchPage
}

const platform = browserPlatform()
/** Reports the present peer connection as failed, upon which the client makes a new one at once. */
let renew = (): void => undefined
let peers = 0

const client = createClient({
  url: location.origin,
  name: 'bench',
  version: '0.1.0',
  platform: {
    ...platform,
    createPeer(ice, events) {
      peers++
      renew = () => events.onState('failed')
      return platform.createPeer(ice, events)
    },
  },
})

const video = document.createElement('video')
video.muted = true
video.autoplay = true
document.body.append(video)
client.onRemote((stream) => {
  if (!(stream instanceof MediaStream)) return
  video.srcObject = stream
  void video.play()
})

let people: Record<string, Colour> = {}
let fresh = false
let matchAt = 0
let wanted: Colour | undefined
let last: Switch | undefined

function paint(colour: Colour): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  canvas.width = 320
  canvas.height = 240
  const g = canvas.getContext('2d')
  const track = canvas.captureStream(30).getVideoTracks()[0]
  if (!g || !track) throw new Error('no canvas to paint on')
  let n = 0
  setInterval(() => {
    n = (n + 4) % 320
    g.fillStyle = `rgb(${colour.join(',')})`
    g.fillRect(0, 0, 320, 240)
    g.fillStyle = '#fff'
    g.fillRect(n, 0, 12, 30)
  }, 1000 / 30)
  return track
}

function tone(): MediaStreamTrack | undefined {
  const ctx = new AudioContext()
  const out = ctx.createMediaStreamDestination()
  const source = ctx.createOscillator()
  source.connect(out)
  source.start()
  return out.stream.getAudioTracks()[0]
}

// Called as soon as the reducer has taken the match, in the same task as the WebSocket's message.
let call = ''
client.subscribe((s) => {
  const id = s.call?.id ?? ''
  if (id === call) return
  call = id
  wanted = s.call && people[s.call.peer.name]
  if (!id) return
  matchAt = performance.now()
  last = { call: id, picture: undefined }
  if (fresh) queueMicrotask(() => renew())
})

const scratch = document.createElement('canvas')
scratch.width = scratch.height = 1
const pen = scratch.getContext('2d', { willReadFrequently: true })

function look(): void {
  if (last && last.picture === undefined && wanted && pen && video.videoWidth > 0) {
    pen.drawImage(video, video.videoWidth / 2 - 8, video.videoHeight / 2 - 8, 16, 16, 0, 0, 1, 1)
    const seen = pen.getImageData(0, 0, 1, 1).data
    const off = wanted.reduce((sum, v, i) => sum + Math.abs(v - (seen[i] ?? 0)), 0)
    if (off < 110) last.picture = performance.now() - matchAt
  }
  video.requestVideoFrameCallback(look)
}
video.requestVideoFrameCallback(look)

globalThis.bench = {
  client,
  async start(colour) {
    await client.setMedia({ audio: tone() ?? null, video: paint(colour) })
    await client.connect()
    return client.state.user?.name ?? ''
  },
  know(list) {
    people = list
  },
  mode(on) {
    fresh = on
  },
  last: () => last,
  peers: () => peers,
}
