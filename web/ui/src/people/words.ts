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

/** A day, in the browser's own way. */
export function day(at: number): string {
  return new Date(at).toLocaleDateString(undefined, { dateStyle: 'medium' })
}
