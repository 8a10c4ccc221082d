type Entry = Record<string, unknown>

/** What a peer connection counted up to a moment. Bytes are of video with everything that repairs it, headers included. */
export interface Sample {
  at: number
  sentBytes: number
  gotBytes: number
  freezes: number
  frozenSeconds: number
  audioSamples: number
  concealedSamples: number
  /** Lines of the picture that is being sent. */
  lines: number
  /** What the publisher believes that the path can take, in bit/s. */
  estimate: number
  /** Of what was received: packets sent again; and how often a whole picture was asked for. */
  rtxBytes: number
  keyFrameRequests: number
}

/** How often the counters are read, in milliseconds. */
const everyMs = 500

function number(e: Entry | undefined, key: string): number {
  const v = e?.[key]
  return typeof v === 'number' ? v : 0
}

/** The entries of a report, by their names. */
async function entries(pc: RTCPeerConnection): Promise<Map<unknown, Entry>> {
  const map = new Map<unknown, Entry>()
  ;(await pc.getStats()).forEach((e: Entry) => map.set(e['id'], e))
  return map
}

async function sample(pc: RTCPeerConnection): Promise<Sample> {
  const at = performance.timeOrigin + performance.now()
  const list = [...(await entries(pc)).values()]
  const stream = (type: string, kind: string): Entry | undefined => list.find((e) => e['type'] === type && e['kind'] === kind)
  const out = stream('outbound-rtp', 'video')
  const video = stream('inbound-rtp', 'video')
  const audio = stream('inbound-rtp', 'audio')
  const pair = list.find((e) => e['type'] === 'candidate-pair' && e['nominated'] === true)
  return {
    at,
    sentBytes: number(out, 'bytesSent') + number(out, 'headerBytesSent'),
    gotBytes: number(video, 'bytesReceived') + number(video, 'headerBytesReceived'),
    freezes: number(video, 'freezeCount'),
    frozenSeconds: number(video, 'totalFreezesDuration'),
    audioSamples: number(audio, 'totalSamplesReceived'),
    concealedSamples: number(audio, 'concealedSamples'),
    lines: number(out, 'frameHeight'),
    estimate: number(pair, 'availableOutgoingBitrate'),
    rtxBytes: number(video, 'retransmittedBytesReceived'),
    keyFrameRequests: number(video, 'pliCount'),
  }
}

/** Reads the counters of a connection from now on, into a list that grows. */
export function measure(pc: RTCPeerConnection): Sample[] {
  const samples: Sample[] = []
  setInterval(() => {
    if (pc.connectionState === 'connected') void sample(pc).then((s) => samples.push(s))
  }, everyMs)
  return samples
}

/** By what a connection goes: the kinds of the two candidates that were chosen. */
export async function path(pc: RTCPeerConnection): Promise<string> {
  const map = await entries(pc)
  const transport = [...map.values()].find((e) => e['type'] === 'transport')
  const pair = map.get(transport?.['selectedCandidatePairId'])
  const [local, remote] = [map.get(pair?.['localCandidateId']), map.get(pair?.['remoteCandidateId'])]
  if (!local || !remote) return 'none'
  return `${String(local['protocol'])} ${String(local['candidateType'])}-${String(remote['candidateType'])}`
}
