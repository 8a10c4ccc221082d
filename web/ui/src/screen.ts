import type { State } from '@smalltalk/client'

/** Every picture the app can show. */
export type Screen = 'splash' | 'home' | 'preview' | 'waiting' | 'call' | 'left' | 'closed' | 'people'

/** Where the person is while the client itself is idle. */
export type Route = 'home' | 'preview' | 'starting' | 'people'

/** The screen follows from the state alone; no address, no memory. */
export function screenOf(s: Pick<State, 'link' | 'closedBy' | 'user' | 'phase'>, route: Route): Screen {
  if (s.link === 'closed' && s.closedBy !== 'user') return 'closed'
  // Also on the way back in after a person's choice: who one is may change by it.
  if (!s.user || s.link === 'idle' || s.link === 'connecting') return 'splash'
  switch (s.phase) {
    case 'queued':
      return 'waiting'
    case 'call':
      return 'call'
    case 'left':
      return 'left'
    case 'idle':
      return route === 'starting' ? 'waiting' : route
  }
}

/** What the address bar says after the #; '' is home. */
export function anchorOf(screen: Screen): string {
  switch (screen) {
    case 'preview':
    case 'people':
    case 'waiting':
      return screen
    case 'call':
    case 'left':
      return 'talk'
    default:
      return ''
  }
}

/** "Gaming", "Gaming and News", "Gaming, News and Sports". */
export function listed(words: readonly string[], last = 'and'): string {
  if (words.length < 2) return words[0] ?? ''
  return `${words.slice(0, -1).join(', ')} ${last} ${words[words.length - 1]}`
}

/** A number of people: the server does not tell small ones apart. */
export function crowd(n: number): string {
  return n > 4 ? String(n) : '1–4'
}

/** The names of topics; an id the server no longer knows stands for itself. */
export function topicNames(ids: readonly string[], topics: State['topics']): string[] {
  return ids.map((id) => topics.find((t) => t.id === id)?.name ?? id)
}

/** Whether there is a picture of the partner to look at. */
export function pictured(s: Pick<State, 'call' | 'dataUse'>): boolean {
  return s.call?.peerVideo === true && s.dataUse !== 'audio'
}
