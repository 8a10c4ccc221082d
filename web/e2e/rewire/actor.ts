import { createClient, type Client, type Platform } from '@smalltalk/client'
import { Direct } from './direct.js'
import { kinds, type Kind } from './kinds.js'
import { negotiate, sendAs } from './negotiate.js'
import { Senses, type Marks, type Meeting } from './senses.js'

/** What an actor runs on. */
export interface Body {
  readonly platform: Platform
  /** What it shows and plays to others from now on. */
  perform(kind: Kind): Promise<MediaStream> | MediaStream
  /** Has what it shows stand still, or go on: nobody looks. */
  rest(still: boolean): void
  /** Has the senses see and hear a stream. */
  attend(stream: MediaStream, senses: Senses): void
  connection(): RTCPeerConnection
}

/** What must stay the same over all partners. */
export interface Identity {
  offers: number
  peers: number
  /** Of the server's certificate. */
  fingerprint: string
  /** The streams that come in. */
  ssrcs: number[]
}

/** What a client and the server agreed upon for the picture. */
export interface Terms {
  rtx: boolean
  red: boolean
  playoutDelay: boolean
}

/** What may be asked of a client, in a page or here. Nobody asks for anything else before `start`, or one of `offer` and `answer`. */
export interface Actor {
  /** Connects to the server at `url` and returns the name that it gives. */
  start(o: { url: string; kind: number }): Promise<string>
  /** Who looks like which kind, by name. */
  know(people: Record<string, number>): Promise<void>
  join(): Promise<void>
  next(): Promise<void>
  /** The camera stands still, and nothing beeps, while nobody looks, so that the machine has time for those who are looked at. */
  rest(still: boolean): Promise<void>
  phase(): Promise<string>
  waiting(): Promise<boolean>
  connected(): Promise<boolean>
  meeting(): Promise<Meeting | undefined>
  marks(since: number): Promise<Marks>
  identity(): Promise<Identity>
  terms(): Promise<Terms>
  /** The codec of the picture that comes in. */
  codec(): Promise<string>
  /** For people, when something has gone wrong. */
  story(): Promise<string>
  /** The steps of a call without a server, as the kind with this number. */
  offer(kind: number): Promise<string>
  answer(o: { kind: number; sdp: string }): Promise<string>
  accept(sdp: string): Promise<void>
  close(): Promise<void>
}

type Entry = Record<string, unknown>

/** The product's SDK, or a bare connection, in a body. */
export class Player implements Actor {
  readonly #body: Body
  readonly #senses = new Senses()
  readonly #notes: string[] = []
  #client: Client | undefined
  #direct: Direct | undefined
  #people: Record<string, number> = {}
  #call = ''
  #offers = 0
  #peers = 0

  constructor(body: Body) {
    this.#body = body
  }

  async start(o: { url: string; kind: number }): Promise<string> {
    const kind = kindOf(o.kind)
    const client = createClient({ url: o.url, name: 'rewire', version: '0.1.0', log: (text) => this.#notes.push(text), platform: this.#platform(kind) })
    this.#client = client
    client.onRemote((stream) => this.#body.attend(stream as MediaStream, this.#senses))
    // Called as soon as the reducer has taken the match, in the same task as the WebSocket's message.
    client.subscribe(({ call }) => {
      if (call?.id === this.#call) return
      this.#call = call?.id ?? ''
      if (call) this.#senses.meets(call.id, call.peer.name, kinds[this.#people[call.peer.name] ?? -1])
    })
    const stream = await this.#body.perform(kind)
    const [audio, video] = [stream.getAudioTracks()[0] ?? null, stream.getVideoTracks()[0] ?? null]
    await client.setMedia({ audio, video })
    await client.connect()
    return client.state.user?.name ?? ''
  }

  async know(people: Record<string, number>): Promise<void> {
    this.#people = people
  }

  async join(): Promise<void> {
    this.#client?.join({ topics: ['general'] })
  }

  async next(): Promise<void> {
    this.#client?.next()
  }

  async rest(still: boolean): Promise<void> {
    this.#body.rest(still)
  }

  async phase(): Promise<string> {
    return this.#client?.state.phase ?? ''
  }

  async waiting(): Promise<boolean> {
    return (this.#client?.state.queue?.waiting ?? 0) > 0
  }

  async connected(): Promise<boolean> {
    return this.#client?.state.rtc === 'connected'
  }

  async meeting(): Promise<Meeting | undefined> {
    return this.#senses.meeting
  }

  async marks(since: number): Promise<Marks> {
    const { flashes, beeps } = this.#senses.marks
    return { flashes: flashes.filter((t) => t >= since), beeps: beeps.filter((t) => t >= since) }
  }

  async identity(): Promise<Identity> {
    const inbound = (await this.#stats()).filter((e) => e['type'] === 'inbound-rtp')
    return {
      offers: this.#offers,
      peers: this.#peers,
      fingerprint: /a=fingerprint:(.*)/.exec(this.#pc.remoteDescription?.sdp ?? '')?.[1] ?? '',
      ssrcs: inbound.map((e) => Number(e['ssrc'])).sort(),
    }
  }

  async terms(): Promise<Terms> {
    const sdp = this.#pc.remoteDescription?.sdp ?? ''
    return { rtx: /a=rtpmap:\d+ rtx\//.test(sdp), red: /a=rtpmap:\d+ red\//.test(sdp), playoutDelay: sdp.includes('rtp-hdrext/playout-delay') }
  }

  async codec(): Promise<string> {
    const list = await this.#stats()
    const video = list.find((e) => e['type'] === 'inbound-rtp' && e['kind'] === 'video')
    return String(list.find((e) => e['id'] === video?.['codecId'])?.['mimeType'] ?? '?')
  }

  async story(): Promise<string> {
    const s = this.#client?.state
    return `${s?.link}, ${s?.phase}, media ${s?.rtc}, ${JSON.stringify(this.#senses.meeting)}; ${this.#notes.slice(-6).join('; ')}`
  }

  async offer(kind: number): Promise<string> {
    return (await this.#bare(kind)).offer()
  }

  async answer({ kind, sdp }: { kind: number; sdp: string }): Promise<string> {
    return (await this.#bare(kind)).answer(sdp)
  }

  async accept(sdp: string): Promise<void> {
    await this.#direct?.accept(sdp)
  }

  async close(): Promise<void> {
    this.#client?.close()
    this.#direct?.close()
  }

  get #pc(): RTCPeerConnection {
    return this.#client?.pc as RTCPeerConnection
  }

  async #stats(): Promise<Entry[]> {
    const list: Entry[] = []
    ;(await this.#pc.getStats()).forEach((e: Entry) => list.push(e))
    return list
  }

  async #bare(kind: number): Promise<Direct> {
    const stream = await this.#body.perform(kindOf(kind))
    return (this.#direct = new Direct(this.#body.connection(), stream, (s) => this.#body.attend(s, this.#senses)))
  }

  /** The body's platform with what is particular to a kind, and with its offers counted. */
  #platform(kind: Kind): Platform {
    const { platform } = this.#body
    return {
      ...platform,
      createPeer: (ice, events) => {
        this.#peers++
        const peer = platform.createPeer(ice, events)
        const pc = peer.raw as RTCPeerConnection
        negotiate(pc, kind)
        return {
          ...peer,
          offer: (restart) => {
            this.#offers++
            return peer.offer(restart)
          },
          async answer(sdp) {
            await peer.answer(sdp)
            await sendAs(pc, kind)
          },
        }
      },
    }
  }
}

function kindOf(number: number): Kind {
  const kind = kinds[number]
  if (!kind) throw new Error(`there is no kind ${number}`)
  return kind
}
