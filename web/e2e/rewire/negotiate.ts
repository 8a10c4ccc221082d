import type { Kind } from './kinds.js'

/** What the DOM library does not have yet (w3c.github.io/webrtc-extensions). */
interface Extension {
  uri: string
  direction: RTCRtpTransceiverDirection
}

interface ExtendedTransceiver extends RTCRtpTransceiver {
  getHeaderExtensionsToNegotiate(): Extension[]
  setHeaderExtensionsToNegotiate(extensions: Extension[]): void
}

const repairing = /\/(rtx|red|ulpfec|flexfec-\d+)$/i

function vp8(c: { mimeType: string }): boolean {
  return /\/vp8$/i.test(c.mimeType)
}

/** Leaves out of a connection's offer what a kind is without. */
export function negotiate(pc: RTCPeerConnection, kind: Kind): void {
  for (const t of pc.getTransceivers()) {
    const media = t.receiver.track.kind
    if (kind.without === 'repair') {
      const codecs = (RTCRtpReceiver.getCapabilities(media)?.codecs ?? []).filter((c) => !repairing.test(c.mimeType))
      t.setCodecPreferences([...codecs.filter(vp8), ...codecs.filter((c) => !vp8(c))])
    }
    if (kind.without === 'playout-delay' && media === 'video') {
      const x = t as ExtendedTransceiver
      const list = x.getHeaderExtensionsToNegotiate()
      x.setHeaderExtensionsToNegotiate(list.map((e) => (e.uri.endsWith('/playout-delay') ? { ...e, direction: 'stopped' } : e)))
    }
  }
}

/** Has a connection whose offer was answered send the codec that its kind prefers. */
export async function sendAs(pc: RTCPeerConnection, kind: Kind): Promise<void> {
  const sender = pc.getTransceivers().find((t) => t.receiver.track.kind === 'video')?.sender
  if (!kind.sends || !sender) return
  const parameters = sender.getParameters()
  const codec = parameters.codecs.find((c) => c.mimeType === kind.sends)
  if (!codec) throw new Error(`${kind.sends} was not agreed upon`)
  await sender.setParameters({ ...parameters, encodings: parameters.encodings.map((e) => ({ ...e, codec })) })
}
