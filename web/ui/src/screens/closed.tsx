import type { State } from '@smalltalk/client'
import type { Model } from '../model'
import { Logo } from '../parts/icon'
import { closedLines } from '../parts/words'

/** The connection is closed until a person decides. */
export function Closed({ model, state }: { model: Model; state: State }) {
  const { client } = model
  if (state.closedBy === 'replaced') {
    return (
      <section class="closed" data-testid="replaced">
        <Logo />
        <h1 tabIndex={-1}>You are here in another tab</h1>
        <p>One person can be in one place only. Carry on here and the other tab stops; or talk from both as two different guests.</p>
        <div class="go">
          <button class="primary big" data-testid="use-here" onClick={() => client.takeover()}>
            Use here
          </button>
          <button class="quiet" data-testid="fresh-guest" onClick={() => client.freshGuest()}>
            Continue as another guest
          </button>
        </div>
      </section>
    )
  }
  const { title, text, retry } = closedLines(state.closedBy, state.error)
  const again = () => {
    if (state.closedBy === 'unsupported') location.reload()
    else if (state.closedBy === 'unauthorized' && state.error?.retry !== 'never') client.freshGuest()
    else void client.connect()
  }
  return (
    <section class="closed" data-testid={`closed-${state.closedBy ?? 'user'}`}>
      <Logo />
      <h1 tabIndex={-1}>{title}</h1>
      <p>{text}</p>
      {retry && (
        <div class="go">
          <button class="primary big" data-testid="retry" onClick={again}>
            {retry}
          </button>
        </div>
      )}
    </section>
  )
}

/** The browser has no WebRTC, or the person's settings took it away. */
export function Unsupported() {
  return (
    <section class="closed" data-testid="unsupported">
      <Logo />
      <h1 tabIndex={-1}>This browser cannot make video calls</h1>
      <p>Small Talk needs WebRTC. Open this page in a current Firefox, Chrome, Edge or Safari; if this is one, a privacy setting or an extension has switched WebRTC off.</p>
    </section>
  )
}
