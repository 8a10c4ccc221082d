import type { Side } from '@smalltalk/client'
import { listed } from '../screen'
import { inLangs } from '../search'

/** After this long alone the screen owns up that it is quiet here, in ms. */
const QUIET_MS = 20_000

/** "to talk about Gaming and News, in English": what still counts. */
export function aboutLine(names: readonly string[], langs: readonly string[], widened: readonly Side[]): string {
  const about = names.length && !widened.includes('topics') ? listed(names) : 'anything'
  return `to talk about ${about}${widened.includes('langs') ? '' : inLangs(langs)}`
}

/** How many wait; nothing while that is not known. */
export function manyLine(waiting: number, waited: number): string {
  if (waiting > 4) return `${waiting} people are waiting`
  if (waiting > 1) return 'A few people are waiting'
  if (waited > QUIET_MS) return 'It is quiet here right now. Stay, and you meet whoever comes next.'
  return waiting === 1 ? 'You are the first in line' : '\u00a0'
}

/** How long it usually takes, as the server has seen it; nothing where it has not. */
export function usualLine(etaMs: number | undefined, waited: number): string {
  if (etaMs === undefined) return ''
  const s = etaMs / 1000
  const minutes = Math.round(s / 60)
  const long = s < 7.5 ? 'a few seconds' : s < 57.5 ? `about ${Math.round(s / 5) * 5} s` : minutes < 2 ? 'about a minute' : minutes < 60 ? `about ${minutes} minutes` : 'more than an hour'
  return `Usually ${long}${waited > 2 * etaMs && waited > 10_000 ? '; longer this time' : ''}`
}

/** What no longer counts; empty while everything does. */
export function widenedLine(widened: readonly Side[]): string {
  if (widened.length > 1) return 'Any topic and any language will do now.'
  return widened[0] ? `Any ${widened[0] === 'topics' ? 'topic' : 'language'} will do now.` : ''
}

/** m:ss */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}
