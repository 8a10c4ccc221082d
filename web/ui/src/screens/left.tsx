import type { State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { Model } from '../model'
import { Logo } from '../parts/icon'
import { leftLine } from '../parts/words'

/** Seconds until the search goes on by itself. */
const AUTO_S = 3

/** The partner has gone: on to the next one, unless the person says stop. */
export function Left({ model, state }: { model: Model; state: State }) {
  const left = state.left
  // Who was thrown out of a call should not fall into the next by doing nothing.
  const [auto, setAuto] = useState(left?.reason !== 'kicked')
  const [seconds, setSeconds] = useState(AUTO_S)
  useEffect(() => {
    if (!auto) return
    const id = setInterval(() => {
      // Nobody looks: a stranger would meet an empty chair.
      if (!document.hidden) setSeconds((s) => Math.max(0, s - 1))
    }, 1000)
    return () => clearInterval(id)
  }, [auto])
  useEffect(() => {
    if (auto && seconds === 0) model.client.requeue()
  }, [auto, seconds])
  if (!left) return null
  return (
    <section class="left" data-testid="partner-left">
      <Logo />
      <h1 tabIndex={-1}>{leftLine(left.reason)}</h1>
      {left.name && (
        <p>
          You were talking to <bdi>{left.name}</bdi>.
        </p>
      )}
      <div class="go">
        <button class="primary big" data-testid="find-another" onClick={() => model.client.requeue()}>
          Find another
        </button>
        <button class="quiet" data-testid="back-home" onClick={() => model.home()}>
          Back to topics
        </button>
      </div>
      <div class={`count ${auto ? '' : 'stopped'}`}>
        {auto ? (
          <>
            <p>
              Looking again in <b>{seconds}</b>
            </p>
            <div class="fuse" aria-hidden="true" />
            <button class="link" data-testid="stop" onClick={() => setAuto(false)}>
              Stop
            </button>
          </>
        ) : (
          <p>Take your time.</p>
        )}
      </div>
    </section>
  )
}
