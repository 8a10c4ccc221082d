/** The platform of a Node process, for tests, bots and load. The WebRTC and WebSocket implementations are given by the caller. */
import type { IceServer, MediaKind, MediaStreamLike, MediaTrackLike, PeerState, Platform, SocketEvents, SocketLike } from './types.js'
import { adaptPeer, type Codec, type W3CPeer } from './webrtc.js'

/** An `RTCPeerConnection` with the two listeners that are used. */
export interface NodePeer extends W3CPeer<Codec> {
  ontrack: ((e: { track: MediaTrackLike }) => void) | null
  onconnectionstatechange: (() => void) | null
  readonly connectionState: PeerState
}

/** The part of `@roamhq/wrtc`, or of something like it, that is used. */
export interface NodeWebRTC {
  readonly RTCPeerConnection: new (config: { iceServers: IceServer[]; bundlePolicy: 'max-bundle' }) => NodePeer
  readonly RTCRtpReceiver?: { getCapabilities?(kind: MediaKind): { codecs: Codec[] } | null }
  readonly MediaStream: new () => MediaStreamLike
}

/** A WebSocket as the package `ws` has it. */
export interface NodeWebSocket {
  on(event: 'open', fn: () => void): unknown
  on(event: 'message', fn: (data: { toString(): string }, isBinary: boolean) => void): unknown
  on(event: 'close', fn: (code: number) => void): unknown
  on(event: 'error', fn: () => void): unknown
  readonly readyState: number
  send(text: string): void
  close(code: number): void
}

/** What {@link nodePlatform} is made from. */
export interface NodeModules {
  readonly webrtc: NodeWebRTC
  readonly openWebSocket: (url: string) => NodeWebSocket
}

function wrap(ws: NodeWebSocket, events: SocketEvents): SocketLike {
  ws.on('open', () => events.onOpen())
  ws.on('message', (data, isBinary) => {
    if (!isBinary) events.onMessage(data.toString())
  })
  ws.on('close', (code) => events.onClose(code))
  // The close that follows says all; without a listener an error would end the process.
  ws.on('error', () => undefined)
  return {
    send: (text) => {
      if (ws.readyState === 1) ws.send(text)
    },
    close: (code) => ws.close(code),
  }
}

/** The platform of this process. Each client needs its own: it holds the client's storage. */
export function nodePlatform({ webrtc, openWebSocket }: NodeModules): Platform {
  const kept = new Map<string, string>()
  return {
    name: 'node',
    now: () => Date.now(),
    random: () => Math.random(),
    setTimer(ms, fn) {
      const id = setTimeout(fn, ms)
      return () => clearTimeout(id)
    },
    openSocket: (url, events) => wrap(openWebSocket(url), events),
    createPeer(iceServers, events) {
      const pc = new webrtc.RTCPeerConnection({ iceServers: [...iceServers], bundlePolicy: 'max-bundle' })
      pc.ontrack = (e) => events.onTrack(e.track.kind as MediaKind, e.track)
      pc.onconnectionstatechange = () => events.onState(pc.connectionState)
      const adapter = adaptPeer(pc, webrtc.RTCRtpReceiver?.getCapabilities?.('video')?.codecs)
      return {
        ...adapter,
        close() {
          pc.ontrack = null
          pc.onconnectionstatechange = null
          adapter.close()
        },
      }
    },
    createStream: () => new webrtc.MediaStream(),
    storage: {
      get: (key) => kept.get(key) ?? null,
      set(key, value) {
        if (value === null) kept.delete(key)
        else kept.set(key, value)
      },
    },
    onNetwork: () => () => undefined,
    onGone: () => () => undefined,
  }
}
