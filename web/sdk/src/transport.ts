import type { StatEntry } from './platform/types.js'

/** The pair of candidates that a connection uses now, out of a W3C statistics report. */
export function selectedPair(entries: readonly StatEntry[]): StatEntry | undefined {
  const id = entries.find((e) => e['type'] === 'transport')?.['selectedCandidatePairId']
  const pairs = entries.filter((e) => e['type'] === 'candidate-pair')
  return pairs.find((e) => e['id'] === id) ?? pairs.find((e) => e['nominated'] === true && e['state'] === 'succeeded')
}

/** A number of an entry, if it is there. */
export function num(entry: StatEntry | undefined, key: string): number | undefined {
  const v = entry?.[key]
  return typeof v === 'number' ? v : undefined
}
