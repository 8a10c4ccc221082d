import type { State } from '@smalltalk/client'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { useCell } from './cell'
import type { BackButton } from './history'
import type { Model } from './model'
import { Icon, Logo } from './parts/icon'
import { ErrorNote, LostInvitation, ServerGone, ServerNote } from './parts/notices'
import { announcement } from './parts/words'
import { anchorOf, pictured, screenOf, type Screen } from './screen'
import { Home } from './screens/home'
import { Splash } from './screens/splash'
import { Stage } from './stage'

type Talk = typeof import('./talk')

/** The whole app: one stage, and over it the screen that the state calls for. */
export function App({ model, back }: { model: Model; back: BackButton }) {
  const state = useClient(model)
  const ui = useCell(model.ui)
  const local = useCell(model.local.cell)
  const screen = screenOf(state, ui.route)
  const talk = useTalk(PAST_TOPICS.has(screen) || model.friended || state.user?.guest === false || ui.dialog !== undefined || state.undo !== undefined)
  const root = useRef<HTMLDivElement>(null)
  const first = useRef(true)
  const path = useRef<{ from: Screen; to: Screen }>({ from: screen, to: screen })
  if (path.current.to !== screen) path.current = { from: path.current.to, to: screen }
  const [said, say] = useState('')

  useLayoutEffect(() => {
    back.follow(anchorOf(screen))
    say(announcement(screen, state, model.topics()))
    // The element that had the focus is gone; the heading says where one is.
    if (!first.current) root.current?.querySelector<HTMLElement>('h1')?.focus()
    first.current = false
  }, [screen])
  useEffect(() => {
    document.title = screen === 'call' && state.call ? `${state.call.peer.name} · Small Talk` : 'Small Talk'
  }, [screen, state.call?.peer.name])
  useEffect(() => {
    const key = (e: KeyboardEvent) => model.key(e) && e.preventDefault()
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])

  const mast = screen === 'home' || screen === 'preview' || screen === 'closed' || screen === 'people'
  const chat = screen === 'call' && ui.chat
  return (
    <div ref={root} class={`app on-${screen} from-${path.current.from} ${chat ? 'with-chat' : ''}`}>
      {mast && (
        <header class="mast">
          <Logo />
          <span class="brand">Small Talk</span>
          {state.user && screen !== 'closed' && (
            <button class="who" data-testid="people" onClick={() => model.ui.patch({ route: 'people' })}>
              <bdi>{state.user.name}</bdi>
              <span class="sr">, friends and account</span>
              <Icon name="people" />
              {ui.pending > 0 && (
                <b class="new">
                  {ui.pending}
                  <span class="sr"> new</span>
                </b>
              )}
            </button>
          )}
        </header>
      )}
      <main>
        <Stage model={model} />
        {talk && screen === 'call' && !pictured(state) && <talk.Face name={state.call?.peer.name ?? ''} />}
        {pick(screen, talk, model, state, ui, local)}
        {talk && <talk.People model={model} state={state} screen={screen} ui={ui} />}
        {talk && state.undo && <talk.Back model={model} undo={state.undo} letters={ui.letters} />}
        {talk && (screen === 'waiting' || screen === 'call') && <talk.SelfView local={local} />}
        <div class="notices">
          <ServerGone state={state} />
          <ErrorNote state={state} client={model.client} />
          <ServerNote state={state} client={model.client} />
          <LostInvitation model={model} topic={ui.missing} />
        </div>
        <p class="sr" role="status">
          {said}
        </p>
      </main>
      {talk && chat && <talk.Chat key={state.call?.id} state={state} client={model.client} onClose={() => model.chat(false)} />}
      {talk && <talk.Dialogs model={model} state={state} ui={ui} />}
    </div>
  )
}

type Ui = ReturnType<Model['ui']['get']>
type Local = ReturnType<Model['local']['cell']['get']>

const PAST_TOPICS: ReadonlySet<Screen> = new Set(['preview', 'waiting', 'call', 'left', 'closed', 'people'])

function pick(screen: Screen, talk: Talk | undefined, model: Model, state: State, ui: Ui, local: Local) {
  if (screen === 'home') return <Home model={model} state={state} ui={ui} />
  if (!talk) return <Splash />
  switch (screen) {
    case 'people':
      return null
    case 'splash':
      return <Splash />
    case 'closed':
      return <talk.Closed model={model} state={state} />
    case 'preview':
      return <talk.Preview model={model} local={local} />
    case 'waiting':
      return <talk.Waiting model={model} state={state} ui={ui} local={local} />
    case 'call':
      return <talk.Call model={model} state={state} ui={ui} local={local} />
    case 'left':
      return <talk.Left model={model} state={state} ui={ui} />
  }
}

/** The first signs that somebody is there and may go on. */
const SIGNS = ['pointermove', 'pointerdown', 'keydown'] as const

/**
 * Fetches what lies past the topics as soon as somebody stirs, which is well
 * before Start; loads the page again if that failed and it is needed.
 */
function useTalk(needed: boolean): Talk | undefined {
  const [talk, set] = useState<Talk>()
  const [failed, fail] = useState(false)
  const [near, approach] = useState(false)
  useEffect(() => {
    const once = { once: true }
    for (const type of SIGNS) addEventListener(type, () => approach(true), once)
  }, [])
  useEffect(() => {
    if (near || needed) import('./talk').then(set, () => fail(true))
  }, [near || needed])
  useEffect(() => {
    // A browser does not fetch a module again that it failed to get once.
    if (failed && needed) location.reload()
  }, [failed, needed])
  return talk
}

function useClient(model: Model): State {
  const [state, set] = useState(model.client.state)
  useEffect(() => {
    set(model.client.state)
    return model.client.subscribe(set)
  }, [])
  return state
}
