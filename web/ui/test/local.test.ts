import { afterEach, describe, expect, it, vi } from 'vitest'
import { LocalMedia } from '../src/media/local'
import { plugIn } from './devices'

afterEach(() => vi.unstubAllGlobals())

const no = (name: string) => new DOMException('', name)

describe('own devices', () => {
  it('are opened once and given back', async () => {
    const devices = plugIn()
    const local = new LocalMedia()
    await local.open('video')
    await local.open('video')
    expect(devices.asked).toEqual(['audio video'])
    local.close()
    expect(devices.given.map((t) => t.stopped)).toEqual([true, true])
    expect(local.cell.get()).toMatchObject({ audio: undefined, video: undefined, asking: false })
  })

  it('that come after the person has gone are given back at once', async () => {
    const devices = plugIn()
    let allow = () => {}
    devices.gate = new Promise((resolve) => (allow = resolve))
    const local = new LocalMedia()
    const opened = local.open('video')
    local.close()
    allow()
    await opened
    expect(devices.given.map((t) => t.stopped)).toEqual([true, true])
    expect(local.cell.get()).toMatchObject({ audio: undefined, video: undefined, problem: undefined })
  })

  it('stay off if they were switched off before they came', async () => {
    const devices = plugIn()
    const local = new LocalMedia()
    local.set({ micOn: false, camOn: false })
    await local.open('video')
    expect(devices.given.map((t) => t.enabled)).toEqual([false, false])
  })

  it('without a camera the microphone is taken alone, and it says why', async () => {
    const devices = plugIn()
    devices.refuse.video = no('NotFoundError')
    const local = new LocalMedia()
    await local.open('video')
    expect(local.cell.get()).toMatchObject({ video: undefined, problem: { kind: 'missing', device: 'camera' } })
    expect(local.cell.get().audio).toBeDefined()
  })

  it('a refusal is not followed by another question, but the microphone may be asked for', async () => {
    const devices = plugIn()
    devices.refuse.video = no('NotAllowedError')
    const local = new LocalMedia()
    await local.open('video')
    expect(devices.asked).toEqual(['audio video'])
    expect(local.cell.get()).toMatchObject({ audio: undefined, problem: { kind: 'refused', device: 'both' } })
    await local.open('audio')
    expect(local.cell.get().audio).toBeDefined()
    expect(local.cell.get().problem).toBeUndefined()
  })

  it('one that was chosen and is gone is not asked for for ever', async () => {
    const devices = plugIn()
    const local = new LocalMedia()
    await local.open('video')
    devices.refuse.exact = no('OverconstrainedError')
    await local.pick('video', 'usb')
    expect(local.cell.get()).toMatchObject({ video: undefined, problem: { kind: 'missing', device: 'camera' } })
    await local.open('video')
    expect(devices.asked).toEqual(['audio video', 'video=usb', 'video'])
    expect(local.cell.get().video).toBeDefined()
  })

  it('one that is unplugged in a call is gone, and it says so', async () => {
    const devices = plugIn()
    const local = new LocalMedia()
    await local.open('video')
    devices.given[1]?.dispatchEvent(new Event('ended'))
    expect(local.cell.get()).toMatchObject({ video: undefined, problem: { kind: 'missing', device: 'camera' } })
  })
})
