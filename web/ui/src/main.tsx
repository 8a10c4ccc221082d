import { createClient, type Client } from '@smalltalk/client'
import { browserPlatform } from '@smalltalk/client/browser'
import { render } from 'preact'
import { App } from './app'
import { BackButton, invited } from './history'
import { LocalMedia } from './media/local'
import { keep, Model } from './model'
import { Unsupported } from './screens/unsupported'
import './styles/index.css'

declare global {
  /** The client of this page, for tests and for a look from the console. */
  var __smalltalk: Client
}

const root = document.getElementById('app')!
if (typeof RTCPeerConnection === 'undefined' || typeof WebSocket === 'undefined') {
  render(
    <main class="app on-closed">
      <Unsupported />
    </main>,
    root,
  )
} else start()

function start(): void {
  const client = createClient({
    url: location.origin,
    platform: browserPlatform(),
    name: 'web',
    version: '0.1.0',
    lang: navigator.language,
  })
  globalThis.__smalltalk = client
  const local = new LocalMedia()
  const stores = { tab: keep(() => sessionStorage), ever: keep(() => localStorage) }
  const { connection } = navigator as Navigator & { connection?: { saveData?: boolean } }
  const model = new Model(client, local, stores, invited(location.pathname), connection?.saveData, navigator.languages)
  const back = new BackButton(window, () => model.back())

  // Nobody who cannot see the page should be seen through it.
  const seen = () => local.set({ hidden: document.hidden })
  document.addEventListener('visibilitychange', seen)
  seen()
  // A page that comes back out of the browser's cache may have said goodbye. One that was replaced stays so: it is for a person to decide.
  addEventListener('pageshow', (e) => e.persisted && client.state.closedBy === 'user' && void client.connect())

  render(<App model={model} back={back} />, root)
  void client.connect()
}
