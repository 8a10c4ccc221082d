/** How many blocks a stamp has: 16 bits of a time in milliseconds and the exclusive or of their four parts. */
export const bits = 20

/** A time in milliseconds as black and white blocks; true is white. */
export function stamp(ms: number): boolean[] {
  const time = ms & 0xffff
  const sum = (time ^ (time >> 4) ^ (time >> 8) ^ (time >> 12)) & 0xf
  return Array.from({ length: bits }, (_, i) => (((time << 4) | sum) & (1 << i)) !== 0)
}

/** The milliseconds since a stamp that is less than a minute old; `undefined` if it is damaged. */
export function age(stamped: readonly boolean[], now: number): number | undefined {
  const value = stamped.reduce((v, on, i) => (on ? v | (1 << i) : v), 0)
  const time = value >> 4
  if (stamp(time).some((on, i) => on !== stamped[i])) return undefined
  return (Math.round(now) - time) & 0xffff
}
