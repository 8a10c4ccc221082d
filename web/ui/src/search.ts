import type { Search } from '@smalltalk/client'
import { listed } from './screen'

/** How a search goes on when nobody fits: not at all, only when asked, or after so many seconds. */
export type Widening = 'strict' | 'ask' | '15' | '60'

/** What the person may say, the one that holds at first before the others. */
export const WIDENINGS: readonly Widening[] = ['15', '60', 'ask', 'strict']

/** The protocol's limits on topics and languages in one search. */
export const MAX_TOPICS = 8
export const MAX_LANGS = 3

/** The base languages of a browser, in its order. */
export function spoken(tags: readonly string[]): string[] {
  return [...new Set(tags.map((t) => t.split('-')[0]!.toLowerCase()))].slice(0, MAX_LANGS)
}

/** A language in words; a tag that means nothing to the browser stands for itself. */
export function langName(tag: string): string {
  try {
    return new Intl.DisplayNames('en', { type: 'language' }).of(tag) ?? tag
  } catch {
    return tag
  }
}

/** ", in English or German"; empty where any language will do. */
export function inLangs(langs: readonly string[]): string {
  return langs.length ? `, in ${listed(langs.map(langName), 'or')}` : ''
}

/** What the client is to look for. */
export function searchOf(topics: readonly string[], langs: readonly string[], widening: Widening): Search {
  return {
    topics: topics.length ? [...topics] : 'any',
    langs: [...langs],
    ...(widening === 'strict' ? { strict: true } : widening === 'ask' ? {} : { widenAfterMs: Number(widening) * 1000 }),
  }
}
