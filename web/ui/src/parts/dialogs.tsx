import type { CallStats, DataUse, FlowStats, State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { Model, Ui } from '../model'
import { AutoNext } from './autonext'
import { Dialog } from './dialog'
import { Seek } from './seek'

/** Whichever dialog is open. */
export function Dialogs({ model, state, ui }: { model: Model; state: State; ui: Ui }) {
  const close = () => model.ui.patch({ dialog: undefined })
  switch (ui.dialog) {
    case 'leave':
      return (
        <Dialog title="Leave this call?" onClose={close}>
          <p>You meet again only if you both ask for it in the ten seconds after it.</p>
          <div class="go">
            <button class="primary" data-testid="confirm-stay" onClick={close}>
              Stay
            </button>
            <button class="quiet" data-testid="confirm-leave" onClick={() => model.home()}>
              Leave
            </button>
          </div>
        </Dialog>
      )
    case 'help':
      return <Help model={model} ui={ui} onClose={close} />
    case 'search':
      return <Seek model={model} state={state} ui={ui} onClose={close} />
    case 'details':
      return <Details model={model} state={state} onClose={close} />
    case 'data':
      return (
        <Dialog title="Data use" onClose={close}>
          <Uses model={model} state={state} titled />
        </Dialog>
      )
    default:
      return null
  }
}

const KEYS = [
  [['Esc', 'Esc'], 'Next person'],
  [['M'], 'Mute or unmute'],
  [['V'], 'Camera off or on'],
  [['T', '/'], 'Open or close the chat'],
  [['B'], 'After a call: ask the last one back'],
  [['?'], 'This help'],
  [['← ↑ → ↓'], 'Move your own picture, when it has the focus'],
] as const

function Help({ model, ui, onClose }: { model: Model; ui: Ui; onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((k, i) => (
                <kbd key={i}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={ui.letters} onChange={(e) => model.letters(e.currentTarget.checked)} />
        Single-letter shortcuts
      </label>
      <AutoNext model={model} ui={ui} />
    </Dialog>
  )
}

const USES: readonly (readonly [DataUse, string, string])[] = [
  ['normal', 'Normal', 'As good as the connection allows'],
  ['low', 'Low', 'About 300 kbit/s each way'],
  ['audio', 'Sound only', 'No pictures, neither theirs nor yours'],
]

/** How much data the person wants to use. `titled` is where something else says already what it is about. */
function Uses({ model, state, titled }: { model: Model; state: State; titled?: boolean }) {
  return (
    <fieldset class="uses">
      <legend class={titled ? 'sr' : ''}>Data use</legend>
      {USES.map(([use, name, what]) => (
        <label key={use}>
          <input type="radio" name="use" data-testid={`use-${use}`} checked={state.dataUse === use} onChange={() => model.data(use)} />
          <span>
            <b>{name}</b> <small>{what}</small>
          </span>
        </label>
      ))}
    </fieldset>
  )
}

const PATHS = { udp: 'UDP (best)', tcp: 'TCP', relay: 'Relay over TLS' } as const

const percent = (share: number) => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`

/** The rows of both directions: name, and the value in one. */
const FLOWS: readonly (readonly [string, (f: FlowStats) => string | undefined])[] = [
  ['Rate', (f) => `${f.kbps} kbit/s`],
  ['Picture', (f) => (f.width ? `${f.width}×${f.height}` : undefined)],
  ['Frames/s', (f) => f.fps?.toFixed()],
  ['Codec', (f) => f.codec],
  ['Lost', (f) => (f.loss === undefined ? undefined : percent(f.loss))],
  ['Sent again/s', (f) => f.repairs?.toFixed()],
]

function Details({ model, state, onClose }: { model: Model; state: State; onClose: () => void }) {
  const [stats, set] = useState<CallStats>()
  useEffect(() => {
    let live = true
    const read = () => void model.client.stats().then((s) => live && set(s), () => {})
    read()
    const id = setInterval(read, 1000)
    return () => {
      live = false
      clearInterval(id)
    }
  }, [])
  const trip = (ms: number | undefined) => (ms === undefined ? '–' : `${ms} ms`)
  return (
    <Dialog title="Connection details" onClose={onClose}>
      <Uses model={model} state={state} />
      <table class="stats">
        <thead>
          <tr>
            <td />
            <th scope="col">Receiving</th>
            <th scope="col">Sending</th>
          </tr>
        </thead>
        <tbody>
          {FLOWS.map(([name, of]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{(stats && of(stats.received)) || '–'}</td>
              <td>{(stats && of(stats.sent)) || '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl class="stats">
        <div>
          <dt>Round trip to the server</dt>
          <dd>{trip(stats?.rttMs)}</dd>
        </div>
        <div>
          <dt>Round trip to them</dt>
          <dd>{trip(stats?.peerRttMs)}</dd>
        </div>
        <div>
          <dt>Carried by</dt>
          <dd>{stats?.path ? PATHS[stats.path] : '–'}</dd>
        </div>
      </dl>
      <p class="fine">Sound and picture go through the server. The other person never learns your address.</p>
    </Dialog>
  )
}
