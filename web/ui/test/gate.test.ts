import { describe, expect, it } from 'vitest'
import { FrameGate, SETTLE_MS, type Frame } from '../src/media/gate'

describe('FrameGate', () => {
  const cases: { name: string; frames: Frame[]; shown: boolean[] }[] = [
    {
      name: 'lets through the first frame received after the match',
      frames: [
        { now: 1010, receiveTime: 980 },
        { now: 1020, receiveTime: 1000 },
        { now: 1040, receiveTime: 1012 },
        { now: 1060, receiveTime: 1040 },
      ],
      shown: [false, false, true, true],
    },
    {
      name: 'waits for the settling time where frames do not say when they came',
      frames: [{ now: 1001 }, { now: 1000 + SETTLE_MS - 1 }, { now: 1000 + SETTLE_MS }],
      shown: [false, false, true],
    },
    {
      name: 'never takes an old frame, however late it is shown',
      frames: [
        { now: 5000, receiveTime: 999 },
        { now: 9000, receiveTime: 1000 },
      ],
      shown: [false, false],
    },
  ]
  for (const c of cases)
    it(c.name, () => {
      const gate = new FrameGate()
      gate.arm(1000)
      expect(c.frames.map((f) => gate.offer(f))).toEqual(c.shown)
    })

  it('is closed at first, and after close', () => {
    const gate = new FrameGate()
    expect(gate.offer({ now: 1e9, receiveTime: 1e9 })).toBe(false)
    gate.arm(1)
    expect(gate.offer({ now: 3, receiveTime: 2 })).toBe(true)
    gate.close()
    expect(gate.open).toBe(false)
    expect(gate.offer({ now: 1e9, receiveTime: 1e9 })).toBe(false)
  })
})
