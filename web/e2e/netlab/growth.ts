/** How much longer somebody's delay was in each of several rounds than beside it, and what may be said of a group of people by that. */

/** How many times the delay beside it the delay in a round was. Who has no picture, or had none beside, has endless growth. */
export function growthOf(during: number, beside: number): number {
  return Number.isFinite(during) && Number.isFinite(beside) ? during / Math.max(beside, 1) : Infinity
}

/** What is judged. */
export interface Verdict {
  /** The upper median over all people and rounds. */
  all: number
  /** The upper median over the rounds of each person, in their order. */
  each: number[]
}

/** One row for each person, one number for each round. Without any rounds at all nothing is known, and that is NaN, which passes no limit. */
export function judge(people: readonly (readonly number[])[]): Verdict {
  return { all: upperMedian(people.flat()), each: people.map(upperMedian) }
}

function upperMedian(values: readonly number[]): number {
  return [...values].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0))[values.length >> 1] ?? NaN
}
