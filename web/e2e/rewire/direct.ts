/** Candidates that have not come by then are done without, in milliseconds. */
const patience = 3_000

/** A connection from client to client, without a server; somebody else carries the descriptions. */
export class Direct {
  readonly #pc: RTCPeerConnection

  constructor(pc: RTCPeerConnection, stream: MediaStream, show: (stream: MediaStream) => void) {
    this.#pc = pc
    for (const t of stream.getTracks()) pc.addTrack(t, stream)
    pc.ontrack = (e) => {
      if (e.streams[0]) show(e.streams[0])
    }
  }

  async offer(): Promise<string> {
    return this.#apply(await this.#pc.createOffer())
  }

  async answer(sdp: string): Promise<string> {
    await this.#pc.setRemoteDescription({ type: 'offer', sdp })
    return this.#apply(await this.#pc.createAnswer())
  }

  accept(sdp: string): Promise<void> {
    return this.#pc.setRemoteDescription({ type: 'answer', sdp })
  }

  close(): void {
    this.#pc.close()
  }

  /** Applies a description of ours and waits for its candidates. */
  async #apply(description: RTCSessionDescriptionInit): Promise<string> {
    await this.#pc.setLocalDescription(description)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience)
      this.#pc.onicegatheringstatechange = () => {
        if (this.#pc.iceGatheringState !== 'complete') return
        clearTimeout(timer)
        resolve()
      }
      this.#pc.onicegatheringstatechange(new Event('icegatheringstatechange'))
    })
    return this.#pc.localDescription?.sdp ?? ''
  }
}
