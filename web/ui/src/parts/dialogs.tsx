import type { CallStats } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { Model, Ui } from '../model'
import { AutoNext } from './autonext'
import { Dialog } from './dialog'

/** Whichever dialog is open. */
export function Dialogs({ model, ui }: { model: Model; ui: Ui }) {
  const close = () => model.ui.patch({ dialog: undefined })
  switch (ui.dialog) {
    case 'leave':
      return (
        <Dialog title="Leave this call?" onClose={close}>
          <p>You will not be able to find the same person again.</p>
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
    case 'details':
      return <Details model={model} onClose={close} />
    default:
      return null
  }
}

const KEYS = [
  [['Esc', 'Esc'], 'Next person'],
  [['M'], 'Mute or unmute'],
  [['V'], 'Camera off or on'],
  [['T', '/'], 'Open or close the chat'],
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

const PATHS = { udp: 'UDP (best)', tcp: 'TCP', relay: 'Relay over TLS' } as const

function Details({ model, onClose }: { model: Model; onClose: () => void }) {
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
  const rows: [string, string][] = [
    ['Round trip to the server', stats?.rttMs === undefined ? '' : `${stats.rttMs} ms`],
    ['Receiving', stats ? `${stats.inKbps} kbit/s` : ''],
    ['Sending', stats ? `${stats.outKbps} kbit/s` : ''],
    ['Their picture', stats?.width ? `${stats.width} × ${stats.height}` : ''],
    ['Frames a second', stats?.fps === undefined ? '' : String(Math.round(stats.fps))],
    ['Carried by', stats?.path ? PATHS[stats.path] : ''],
  ]
  return (
    <Dialog title="Connection details" onClose={onClose}>
      <dl class="stats">
        {rows.map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v || '–'}</dd>
          </div>
        ))}
      </dl>
      <p class="fine">Sound and picture go through the server. The other person never learns your address.</p>
    </Dialog>
  )
}
