import type { State } from '@smalltalk/client'
import type { LocalState } from '../media/local'
import type { Model, Ui } from '../model'
import { Icon, type IconName } from '../parts/icons'
import { callNote } from '../parts/trouble'
import { sharedLine } from '../parts/words'

/** The call: what lies over the partner's picture. */
export function Call({ model, state, ui, local }: { model: Model; state: State; ui: Ui; local: LocalState }) {
  const call = state.call
  if (!call) return null
  const unread = ui.chat ? 0 : state.chat.slice(ui.read).filter((l) => l.from === 'peer').length
  const { name } = call.peer
  const note = callNote(state)
  return (
    <section class="call">
      <div class="partner">
        <div>
          <h1 tabIndex={-1} dir="auto">
            {name}
          </h1>
          <p>{sharedLine(call.topics, state.topics, model.topics())}</p>
          {(call.peer.friend || ui.tie?.friend) && <Mark icon="people" text="Friend" />}
          {!call.peerAudio && <Mark icon="micOff" text="Muted" />}
          {!call.peerVideo && <Mark icon="camOff" text="Camera off" />}
          {state.dataUse === 'audio' && <Mark icon="sound" text="Sound only" />}
          {!call.peerWatching && state.video && <Mark icon="sound" text="Does not see you" />}
          {call.peerConnection === 'poor' && <Mark icon="warn" text="Weak connection" />}
        </div>
        <button class="round ghost" data-testid="person" aria-label="Add friend or block" title="Add friend or block" onClick={() => model.ui.patch({ dialog: 'person' })}>
          <Icon name="people" />
        </button>
        <button class="round ghost" data-testid="details" aria-label="Connection details" title="Connection details" onClick={() => model.ui.patch({ dialog: 'details' })}>
          <Icon name="stats" />
        </button>
      </div>
      <div class="mid" role="status">
        {note && <p class={`note ${note.look}`}>{note.text}</p>}
        {ui.armed && <p class="note">Press Esc again for the next person</p>}
      </div>
      <p class="sr" role="status">
        {unread > 0 && `${unread} new in the chat`}
      </p>
      {ui.silent && (
        <button class="primary hear" onClick={() => model.hear()}>
          <Icon name="sound" /> Tap to hear {name}
        </button>
      )}
      <div class="controls" role="group" aria-label="Call">
        <Tool id="mute" icon={local.audio && local.micOn ? 'mic' : 'micOff'} label="Mute" text="Mute" off={!local.audio || !local.micOn} disabled={!local.audio} onClick={() => model.mute()} />
        <Tool id="camera" icon={local.video && local.camOn ? 'cam' : 'camOff'} label="Camera off" text="Camera" off={!local.video || !local.camOn} disabled={!local.video} onClick={() => model.camera()} />
        <button class="round" data-testid="chat" aria-expanded={ui.chat} aria-label={unread ? `Chat, ${unread} new` : 'Chat'} title="Chat" onClick={() => model.chat()}>
          <Icon name="chat" />
          <Label text="Chat" />
          {unread > 0 && <span class="dot">{unread}</span>}
        </button>
        <button class="round extra keys" aria-label="Keys for the keyboard" title="Keyboard shortcuts" onClick={() => model.ui.patch({ dialog: 'help' })}>
          <Icon name="keys" />
          <Label text="Keys" />
        </button>
        <button class="round leave" data-testid="leave" aria-label="Leave" title="Leave" onClick={() => model.leave()}>
          <Icon name="leave" />
          <Label text="Leave" />
        </button>
        {!call.rung && (
          <button class="primary next" data-testid="next" onClick={() => model.next()}>
            Next <Icon name="next" />
          </button>
        )}
      </div>
    </section>
  )
}

function Mark({ icon, text }: { icon: IconName; text: string }) {
  return (
    <p class="mark">
      <Icon name={icon} /> {text}
    </p>
  )
}

interface ToolProps {
  id: string
  icon: IconName
  label: string
  text: string
  off: boolean
  disabled: boolean
  onClick: () => void
}

function Tool({ id, icon, label, text, off, disabled, onClick }: ToolProps) {
  return (
    <button class={`round ${off ? 'off' : ''}`} data-testid={id} aria-pressed={off} aria-label={label} title={label} disabled={disabled} onClick={onClick}>
      <Icon name={icon} />
      <Label text={text} />
    </button>
  )
}

/** What stands below an icon. Who hears the button hears its own label instead, which begins with the same word. */
function Label({ text }: { text: string }) {
  return (
    <span class="label" aria-hidden="true">
      {text}
    </span>
  )
}

/** Stands in for a partner without a picture. */
export function Face({ name }: { name: string }) {
  return (
    <div class="face" aria-hidden="true">
      <span>{[...name][0] ?? ''}</span>
    </div>
  )
}
