import type { StatEntry } from './platform/types.js'

/** How a call is doing. Rates are over the time since the last question; absent where the platform does not say. */
export interface CallStats {
  rttMs?: number
  inKbps: number
  outKbps: number
  /** What carries the media: a direct datagram path, ICE-TCP, or TURN. */
  path?: 'udp' | 'tcp' | 'relay'
  fps?: number
  width?: number
  height?: number
}

/** The totals that rates are computed from. */
export interface StatTotals {
  readonly at: number
  readonly received: number
  readonly sent: number
}

function num(entry: StatEntry | undefined, key: string): number | undefined {
  const v = entry?.[key]
  return typeof v === 'number' ? v : undefined
}

function kbps(bytes: number, ms: number): number {
  return ms > 0 && bytes > 0 ? Math.round((bytes * 8) / ms) : 0
}

function path(local: StatEntry | undefined): CallStats['path'] {
  if (!local) return undefined
  if (local['candidateType'] === 'relay') return 'relay'
  return local['protocol'] === 'tcp' ? 'tcp' : 'udp'
}

/** Reads a W3C statistics report (`now` in milliseconds). Pass the totals it returns to the next call. */
export function readStats(entries: readonly StatEntry[], last: StatTotals | undefined, now: number): { stats: CallStats; totals: StatTotals } {
  const byId = new Map(entries.map((e) => [e['id'], e]))
  const transport = entries.find((e) => e['type'] === 'transport')
  const pair =
    byId.get(transport?.['selectedCandidatePairId']) ??
    entries.find((e) => e['type'] === 'candidate-pair' && e['nominated'] === true && e['state'] === 'succeeded')
  const picture = entries.find((e) => e['type'] === 'inbound-rtp' && e['kind'] === 'video')
  const totals: StatTotals = { at: now, received: num(pair, 'bytesReceived') ?? 0, sent: num(pair, 'bytesSent') ?? 0 }
  const ms = last ? now - last.at : 0
  const stats: CallStats = {
    inKbps: kbps(totals.received - (last?.received ?? 0), ms),
    outKbps: kbps(totals.sent - (last?.sent ?? 0), ms),
  }
  const rtt = num(pair, 'currentRoundTripTime')
  if (rtt !== undefined) stats.rttMs = Math.round(rtt * 1000)
  const by = path(byId.get(pair?.['localCandidateId']))
  if (by) stats.path = by
  const fps = num(picture, 'framesPerSecond')
  if (fps !== undefined) stats.fps = fps
  const width = num(picture, 'frameWidth')
  if (width !== undefined) stats.width = width
  const height = num(picture, 'frameHeight')
  if (height !== undefined) stats.height = height
  return { stats, totals }
}
