import { useEffect, useRef, useState } from 'preact/hooks'
import type { LocalState, Mode } from '../media/local'
import { watchLevel } from '../media/level'
import { help } from '../media/problem'
import type { Model } from '../model'
import { Icon } from '../parts/icons'
import { Mirror } from '../parts/picture'

/** How loud a voice must be once to count as heard. */
const HEARD = 0.35

const START: Record<Mode, string> = { video: 'Start', audio: 'Start with sound only', text: 'Start with text only' }

/** A look at oneself before the first stranger does. */
export function Preview({ model, local }: { model: Model; local: LocalState }) {
  const { audio, video, problem, asking, camOn, micOn } = local
  const best: Mode = video ? 'video' : audio ? 'audio' : 'text'
  return (
    <section class="preview" data-testid="preview">
      <h1 tabIndex={-1}>{video ? 'How you will look' : 'Before you start'}</h1>
      <div class={`mirror ${video ? '' : 'empty'}`}>
        {video && camOn ? (
          <Mirror track={video} data-testid="local-video" />
        ) : (
          <p class="none">
            <Icon name="camOff" />
            {asking ? 'Allow the camera and microphone when the browser asks' : video ? 'Your camera is off' : 'No picture'}
          </p>
        )}
        <div class="onpic">
          {audio && (
            <button class={`round ${micOn ? '' : 'off'}`} aria-pressed={!micOn} aria-label="Mute" onClick={() => model.mute()}>
              <Icon name={micOn ? 'mic' : 'micOff'} />
            </button>
          )}
          {video && (
            <button class={`round ${camOn ? '' : 'off'}`} aria-pressed={!camOn} aria-label="Camera off" onClick={() => model.camera()}>
              <Icon name={camOn ? 'cam' : 'camOff'} />
            </button>
          )}
        </div>
      </div>
      <div class="setup">
        {problem && <Help model={model} problem={problem} />}
        {video && <Pick label="Camera" list={local.cameras} track={video} onPick={(id) => void model.local.pick('video', id)} />}
        {audio && <Pick label="Microphone" list={local.microphones} track={audio} onPick={(id) => void model.local.pick('audio', id)} />}
        {audio && <Level track={audio} on={micOn} />}
        <div class="go">
          {asking ? (
            <button class="primary big" disabled>
              Waiting for your answer
            </button>
          ) : (
            <button class="primary big" data-testid="start" onClick={() => void model.go(best)}>
              {START[best]}
            </button>
          )}
        </div>
        <div class="also">
          {best === 'video' && audio && (
            <button class="quiet" onClick={() => void model.go('audio')}>
              Sound only
            </button>
          )}
          {best !== 'text' && (
            <button class="quiet" onClick={() => void model.go('text')}>
              Text only
            </button>
          )}
          <button class="quiet" data-testid="data-use" onClick={() => model.ui.patch({ dialog: 'data' })}>
            Data use
          </button>
          <button class="quiet" data-testid="back-home" onClick={() => model.home()}>
            Back
          </button>
        </div>
      </div>
    </section>
  )
}

function Help({ model, problem }: { model: Model; problem: NonNullable<LocalState['problem']> }) {
  const { title, steps } = help(problem)
  return (
    <div class="help" role="status" data-testid="permission-help" data-kind={problem.kind}>
      <h2>
        <Icon name="warn" /> {title}
      </h2>
      {steps.map((s) => (
        <p key={s}>{s}</p>
      ))}
      {problem.kind !== 'insecure' && (
        <div class="go">
          <button class="quiet" onClick={() => model.preview()}>
            Try again
          </button>
          {problem.device === 'both' && (
            <button class="quiet" data-testid="only-microphone" onClick={() => void model.local.open('audio')}>
              Only the microphone
            </button>
          )}
        </div>
      )}
    </div>
  )
}

interface PickProps {
  label: string
  list: readonly MediaDeviceInfo[]
  track: MediaStreamTrack
  onPick: (id: string) => void
}

function Pick({ label, list, track, onPick }: PickProps) {
  return (
    <label class="pick">
      <span>{label}</span>
      <select value={track.getSettings().deviceId ?? ''} onChange={(e) => onPick(e.currentTarget.value)}>
        {list.map((d, i) => (
          <option key={d.deviceId} value={d.deviceId}>
            {d.label || `${label} ${i + 1}`}
          </option>
        ))}
      </select>
    </label>
  )
}

function Level({ track, on }: { track: MediaStreamTrack; on: boolean }) {
  const bar = useRef<HTMLDivElement>(null)
  const [heard, setHeard] = useState(false)
  useEffect(() => {
    setHeard(false)
    return watchLevel(track, (level) => {
      bar.current?.style.setProperty('--level', String(level))
      if (level > HEARD) setHeard(true)
    })
  }, [track])
  return (
    <div class="level">
      <div ref={bar} class="bar" aria-hidden="true" />
      <p role="status">{!on ? 'Your microphone is muted' : heard ? 'We can hear you' : 'Say something to test your microphone'}</p>
    </div>
  )
}
