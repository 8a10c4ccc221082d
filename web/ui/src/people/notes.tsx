import type { PeopleState, Rung } from '@smalltalk/client/people'
import { useEffect } from 'preact/hooks'
import { Icon } from '../parts/icons'
import type { Screen } from '../screen'
import type { Social } from './social'
import { apart, wordsFor } from './words'

/** How long a note stays, in ms. */
const STAY_MS = 9_000

/** What is new about people, in a line each over whatever screen there is. */
export function Notes({ social, people, screen, inCall }: { social: Social; people: PeopleState; screen: Screen; inCall: boolean }) {
  const { rung, news, error, tie } = people
  const request = news?.kind === 'request' && inCall && tie?.wanted
  return (
    <div class="notices about-people">
      <Note id="rung" text={rung && rungLine(rung)} data={rung?.reason} onDismiss={() => social.people.dismiss('rung')} />
      <Note id="people-error" text={error && wordsFor(error.code, error.message, error.retryAfterMs)} data={error?.code} onDismiss={() => social.people.dismiss('error')} />
      <Note id="news" text={news && newsLine(news)} data={news?.kind} onDismiss={() => social.people.dismiss('news')}>
        {request && !tie.friend ? (
          <button
            class="link"
            data-testid="news-yes"
            onClick={() => {
              social.people.askPartner()
              social.people.dismiss('news')
            }}
          >
            Say yes
          </button>
        ) : news && screen === 'home' ? (
          <button
            class="link"
            onClick={() => {
              social.show('friends')
              social.model.ui.patch({ route: 'people' })
              social.people.dismiss('news')
            }}
          >
            Look
          </button>
        ) : null}
      </Note>
    </div>
  )
}

function Note({ id, text, data, onDismiss, children }: { id: string; text: string | undefined; data: string | undefined; onDismiss: () => void; children?: preact.ComponentChildren }) {
  useEffect(() => {
    if (!text) return
    const timer = setTimeout(onDismiss, STAY_MS)
    return () => clearTimeout(timer)
  }, [text])
  return (
    <div role="status">
      {text && (
        <p class="toast" data-testid={id} data-code={data}>
          <span>{text}</span>
          {children}
          <button class="round ghost" aria-label="Dismiss" onClick={onDismiss}>
            <Icon name="close" />
          </button>
        </p>
      )}
    </div>
  )
}

/** How a ring ended, or nothing where that is no news. */
export function rungLine({ way, friend, reason }: Rung): string | undefined {
  const name = friend.name ? apart(friend.name) : 'Your friend'
  if (way === 'in') return reason === 'answered_elsewhere' ? 'Answered on another device' : reason === 'failed' || reason === 'offline' ? `The call with ${name} could not be made` : undefined
  switch (reason) {
    case 'busy':
      return `${name} is busy with another call`
    case 'timeout':
      return `${name} did not answer`
    case 'declined':
      return `${name} cannot talk now`
    case 'offline':
      return `${name} is not here. They will see that you called.`
    case 'failed':
      return `${name} could not be called`
    case 'cancelled':
    case 'answered_elsewhere':
      return undefined
  }
}

function newsLine({ kind, name: plain }: NonNullable<PeopleState['news']>): string {
  const name = plain ? apart(plain) : 'Somebody'
  switch (kind) {
    case 'request':
      return `${name} would like to be friends`
    case 'friend':
      return `You and ${name} are friends now`
    case 'missed':
      return `${name} has called you`
  }
}
