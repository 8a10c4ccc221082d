/** How two pages talk without a server of ours. */
export interface BareOptions {
  /** False leaves video's RED, ULPFEC and FlexFEC out. */
  fec: boolean
  /** The only way, if there is one. */
  relay?: { urls: string; username: string; credential: string }
}

/** Candidates that have not come by then are done without, in milliseconds. */
const gatherMs = 5_000

function isFec(mimeType: string): boolean {
  return /\/(red|ulpfec|flexfec-\d+)$/i.test(mimeType)
}

/** A connection from page to page, whose descriptions somebody else carries. */
export class Bare {
  readonly pc: RTCPeerConnection
  readonly #fec: boolean

  constructor({ fec, relay }: BareOptions, tracks: readonly MediaStreamTrack[], show: (stream: MediaStream) => void) {
    this.#fec = fec
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', ...(relay ? { iceServers: [relay], iceTransportPolicy: 'relay' } : {}) })
    const stream = new MediaStream([...tracks])
    for (const t of tracks) this.pc.addTrack(t, stream)
    this.pc.ontrack = (e) => {
      if (e.streams[0]) show(e.streams[0])
    }
  }

  async offer(): Promise<string> {
    return this.#apply(() => this.pc.createOffer())
  }

  async answer(sdp: string): Promise<string> {
    await this.pc.setRemoteDescription({ type: 'offer', sdp })
    return this.#apply(() => this.pc.createAnswer())
  }

  accept(sdp: string): Promise<void> {
    return this.pc.setRemoteDescription({ type: 'answer', sdp })
  }

  /** Makes a description, applies it and waits for its candidates. */
  async #apply(make: () => Promise<RTCSessionDescriptionInit>): Promise<string> {
    const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? []
    const video = this.pc.getTransceivers().find((t) => t.sender.track?.kind === 'video')
    if (!this.#fec) video?.setCodecPreferences(codecs.filter((c) => !isFec(c.mimeType)))
    await this.pc.setLocalDescription(await make())
    await new Promise<void>((resolve) => {
      setTimeout(resolve, gatherMs)
      this.pc.onicegatheringstatechange = () => this.pc.iceGatheringState === 'complete' && resolve()
    })
    return this.pc.localDescription?.sdp ?? ''
  }
}
