import { describe, expect, test } from 'vitest'
import { beat, beatMs, type Pulse } from '../src/pulse.js'

/** Feeds readings half a second apart, and says at which of them the path was taken for dead. */
function deaths(readings: number[], every = beatMs): number[] {
  let pulse: Pulse | undefined
  return readings.flatMap((received, i) => {
    const step = beat(pulse, received, 1_000 + i * every)
    pulse = step.pulse
    return step.dead ? [i] : []
  })
}

describe('a path', () => {
  test('with news all the time lives', () => expect(deaths([0, 9, 20, 31, 40, 55, 66])).toEqual([]))
  test('that falls silent is dead after 1.5 s, once', () => expect(deaths([0, 9, 20, 31, 31, 31, 31, 31, 31, 31])).toEqual([6]))
  test('that pauses for a second lives', () => expect(deaths([0, 9, 20, 31, 31, 31, 40, 50])).toEqual([]))
  test('on which little ever came is not judged', () => expect(deaths([5, 5, 5, 5, 5, 9, 9, 9, 9, 9, 9])).toEqual([]))
  test('is new when the counter starts again', () => expect(deaths([90, 99, 120, 131, 4, 4, 4, 4, 4])).toEqual([]))
  test('is not judged by a page that slept', () => expect(deaths([0, 9, 20, 31, 31, 31], 60_000)).toEqual([]))
})
