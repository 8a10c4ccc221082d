import { expect, test } from 'vitest'
import { readStats } from '../src/stats.js'

const report = (t: number) => [
  { type: 'transport', id: 'T', selectedCandidatePairId: 'P' },
  { type: 'candidate-pair', id: 'P', localCandidateId: 'L', currentRoundTripTime: 0.012, bytesReceived: 250_000 * t, bytesSent: 125_000 * t },
  { type: 'local-candidate', id: 'L', candidateType: 'prflx', protocol: 'udp' },
  { type: 'codec', id: 'C', mimeType: 'video/VP8' },
  { type: 'inbound-rtp', kind: 'audio', packetsLost: 9_999 },
  { type: 'inbound-rtp', kind: 'video', codecId: 'C', packetsReceived: 95 * t, packetsLost: 5 * t, retransmittedPacketsReceived: 4 * t, frameWidth: 640, frameHeight: 360, framesPerSecond: 30 },
  { type: 'outbound-rtp', kind: 'video', codecId: 'C', retransmittedPacketsSent: 6 * t, frameWidth: 320, frameHeight: 180, framesPerSecond: 15 },
  { type: 'remote-inbound-rtp', kind: 'video', fractionLost: 0.25, roundTripTime: 0.034 },
]

test('rates are those since the last question, each direction by itself', () => {
  const { totals } = readStats(report(1), undefined, 1_000)
  expect(readStats(report(3), totals, 3_000).stats).toEqual({
    rttMs: 12,
    peerRttMs: 34,
    path: 'udp',
    received: { kbps: 2000, loss: 0.05, repairs: 4, codec: 'VP8', width: 640, height: 360, fps: 30 },
    sent: { kbps: 1000, loss: 0.25, repairs: 6, codec: 'VP8', width: 320, height: 180, fps: 15 },
  })
})

test('what is not known is left out', () => {
  expect(readStats([], undefined, 1_000).stats).toEqual({ received: { kbps: 0 }, sent: { kbps: 0 } })
})

test('the counters of a new connection begin again', () => {
  const { totals } = readStats(report(9), undefined, 1_000)
  expect(readStats(report(1), totals, 2_000).stats.received).toMatchObject({ kbps: 0, repairs: 0 })
})
