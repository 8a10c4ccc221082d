import type { StatEntry } from './platform/types.js'
import { num, selectedPair } from './transport.js'

/** One direction of a call. Everything but the rate is of the picture; absent is what the platform does not say. */
export interface FlowStats {
  /** Sound and picture together, since the last question. */
  kbps: number
  /** What was lost on the way and not repaired, as a share from 0 to 1: received since the last question, or sent as the receiver last said. */
  loss?: number
  /** Packets that were sent again, a second. */
  repairs?: number
  /** The codec, such as `VP8`. */
  codec?: string
  width?: number
  height?: number
  fps?: number
}

/** How a call is doing. */
export interface CallStats {
  /** The round trip to the server, and on to the partner and back, in milliseconds. */
  rttMs?: number
  peerRttMs?: number
  /** What carries the media: a direct datagram path, ICE-TCP, or TURN. */
  path?: 'udp' | 'tcp' | 'relay'
  received: FlowStats
  sent: FlowStats
}

/** The totals that rates are computed from. */
export interface StatTotals {
  readonly at: number
  readonly received: number
  readonly sent: number
  /** Of the picture, in packets. */
  readonly arrived: number
  readonly lost: number
  readonly repaired: number
  readonly resent: number
}

/** `before` is more than `now` where the counter is a new connection's. */
function rise(now: number, before: number | undefined): number {
  return Math.max(0, now - (before ?? now))
}

function kbps(bytes: number, ms: number): number {
  return ms > 0 && bytes > 0 ? Math.round((bytes * 8) / ms) : 0
}

function path(local: StatEntry | undefined): CallStats['path'] {
  if (!local) return undefined
  if (local['candidateType'] === 'relay') return 'relay'
  return local['protocol'] === 'tcp' ? 'tcp' : 'udp'
}

type Optional<T> = { [K in keyof T]: T[K] | undefined }

/** Leaves out what is not known. */
function known<T extends object>(all: Optional<T>): T {
  return Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as T
}

/** Reads a W3C statistics report (`now` in milliseconds). Pass the totals it returns to the next call. */
export function readStats(entries: readonly StatEntry[], last: StatTotals | undefined, now: number): { stats: CallStats; totals: StatTotals } {
  const byId = new Map(entries.map((e) => [e['id'], e]))
  const picture = (type: string): StatEntry | undefined => entries.find((e) => e['type'] === type && e['kind'] === 'video')
  const pair = selectedPair(entries)
  const [inbound, outbound, remote] = ['inbound-rtp', 'outbound-rtp', 'remote-inbound-rtp'].map(picture)
  const totals: StatTotals = {
    at: now,
    received: num(pair, 'bytesReceived') ?? 0,
    sent: num(pair, 'bytesSent') ?? 0,
    arrived: num(inbound, 'packetsReceived') ?? 0,
    lost: num(inbound, 'packetsLost') ?? 0,
    repaired: num(inbound, 'retransmittedPacketsReceived') ?? 0,
    resent: num(outbound, 'retransmittedPacketsSent') ?? 0,
  }
  const ms = last ? now - last.at : 0
  const [arrived, lost] = [rise(totals.arrived, last?.arrived), rise(totals.lost, last?.lost)]
  const look = (e: StatEntry | undefined): Optional<Omit<FlowStats, 'kbps'>> => {
    const mime = byId.get(e?.['codecId'])?.['mimeType']
    return {
      codec: typeof mime === 'string' ? mime.slice(mime.indexOf('/') + 1) : undefined,
      width: num(e, 'frameWidth'),
      height: num(e, 'frameHeight'),
      fps: num(e, 'framesPerSecond'),
    }
  }
  const repairs = (e: StatEntry | undefined, key: string, since: number): number | undefined =>
    num(e, key) !== undefined && ms > 0 ? Math.round((since * 1000) / ms) : undefined
  const rtt = (e: StatEntry | undefined, key: string): number | undefined => {
    const s = num(e, key)
    return s === undefined ? undefined : Math.round(s * 1000)
  }
  const stats = known<CallStats>({
    rttMs: rtt(pair, 'currentRoundTripTime'),
    peerRttMs: rtt(remote, 'roundTripTime'),
    path: path(byId.get(pair?.['localCandidateId'])),
    received: known<FlowStats>({
      kbps: kbps(totals.received - (last?.received ?? 0), ms),
      loss: arrived + lost > 0 ? lost / (arrived + lost) : undefined,
      repairs: repairs(inbound, 'retransmittedPacketsReceived', rise(totals.repaired, last?.repaired)),
      ...look(inbound),
    }),
    sent: known<FlowStats>({
      kbps: kbps(totals.sent - (last?.sent ?? 0), ms),
      loss: num(remote, 'fractionLost'),
      repairs: repairs(outbound, 'retransmittedPacketsSent', rise(totals.resent, last?.resent)),
      ...look(outbound),
    }),
  })
  return { stats, totals }
}
