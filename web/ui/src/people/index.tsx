import type { State } from '@smalltalk/client'
import { useEffect, useLayoutEffect, useState } from 'preact/hooks'
import { useCell } from '../cell'
import type { Model, Ui } from '../model'
import type { Screen } from '../screen'
import '../styles/people.css'
import { AccountPage } from './account'
import { Codes } from './codes'
import { Door } from './door'
import { Prove } from './email'
import { FriendsPage } from './friends'
import { Notes } from './notes'
import { Partner } from './partner'
import { Incoming, Outgoing } from './ring'
import { socialOf, type Page, type Social } from './social'

/** What lies over every screen, and the pages about people. */
export function Layer({ model, state, screen, ui }: { model: Model; state: State; screen: Screen; ui: Ui }) {
  const social = socialOf(model)
  const people = usePeople(social)
  const { ring, tie, requests, missed } = people
  const { seen } = useCell(social.cell)
  const pending = (requests?.length ?? 0) + (missed?.filter((m) => m.at > seen).length ?? 0)
  useLayoutEffect(() => model.ui.patch({ tie, pending }), [tie, pending])
  const shut = screen === 'closed' && state.closedBy === 'unauthorized'
  return (
    <>
      {screen === 'people' && <Pages social={social} state={state} people={people} />}
      {shut && (
        <section class="people door">
          {state.error?.code === 'email_required' ? <Prove social={social} state={state} /> : <Door social={social} guest={false} />}
        </section>
      )}
      {ui.dialog === 'person' && state.call && <Partner model={model} social={social} call={state.call} tie={tie} />}
      {ring?.way === 'in' && <Incoming key={ring.id} social={social} ring={ring} state={state} letters={ui.letters} />}
      {ring?.way === 'out' && <Outgoing social={social} ring={ring} />}
      <Notes social={social} people={people} screen={screen} inCall={state.phase === 'call'} />
    </>
  )
}

function usePeople(social: Social) {
  const [people, set] = useState(social.people.state)
  useEffect(() => {
    set(social.people.state)
    return social.people.subscribe(set)
  }, [social])
  return people
}

const TABS: readonly (readonly [Page, string])[] = [
  ['friends', 'Friends'],
  ['account', 'Account'],
]

function Pages({ social, state, people }: { social: Social; state: State; people: ReturnType<typeof usePeople> }) {
  const { page, codes } = useCell(social.cell)
  const guest = state.user?.guest !== false
  useEffect(() => {
    // The heading that had the focus is another page's.
    document.querySelector<HTMLElement>('.people h1')?.focus()
  }, [page, codes === undefined])
  if (codes) return <Codes social={social} codes={codes} name={state.user?.name ?? ''} />
  if (page === 'door') {
    return (
      <section class="people">
        <Door social={social} guest={guest} />
        <button class="quiet back" onClick={() => social.show('friends')}>
          Back
        </button>
      </section>
    )
  }
  return (
    <section class="people" data-testid="people-page">
      <nav aria-label="People">
        {TABS.map(([id, name]) => (
          <button key={id} data-testid={`tab-${id}`} aria-current={page === id ? 'page' : undefined} onClick={() => social.show(id)}>
            {name}
          </button>
        ))}
        <button class="quiet" data-testid="back-home" onClick={() => social.model.home()}>
          Back<span class="sr"> to topics</span>
        </button>
      </nav>
      {page === 'friends' ? <FriendsPage social={social} people={people} guest={guest} /> : <AccountPage social={social} state={state} guest={guest} />}
    </section>
  )
}
