import type { CallInfo } from '@smalltalk/client'
import type { Tie } from '@smalltalk/client/people'
import type { Model } from '../model'
import { Dialog } from '../parts/dialog'
import type { Social } from './social'
import { apart } from './words'

/** What can be done about the one that one talks to. */
export function Partner({ model, social, call, tie }: { model: Model; social: Social; call: CallInfo; tie: Tie | undefined }) {
  const close = () => model.ui.patch({ dialog: undefined })
  const name = apart(call.peer.name)
  const friend = call.peer.friend || tie?.friend === true
  const ask = () => {
    social.people.askPartner()
    // The button goes away, and the focus must not go with it.
    document.querySelector<HTMLElement>('dialog header button')?.focus()
  }
  const block = () => {
    social.people.blockPartner()
    close()
    if (call.rung) model.leave()
    else model.client.next()
  }
  return (
    <Dialog title={call.peer.name} onClose={close}>
      <p role="status" data-testid="tie">
        {friend ? `You and ${name} are friends.` : tie?.asked ? `You asked ${name} to be friends. You are when they ask too.` : tie?.wanted ? `${name} would like to be friends.` : 'Friends see when the other is here, and can call each other again.'}
      </p>
      <div class="go">
        {!friend && !tie?.asked && (
          <button class="primary" data-testid="add-friend" onClick={ask}>
            {tie?.wanted ? 'Say yes' : 'Add friend'}
          </button>
        )}
        <button class="quiet alarm" data-testid="block" onClick={block}>
          Block
        </button>
      </div>
      <p class="fine">Who is blocked never meets you again, and is not told. The call ends{call.rung ? '.' : ' and the search goes on.'}</p>
    </Dialog>
  )
}
