import type { Cell } from './cells.js'
import { median, values, type Outcome, type Result } from './results.js'

/** A figure in which less is better, with what two medians may differ by without meaning anything. */
interface Rule {
  readonly what: string
  readonly figure: (o: Outcome) => number | undefined
  /** Whom ours is compared with. */
  readonly bar: 'direct' | 'direct-nofec'
  readonly slack: number
}

const calls: readonly Rule[] = (['a', 'b'] as const).flatMap((side) => [
  { what: `freezes that ${side} sees`, figure: (o) => o.received[side].freezes, bar: 'direct-nofec', slack: 0 },
  { what: `freezes that ${side} sees`, figure: (o) => o.received[side].freezes, bar: 'direct', slack: 1 },
  { what: `worst gap that ${side} sees, ms`, figure: (o) => o.received[side].worstGapMs, bar: 'direct', slack: 70 },
])

const cuts: readonly Rule[] = [
  { what: 'seconds until the publisher follows', figure: (o) => o.coped?.followSeconds, bar: 'direct', slack: 0.5 },
  { what: 'frozen seconds', figure: (o) => o.coped?.frozenSeconds, bar: 'direct', slack: 0.5 },
  { what: 'worst gap, ms', figure: (o) => o.coped?.worstGapMs, bar: 'direct', slack: 100 },
  { what: 'seconds back to 80 %', figure: (o) => o.coped?.sentBackSeconds, bar: 'direct', slack: 1 },
]

function rules(cell: Cell): readonly Rule[] {
  return cell.cut ? cuts : calls
}

/** Compares the medians of ours with those of browser to browser, prints a line for each comparison and returns how many ours lost. */
export function judge(results: readonly Result[]): number {
  let lost = 0
  for (const ours of results.filter((r) => r.system.name.startsWith('ours'))) {
    for (const { what, figure, bar, slack } of rules(ours.cell)) {
      const other = results.find((r) => r.cell === ours.cell && r.system.name === bar)
      if (!other) continue
      const [x, y] = [median(values(ours, figure)), median(values(other, figure))]
      const ok = x <= y + slack
      if (!ok) lost++
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${ours.cell.name}: ${what}: ${ours.system.name} ${x.toFixed(1)}, ${bar} ${y.toFixed(1)}`)
    }
  }
  return lost
}
