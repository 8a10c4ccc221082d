/** Shows one scene of the app, named by `?s=`, with a client that is not there. Not part of the product. */
import { render } from 'preact'
import { App } from '../../src/app'
import { BackButton } from '../../src/history'
import { LocalMedia } from '../../src/media/local'
import { keep, Model } from '../../src/model'
import { Unsupported } from '../../src/screens/unsupported'
import '../../src/styles/index.css'
import { socialOf } from '../../src/people/social'
import { answer } from './account'
import { FakeClient, IDLE } from './fake'
import { SCENES } from './scenes'

/** A stranger made of a few circles, moving. */
function stranger(): MediaStream {
  const canvas = document.createElement('canvas')
  canvas.width = 1280
  canvas.height = 720
  const g = canvas.getContext('2d')!
  let t = 0
  setInterval(() => {
    t += 0.05
    g.fillStyle = '#b98a5e'
    g.fillRect(0, 0, 1280, 720)
    g.fillStyle = '#8d5f3a'
    g.fillRect(0, 520, 1280, 200)
    g.fillStyle = '#2f4858'
    g.beginPath()
    g.ellipse(640, 760, 330, 260, 0, 0, 7)
    g.fill()
    g.fillStyle = '#f1c7a3'
    g.beginPath()
    g.ellipse(640 + Math.sin(t) * 12, 330, 150, 190, 0, 0, 7)
    g.fill()
    g.fillStyle = '#33261d'
    for (const x of [590, 690]) g.fillRect(x + Math.sin(t) * 12, 300, 14, 14)
  }, 40)
  return canvas.captureStream(25)
}

async function main(): Promise<void> {
  const name = new URLSearchParams(location.search).get('s') ?? 'home'
  const scene = SCENES[name] ?? {}
  const root = document.getElementById('app')!
  if (name === 'unsupported') {
    render(
      <main class="app on-closed">
        <Unsupported />
      </main>,
      root,
    )
    return
  }
  globalThis.fetch = answer(scene.state?.user?.guest === false, scene.state?.error?.code === 'email_required')
  const client = new FakeClient({ ...IDLE, ...scene.state })
  client.remote = stranger()
  const local = new LocalMedia()
  // Whom a friend rings has friends here.
  const ever = { get: (key: string) => (key === 'st.friends' && scene.people ? 'yes' : null), set: () => {} }
  const model = new Model(client, local, { tab: keep(() => sessionStorage), ever }, undefined, false, ['en'])
  Object.assign(globalThis, { __demo: { client, model } })
  if (scene.ui) model.ui.patch(scene.ui)
  render(<App model={model} back={new BackButton(window, () => model.back())} />, root)
  if (model.screen !== 'home' && model.screen !== 'closed' && model.screen !== 'splash') await local.open(scene.media ?? 'video')
  if (scene.off) local.set({ micOn: false, camOn: false })
  if (scene.problem) local.cell.patch({ problem: scene.problem })
  if (name === 'preview-asking') local.cell.patch({ asking: true })
  // Dialogs are closed when a screen is entered; open this scene's again.
  if (scene.ui) model.ui.patch(scene.ui)
  if (!scene.people) return
  const social = socialOf(model)
  const { says = [], rings, answers, ...shown } = scene.people
  social.cell.patch(shown)
  for (const m of says) client.others.forEach((fn) => fn(JSON.stringify(m)))
  if (rings) social.people.ring(rings)
  if (answers) social.people.accept()
}

void main()
