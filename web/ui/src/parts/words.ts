import type { ClientError, State } from '@smalltalk/client'
import type { Screen } from '../screen'
import { listed, topicNames } from '../screen'

/** "You both picked Gaming", or "They picked" what is none of `mine`; empty where both took anything. */
export function sharedLine(ids: readonly string[], topics: State['topics'], mine: readonly string[]): string {
  if (!ids.length) return ''
  return `${ids.some((id) => mine.includes(id)) ? 'You both' : 'They'} picked ${listed(topicNames(ids, topics))}`
}

/** Why the partner is gone, as a heading. */
export function leftLine(reason: NonNullable<State['left']>['reason']): string {
  switch (reason) {
    case 'next':
      return 'They pressed Next'
    case 'left':
      return 'They left'
    case 'lost':
      return 'Their connection was lost'
    case 'blocked':
      return 'This call was blocked'
    case 'kicked':
      return 'This call was ended by a moderator'
    case 'restart':
      return 'The server restarted'
  }
}

/** An error in words that say what to do; the server's own where none fit. */
export function errorLine(e: ClientError): string {
  const wait = e.retryAfterMs ? ` Try again in ${Math.ceil(e.retryAfterMs / 1000)} s.` : ''
  switch (e.code) {
    case 'rate_limited':
      return `That was too fast for the server.${wait || ' Wait a moment.'}`
    case 'server_full':
      return `The server is full at the moment.${wait}`
    case 'draining':
      return 'The server is about to restart. Your call goes on.'
    case 'unknown_topic':
      return 'One of these topics is no longer offered. Pick again.'
    case 'media_failed':
      return 'The video connection could not be made.'
    case 'too_large':
      return 'That was too long to send.'
    default:
      return e.message || 'Something went wrong. Try again.'
  }
}

/** What a screen reader hears when the screen changes. */
export function announcement(screen: Screen, s: State, mine: readonly string[]): string {
  switch (screen) {
    case 'waiting':
      return 'Looking for someone.'
    case 'call':
      return s.call ? `You are talking to ${s.call.peer.name}. ${sharedLine(s.call.topics, s.topics, mine)}` : ''
    case 'left':
      return s.left ? `${leftLine(s.left.reason)}.` : ''
    default:
      return ''
  }
}
