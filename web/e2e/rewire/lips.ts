import type { Marks } from './senses.js'

/** How much later beeps came than their flashes, in milliseconds, each: soon after the beginning of a call, and later. */
export interface Lips {
  early: number[]
  lips: number[]
}

/** A flash and a beep further apart than this do not belong together, in milliseconds; they come once a second. */
const reach = 450

/** How much later each beep came than its flash, in milliseconds; negative where it came first. */
export function offsets({ flashes, beeps }: Marks): number[] {
  return flashes.flatMap((flash) => {
    const nearest = beeps.reduce<number | undefined>((best, b) => (best === undefined || Math.abs(b - flash) < Math.abs(best - flash) ? b : best), undefined)
    return nearest === undefined || Math.abs(nearest - flash) > reach ? [] : [Math.round(nearest - flash)]
  })
}

/** The middle value; `NaN` of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const mid = sorted.length >> 1
  return sorted.length % 2 ? (sorted[mid] ?? NaN) : Math.round(((sorted[mid - 1] ?? NaN) + (sorted[mid] ?? NaN)) / 2)
}

/** All values in the form "middle (least to greatest)". */
export function spread(values: readonly number[]): string {
  return values.length > 0 ? `${median(values)} (${Math.min(...values)} to ${Math.max(...values)})` : '-'
}
