import { h } from 'preact'
import { afterEach, expect, it, vi } from 'vitest'
import { LocalMedia } from '../src/media/local'
import { Model } from '../src/model'
import { People } from '../src/parts/people'
import { FakeClient, IDLE } from './demo/fake'
import { plugIn } from './devices'
import { openPage } from './page'

vi.mock('../src/people', () => {
  throw new Error('the network is away')
})

afterEach(() => vi.unstubAllGlobals())

it('the page is loaded again if what is about people did not come and is wanted, also in a call', async () => {
  plugIn()
  const page = openPage()
  const reload = vi.fn()
  vi.stubGlobal('location', { reload })
  const none = { get: () => null, set: () => {} }
  const model = new Model(new FakeClient({ ...IDLE }), new LocalMedia(), { tab: none, ever: none })
  const show = (dialog?: 'person') => page.show(h(People, { model, state: IDLE, screen: 'call', ui: { ...model.ui.get(), dialog } }))
  show()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(reload).not.toHaveBeenCalled()
  show('person')
  await vi.waitFor(() => expect(reload).toHaveBeenCalled())
})
