/** Where a friend is. */
export const PRESENCE = { online: 'Here', in_call: 'In a call', offline: 'Not here' } as const

/** How long ago, roughly. Both are milliseconds since the epoch. */
export function ago(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`
  const days = Math.floor(minutes / (24 * 60))
  return days === 1 ? 'yesterday' : `${days} days ago`
}

/** A name within a sentence: which way it is written changes nothing around it. */
export function apart(name: string): string {
  return `\u2068${name}\u2069`
}

/** How long to wait, for a person. */
export function wait(ms: number): string {
  return ms <= 100_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`
}

/** An error code of the server in words that say what to do; its own where none fit. */
export function wordsFor(code: string, message: string, retryAfterMs?: number): string {
  const later = retryAfterMs ? ` Try again in ${wait(retryAfterMs)}.` : ''
  switch (code) {
    case 'offline':
      return 'The server cannot be reached. Try again.'
    case 'wrong_login':
      return 'That is not right. Look at the name and try again.'
    case 'username_taken':
      return 'That name is taken, or looks like one that is. Choose another.'
    case 'confirm_required':
      return 'That is not your present password.'
    case 'rate_limited':
      return `That was too often.${later || ' Wait a moment.'}`
    case 'busy':
      return `Many people are logging in right now.${later}`
    case 'wrong_code':
      return 'That is not the code, or it is too old. Take the one of the newest mail.'
    case 'email_taken':
      return 'Another account has this address.'
    case 'invite_required':
      return 'You need an invitation that is still good.'
    case 'not_found':
      return 'They are not to be found here any more.'
    case 'limit_reached':
      return 'You have as many of these as there may be.'
    case 'internal':
      return `Something went wrong on the server.${later || ' Try again.'}`
    default:
      return message + later
  }
}

/** A day, in the browser's own way. */
export function day(at: number): string {
  return new Date(at).toLocaleDateString(undefined, { dateStyle: 'medium' })
}
