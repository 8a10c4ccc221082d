import { createClient, type State } from '@smalltalk/client'
import { browserPlatform } from '@smalltalk/client/browser'
import { middle, near, paint, scratch, show, tone, type Colour } from '../page/scene.js'

// Runs in the page of one client of the network laboratory: the SDK, a painted picture and one <video>, without the user interface. The
// picture is one colour, with a bar that moves and, as black and white blocks along its lower edge, the time at which it was painted.

/** What one client is to do. Times are `Date.now()`, the same clock in every process of a machine. */
export interface Start {
  colour: Colour
  /** The colour of the one to be met. */
  partner: Colour
  /** When to connect. */
  at: number
  /** False throws away the relays that the server offers. */
  turn: boolean
}

/** How far a client has come, in milliseconds since its first `createOffer`. */
export interface Times {
  connected?: number | undefined
  /** The first frame in the partner's colour. */
  picture?: number | undefined
}

/** What a client is doing. */
export interface Report {
  link: State['link']
  phase: State['phase']
  call: string
  /** For people, when something has gone wrong. */
  story: string
}

/** A frame in the partner's colour. */
export interface Frame {
  /** When it was presented. */
  at: number
  /** How long ago it had been painted then; `undefined` if that cannot be read. */
  delay: number | undefined
}

/** The selected candidate pair. */
export interface Path {
  kind: 'udp' | 'tcp' | 'relay' | 'none'
  /** All that is worth printing of it. */
  text: string
}

/** What the laboratory asks of a page. */
export interface LabPage {
  start(o: Start): void
  times(): Times
  report(): Report
  path(): Promise<Path>
  /** The partner's frames that were presented after a moment. */
  frames(from: number): Frame[]
  /** While on, the client is not told that nothing comes any more, so that it keeps the connection that it has. */
  endure(on: boolean): void
  close(): void
}

declare global {
  var netlab: LabPage
}

/** 16 bits of the time in milliseconds and the exclusive or of their four parts. */
const bits = 20

function stamp(ms: number): boolean[] {
  const time = ms & 0xffff
  const sum = (time ^ (time >> 4) ^ (time >> 8) ^ (time >> 12)) & 0xf
  return Array.from({ length: bits }, (_, i) => (((time << 4) | sum) & (1 << i)) !== 0)
}

/** The milliseconds since a stamp; `undefined` if it is damaged. */
function age(stamped: readonly boolean[], now: number): number | undefined {
  const value = stamped.reduce((v, on, i) => (on ? v | (1 << i) : v), 0)
  const time = value >> 4
  if (stamp(time).some((on, i) => on !== stamped[i])) return undefined
  return (now - time) & 0xffff
}

/** Paints the time as blocks along the lower edge. */
function stampOn(g: CanvasRenderingContext2D): void {
  stamp(Date.now()).forEach((on, i) => {
    g.fillStyle = on ? '#fff' : '#000'
    g.fillRect(i * 16, 220, 16, 20)
  })
}

const platform = browserPlatform()
const times: { offer?: number; connected?: number; picture?: number } = {}
const story: string[] = []
const seen: Frame[] = []
let turn = true
let enduring = false
/** Tells the client the state that it has not heard of. */
let tell = (): void => undefined
let partner: Colour = [0, 0, 0]

const client = createClient({
  url: location.origin,
  name: 'netlab',
  version: '0.1.0',
  log: (text) => story.push(`${(performance.now() / 1000).toFixed(1)} ${text}`),
  platform: {
    ...platform,
    createPeer(servers, events) {
      const peer = platform.createPeer(turn ? servers : [], {
        ...events,
        onState(state) {
          if (state === 'connected') times.connected ??= performance.now()
          tell = () => events.onState(state)
          if (!enduring) tell()
        },
      })
      return {
        ...peer,
        stats: async () => (enduring ? [] : peer.stats()),
        offer(restart) {
          times.offer ??= performance.now()
          return peer.offer(restart)
        },
      }
    },
  },
})

const video = show(client)
const pen = scratch(bits, 1)

/** Looks at the frame that is on screen: its colour and its stamp. */
function look(): void {
  video.requestVideoFrameCallback(look)
  const { videoWidth: w, videoHeight: h } = video
  if (!near(middle(video), partner)) return
  times.picture ??= performance.now()
  const now = Date.now()
  pen.drawImage(video, 0, (h * 226) / 240, w, (h * 8) / 240, 0, 0, bits, 1)
  const { data } = pen.getImageData(0, 0, bits, 1)
  const read = Array.from({ length: bits }, (_, i) => (data[i * 4] ?? 0) > 127)
  seen.push({ at: now, delay: age(read, now) })
}
video.requestVideoFrameCallback(look)

/** Joins the queue once, in the moment in which the session is there. */
function joinWhenOnline(s: State): void {
  if (s.link !== 'online' || s.phase !== 'idle') return
  unsubscribe()
  queueMicrotask(() => client.join({ topics: ['general'] }))
}
const unsubscribe = client.subscribe(joinWhenOnline)

type Entry = Record<string, unknown>

/** Chromium names the pair on its transport; Firefox marks it. */
function selected(entries: Map<unknown, Entry>): Entry | undefined {
  const list = [...entries.values()]
  const transport = list.find((e) => e['type'] === 'transport')
  const pairs = list.filter((e) => e['type'] === 'candidate-pair')
  return entries.get(transport?.['selectedCandidatePairId']) ?? pairs.find((e) => e['selected'] === true) ?? pairs.find((e) => e['nominated'] === true && e['state'] === 'succeeded')
}

async function path(): Promise<Path> {
  if (!(client.pc instanceof RTCPeerConnection)) return { kind: 'none', text: 'no peer connection' }
  const entries = new Map<unknown, Entry>()
  ;(await client.pc.getStats()).forEach((e: Entry) => entries.set(e['id'], e))
  const pair = selected(entries)
  const local = entries.get(pair?.['localCandidateId'])
  const remote = entries.get(pair?.['remoteCandidateId'])
  if (!local || !remote) return { kind: 'none', text: 'no pair' }
  const family = String(remote['address'] ?? remote['ip'] ?? '').includes(':') ? 'IPv6' : 'IPv4'
  const kind = local['candidateType'] === 'relay' ? 'relay' : local['protocol'] === 'tcp' ? 'tcp' : 'udp'
  const detail = kind === 'relay' ? String(local['relayProtocol'] ?? '?') : String(local['candidateType'])
  return { kind, text: `${kind}/${detail} ${family}` }
}

function since(t: number | undefined): number | undefined {
  return t === undefined || times.offer === undefined ? undefined : Math.round(t - times.offer)
}

globalThis.netlab = {
  start(o) {
    turn = o.turn
    partner = o.partner
    void client.setMedia({ audio: tone(), video: paint(o.colour, stampOn) })
    setTimeout(() => void client.connect(), Math.max(0, o.at - Date.now()))
  },
  times: () => ({ connected: since(times.connected), picture: since(times.picture) }),
  report: () => ({
    link: client.state.link,
    phase: client.state.phase,
    call: client.state.call?.id ?? '',
    story: `${client.state.link}, ${client.state.phase}, media ${client.state.rtc} at ${(performance.now() / 1000).toFixed(1)} s; ${story.slice(-12).join('; ')}`,
  }),
  path,
  frames: (from) => seen.filter((f) => f.at > from),
  endure(on) {
    enduring = on
    if (!on) tell()
  },
  close: () => client.close(),
}
