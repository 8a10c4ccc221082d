import type { PeopleState } from '@smalltalk/client/people'
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Icon } from '../parts/icons'
import { useNow } from '../parts/now'
import { useSubmit } from './form'
import type { Social } from './social'
import { ago, PRESENCE } from './words'

/** Friends and whoever might become one, or not. */
export function FriendsPage({ social, people, guest }: { social: Social; people: PeopleState; guest: boolean }) {
  const { friends, requests = [], missed = [], partners, blocks = [], asked } = people
  const now = useNow(30_000)
  useEffect(() => void social.people.load('friends', 'requests', 'missed', 'partners', 'blocks'), [social])
  useEffect(() => social.see(missed), [people.missed])
  const friendOf = (id: string) => friends?.find((f) => f.id === id)
  return (
    <>
      <h1 tabIndex={-1}>Friends</h1>
      {guest && <Keep social={social} />}
      {requests.length > 0 && (
        <List title="Would like to be friends">
          {requests.map((r) => (
            <Row key={r.id} name={r.name} about={ago(r.at, now)} testid="request">
              <Do label="Accept" of={r.name} primary testid="request-yes" onDo={() => social.people.ask({ user: r.id })} />
              <Do label="Decline" of={r.name} onDo={() => social.people.refuse(r.id)} />
            </Row>
          ))}
        </List>
      )}
      {missed.length > 0 && (
        <List title="Missed calls">
          {missed.map((c) => {
            const friend = friendOf(c.id)
            return (
              <Row key={c.id + c.at} name={c.name} about={ago(c.at, now)} testid="missed">
                {friend && <Call social={social} friend={friend} />}
              </Row>
            )
          })}
          <li class="last">
            <button class="link" data-testid="forget-missed" onClick={() => void social.people.forgetMissed()}>
              Clear
            </button>
          </li>
        </List>
      )}
      <List title="Your friends" hidden={requests.length + missed.length === 0}>
        {friends?.map((f) => (
          <Row key={f.id} name={f.name} about={PRESENCE[f.presence]} look={f.presence} testid="friend">
            <Call social={social} friend={f} />
            <More of={f.name}>
              <Do label="Remove" of={f.name} onDo={() => social.people.unfriend(f.id)} />
              <Do label="Block" of={f.name} onDo={() => social.people.block({ user: f.id })} />
            </More>
          </Row>
        ))}
        {!friends && <li class="nothing late">Loading</li>}
        {friends?.length === 0 && <li class="nothing">Nobody yet. In a call, and for a day after it, you can ask whom you liked.</li>}
      </List>
      {partners && partners.length > 0 && (
        <List title="Met in the last 24 hours">
          {partners.map((p) => (
            <Row key={p.call} name={p.name} about={p.friend ? 'Friend' : asked.includes(p.call) ? 'Asked' : ago(p.at, now)} testid="partner">
              {!p.friend && !asked.includes(p.call) && <Do label="Add friend" of={p.name} testid="partner-ask" onDo={() => social.people.ask({ call: p.call })} />}
              {!p.friend && (
                <More of={p.name}>
                  <Do label="Block" of={p.name} onDo={() => social.people.block({ call: p.call })} />
                </More>
              )}
            </Row>
          ))}
        </List>
      )}
      {blocks.length > 0 && (
        <List title="Blocked">
          {blocks.map((b) => (
            <Row key={b.id} name={b.name || 'Somebody who is gone'} about={ago(b.at, now)} testid="blocked">
              <Do label="Unblock" of={b.name} testid="unblock" onDo={() => social.people.unblock(b.id)} />
            </Row>
          ))}
        </List>
      )}
    </>
  )
}

/** Guests are forgotten in the end, and their friends with them. */
function Keep({ social }: { social: Social }) {
  return (
    <div class="card" data-testid="keep-friends">
      <p>You are here as a guest. Create an account to keep your friends, on every device.</p>
      <div class="go">
        <button class="primary" data-testid="open-sign-up" onClick={() => social.show('door', 'sign-up')}>
          Create an account
        </button>
        <button class="quiet" data-testid="open-log-in" onClick={() => social.show('door', 'log-in')}>
          Log in
        </button>
      </div>
    </div>
  )
}

/** A list with its heading, which only those need to hear who cannot see that it is the only one. */
function List({ title, hidden, children }: { title: string; hidden?: boolean; children: ComponentChildren }) {
  return (
    <section class="list">
      <h2 class={hidden ? 'sr' : ''}>{title}</h2>
      <ul>{children}</ul>
    </section>
  )
}

function Row({ name, about, look, testid, children }: { name: string; about: string; look?: string; testid: string; children?: ComponentChildren }) {
  return (
    <li class="row" data-testid={testid} data-look={look}>
      <span class="face-small" aria-hidden="true">
        {[...name][0]}
      </span>
      <span class="whom">
        <bdi>{name}</bdi>
        <span class={`about ${look ?? ''}`}>{about}</span>
      </span>
      <span class="acts">{children}</span>
    </li>
  )
}

function Call({ social, friend }: { social: Social; friend: { id: string; name: string; presence: string } }) {
  const there = friend.presence !== 'offline'
  return (
    <button class={there ? 'primary call-friend' : 'quiet call-friend'} data-testid="call-friend" aria-label={`Call ${friend.name}`} onClick={() => social.ring(friend)}>
      <Icon name="phone" />
    </button>
  )
}

/** What is done rarely, behind one more press. */
function More({ of, children }: { of: string; children: ComponentChildren }) {
  const [open, set] = useState(false)
  return (
    <>
      {open && children}
      <button class="quiet more-of" aria-expanded={open} aria-label={`More about ${of}`} onClick={() => set(!open)}>
        {open ? '×' : '⋯'}
      </button>
    </>
  )
}

function Do({ label, of, primary, testid, onDo }: { label: string; of: string; primary?: boolean; testid?: string; onDo: () => Promise<boolean> }) {
  const { busy, run } = useSubmit()
  return (
    <button class={primary ? 'primary' : 'quiet'} data-testid={testid} disabled={busy} onClick={() => void run(onDo)}>
      {label}
      <span class="sr"> {of}</span>
    </button>
  )
}
