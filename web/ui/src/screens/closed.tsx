import type { ClientError, State } from '@smalltalk/client'
import type { Model } from '../model'
import { Logo } from '../parts/icon'

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

/** Why the connection is closed for good: heading, explanation, button. */
export function closedLines(by: State['closedBy'], error?: ClientError): { title: string; text: string; retry: string } {
  switch (by) {
    case 'full':
      return { title: 'The server is full', text: 'Every place is taken right now. People leave all the time: try again in a minute.', retry: 'Try again' }
    case 'too_many':
      return { title: 'Too many tries', text: 'The server has heard from here too often. Wait a minute before you try again.', retry: 'Try again' }
    case 'banned':
      return { title: 'You cannot come in', text: 'The people who run this place have closed it to you.', retry: '' }
    case 'unauthorized':
      // Not a session that ended, but a server that takes no guests.
      if (error?.retry === 'never') return { title: 'Log in to come in', text: error.message, retry: 'Try again' }
      return { title: 'You are signed out', text: 'Your session has ended. You can come back as a new guest.', retry: 'Come in as a guest' }
    case 'unsupported':
      return { title: 'This page is out of date', text: 'The server was updated and speaks a newer language than this page. Load it again.', retry: 'Load again' }
    default:
      return { title: 'Disconnected', text: 'The connection to the server is closed.', retry: 'Connect' }
  }
}
