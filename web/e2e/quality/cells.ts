import type { Side } from '../netlab/net.js'

/** A link that becomes narrow in mid-call. */
export interface Cut {
  /** Whose link, and which way as its owner sees it. */
  readonly side: Side
  readonly way: 'up' | 'down'
}

/** A network in which a call is measured. */
export interface Cell {
  readonly name: string
  readonly what: string
  /** From one end to the other and back, in milliseconds, half of it on each side's link. */
  readonly rttMs: number
  /** How many packets in a hundred B's link loses, each way. */
  readonly lossPercent: number
  readonly cut?: Cut
}

/** A cut: its rate in bit/s and how long it lasts. In both cells it is the picture from A to B that has to fit. */
export const cutRate = 500_000
export const cutMs = 20_000

export const cells: readonly Cell[] = [
  { name: 'loss5', what: "B's link loses 5 % each way, 100 ms round trip", rttMs: 100, lossPercent: 5 },
  { name: 'loss5-near', what: "B's link loses 5 % each way, 0 ms round trip", rttMs: 0, lossPercent: 5 },
  { name: 'loss10', what: "B's link loses 10 % each way, 100 ms round trip", rttMs: 100, lossPercent: 10 },
  { name: 'far', what: 'nothing is lost, 200 ms round trip', rttMs: 200, lossPercent: 0 },
  { name: 'clean', what: 'nothing is lost, 0 ms round trip', rttMs: 0, lossPercent: 0 },
  { name: 'cut-down', what: "B's downlink is cut to 500 kb/s", rttMs: 0, lossPercent: 0, cut: { side: 'b', way: 'down' } },
  { name: 'cut-up', what: "A's uplink is cut to 500 kb/s", rttMs: 0, lossPercent: 0, cut: { side: 'a', way: 'up' } },
]
