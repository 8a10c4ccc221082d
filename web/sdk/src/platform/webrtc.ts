/** The W3C peer connection, as browsers, Node and React Native all have it, behind the neutral adapter. Only listeners differ between them. */
import type { Bounds, MediaKind, MediaTrackLike, PeerConnectionAdapter, StatEntry } from './types.js'

interface Description {
  readonly type: 'offer' | 'answer'
  readonly sdp: string
}

/** A codec as `getCapabilities` lists it. */
export interface Codec {
  readonly mimeType: string
}

/** What a sender makes of its track; only the part that is used. */
interface SendParameters {
  degradationPreference?: string
  encodings?: { active?: boolean; maxBitrate?: number; maxFramerate?: number }[]
}

interface Sender {
  replaceTrack(track: MediaTrackLike | null): Promise<void>
  getParameters?(): SendParameters
  setParameters?(parameters: SendParameters): Promise<unknown>
}

interface Transceiver<C extends Codec> {
  readonly sender: Sender
  setCodecPreferences?(codecs: C[]): void
}

/** The methods of `RTCPeerConnection` that are used. */
export interface W3CPeer<C extends Codec> {
  addTransceiver(kind: MediaKind, init: { direction: 'sendrecv' }): Transceiver<C>
  createOffer(options?: { iceRestart?: boolean }): Promise<{ sdp?: string }>
  setLocalDescription(d: Description): Promise<void>
  setRemoteDescription(d: Description): Promise<void>
  getStats(): Promise<{ forEach(fn: (entry: StatEntry) => void): void }>
  close(): void
}

/** VP8 first, since every client has it; the rest, with the repair formats, stays in its order behind it. */
export function vp8First<C extends Codec>(codecs: readonly C[]): C[] {
  const vp8 = (c: C): boolean => c.mimeType.toLowerCase() === 'video/vp8'
  return [...codecs.filter(vp8), ...codecs.filter((c) => !vp8(c))]
}

/** Sets bounds in order: the first at once, of those that come while it is being set only the last. */
function binder(sender: Sender): (b: Bounds) => void {
  let busy = false
  let next: Bounds | undefined
  const set = async (b: Bounds): Promise<void> => {
    busy = true
    try {
      const parameters = sender.getParameters?.()
      if (!parameters?.encodings?.length) return
      const { keepSize, ...encoding } = b
      if (keepSize) parameters.degradationPreference = 'maintain-resolution'
      else delete parameters.degradationPreference
      for (const e of parameters.encodings) {
        delete e.maxBitrate
        delete e.maxFramerate
        Object.assign(e, encoding)
      }
      await sender.setParameters?.(parameters)
    } catch {
      // A sender that has stopped, or a platform that cannot: the picture is sent as it was.
    } finally {
      busy = false
      if (next) {
        const b = next
        next = undefined
        void set(b)
      }
    }
  }
  return (b) => {
    if (busy) next = b
    else void set(b)
  }
}

/** Adds the two transceivers to a new peer connection and wraps it. `videoCodecs` is absent where the platform does not list them. */
export function adaptPeer<C extends Codec>(pc: W3CPeer<C>, videoCodecs: readonly C[] | undefined): PeerConnectionAdapter {
  const audio = pc.addTransceiver('audio', { direction: 'sendrecv' })
  const video = pc.addTransceiver('video', { direction: 'sendrecv' })
  if (videoCodecs && videoCodecs.length > 0) video.setCodecPreferences?.(vp8First(videoCodecs))
  const senders = { audio: audio.sender, video: video.sender }
  return {
    raw: pc,
    async offer(restart) {
      const { sdp } = await pc.createOffer(restart ? { iceRestart: true } : {})
      if (sdp === undefined) throw new Error('the offer is empty')
      await pc.setLocalDescription({ type: 'offer', sdp })
      return sdp
    },
    answer: (sdp) => pc.setRemoteDescription({ type: 'answer', sdp }),
    replaceTrack: (kind, track) => senders[kind].replaceTrack(track),
    bound: binder(video.sender),
    async stats() {
      const entries: StatEntry[] = []
      const report = await pc.getStats()
      report.forEach((e) => entries.push(e))
      return entries
    },
    close: () => pc.close(),
  }
}
