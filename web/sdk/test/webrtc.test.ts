import { expect, test } from 'vitest'
import type { Bounds } from '../src/platform/types.js'
import { adaptPeer, vp8First, type Codec, type W3CPeer } from '../src/platform/webrtc.js'

type Parameters = { degradationPreference?: string; encodings?: { active?: boolean; maxBitrate?: number; maxFramerate?: number; rid?: string }[] }

/** A sender that takes its time, and says what it was told. */
class FakeSender {
  parameters: Parameters = { encodings: [{ active: true, rid: 'r' }] }
  readonly told: Parameters[] = []
  finish: (() => void)[] = []

  async replaceTrack(): Promise<void> {}

  getParameters(): Parameters {
    return structuredClone(this.parameters)
  }

  setParameters(p: Parameters): Promise<void> {
    this.told.push(p)
    return new Promise((resolve) => this.finish.push(resolve))
  }
}

function adapt(sender: object): (b: Bounds) => void {
  const pc = { addTransceiver: () => ({ sender }) } as unknown as W3CPeer<Codec>
  return adaptPeer(pc, undefined).bound
}

test('a bound is set in the same moment, and of those that come meanwhile only the last', async () => {
  const s = new FakeSender()
  const bound = adapt(s)
  bound({ active: true, maxBitrate: 50_000, maxFramerate: 15, keepSize: true })
  bound({ active: false })
  bound({ active: true, maxBitrate: 230_000 })
  expect(s.told).toEqual([{ degradationPreference: 'maintain-resolution', encodings: [{ active: true, maxBitrate: 50_000, maxFramerate: 15, rid: 'r' }] }])
  s.parameters = s.told[0] ?? {}
  s.finish.pop()?.()
  await new Promise((resolve) => setTimeout(resolve, 0))
  expect(s.told.slice(1)).toEqual([{ encodings: [{ active: true, maxBitrate: 230_000, rid: 'r' }] }])
})

test('where it cannot be set nothing happens', async () => {
  const bare = new FakeSender()
  bare.parameters = {}
  for (const s of [{}, { getParameters: () => ({ encodings: [{}] }) }, bare, { ...bare, getParameters: () => { throw new Error('stopped') } }]) adapt(s)({ active: false })
  await new Promise((resolve) => setTimeout(resolve, 0))
  expect(bare.told).toEqual([])
})

test('VP8 comes first and no format is lost, least of all those that repair', () => {
  const names = ['video/H264', 'video/rtx', 'video/VP8', 'video/red', 'video/ulpfec', 'video/AV1', 'video/flexfec-03']
  const list = vp8First(names.map((mimeType) => ({ mimeType })))
  expect(list.map((c) => c.mimeType)).toEqual(['video/VP8', ...names.filter((n) => n !== 'video/VP8')])
})
