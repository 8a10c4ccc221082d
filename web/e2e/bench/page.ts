import { createClient, type Client } from '@smalltalk/client'
import { browserPlatform } from '@smalltalk/client/browser'
import { crowd, middle, near, paint, show, tone, type Colour } from '../page/scene.js'

// Runs in the page of one client of the switch benchmark: the SDK, a painted picture and one <video>, without the user interface, so
// that both ways of switching are measured on the same ground.

/** Times of one switch at one end, in milliseconds after the arrival of `match`; `undefined` while it has not come. */
export interface Switch {
  call: string
  /** The first frame in the new partner's colour, presented. */
  picture: number | undefined
}

/** What had been sent of the own picture, in bytes, `at` so many milliseconds after the arrival of `match`. */
export interface Sent {
  at: number
  bytes: number
}

/** What has been sent in all, sound and picture with their headers, in bytes, and when that was. */
export interface Weight {
  at: number
  bytes: number
}

/** What the benchmark asks of a page. */
export interface BenchPage {
  readonly client: Client
  start(look: Colour | 'crowd'): Promise<string>
  /** Everybody's colour by name. */
  know(people: Record<string, Colour>): void
  /** From now on each match is met with a new peer connection (`fresh`), or with the one that is there. */
  mode(fresh: boolean): void
  /** The switch of the present call. */
  last(): Switch | undefined
  peers(): number
  /** Everything that was sent of the picture since the last match. */
  sent(): readonly Sent[]
  weight(): Promise<Weight>
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

const video = show(client)

let people: Record<string, Colour> = {}
let fresh = false
let matchAt = 0
let wanted: Colour | undefined
let last: Switch | undefined

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
  sent = []
})

let sent: Sent[] = []
/** A browser makes a new report for each question that comes 50 ms after the last one. */
const everyMs = 100

interface Outbound {
  type: string
  kind?: string
  bytesSent?: number
  headerBytesSent?: number
}

/** What is sent now, by stream. */
async function outbound(): Promise<Outbound[]> {
  const list: Outbound[] = []
  if (client.pc instanceof RTCPeerConnection)
    (await client.pc.getStats()).forEach((r: Outbound) => {
      if (r.type === 'outbound-rtp') list.push(r)
    })
  return list
}

async function weigh(): Promise<void> {
  const into = sent
  for (const r of await outbound()) if (r.kind === 'video') into.push({ at: performance.now() - matchAt, bytes: r.bytesSent ?? 0 })
}
setInterval(() => void weigh(), everyMs)

function look(): void {
  if (last && last.picture === undefined && wanted && near(middle(video), wanted)) last.picture = performance.now() - matchAt
  video.requestVideoFrameCallback(look)
}
video.requestVideoFrameCallback(look)

globalThis.bench = {
  client,
  async start(look) {
    await client.setMedia({ audio: tone(), video: look === 'crowd' ? crowd() : paint(look) })
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
  sent: () => sent,
  async weight() {
    const list = await outbound()
    return { at: performance.now(), bytes: list.reduce((sum, r) => sum + (r.bytesSent ?? 0) + (r.headerBytesSent ?? 0), 0) }
  },
}
