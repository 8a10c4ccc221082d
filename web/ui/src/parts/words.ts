import type { ClientError, State } from '@smalltalk/client'
import type { Screen } from '../screen'
import { listed, topicNames } from '../screen'

/** "You both picked Gaming"; empty where nothing is shared by name. */
export function sharedLine(ids: readonly string[], topics: State['topics']): string {
  return ids.length ? `You both picked ${listed(topicNames(ids, topics))}` : ''
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
      // Not a session that ended, but a server that takes no guests, or not from here: only it knows.
      if (error?.retry === 'never') return { title: 'You cannot come in', text: error.message, retry: 'Try again' }
      return { title: 'You are signed out', text: 'Your session has ended. You can come back as a new guest.', retry: 'Come in as a guest' }
    case 'unsupported':
      return { title: 'This page is out of date', text: 'The server was updated and speaks a newer language than this page. Load it again.', retry: 'Load again' }
    default:
      return { title: 'Disconnected', text: 'The connection to the server is closed.', retry: 'Connect' }
  }
}

/** What a screen reader hears when the screen changes. */
export function announcement(screen: Screen, s: State): string {
  switch (screen) {
    case 'waiting':
      return 'Looking for someone.'
    case 'call':
      return s.call ? `You are talking to ${s.call.peer.name}. ${sharedLine(s.call.topics, s.topics)}` : ''
    case 'left':
      return s.left ? `${leftLine(s.left.reason)}.` : ''
    default:
      return ''
  }
}

/** m:ss */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}
