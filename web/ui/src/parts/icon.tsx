/** The drawings of the first screen. */
export const FIRST = {
  chat: 'M6 4h12a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-6l-5 4v-4H6a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z',
  people: 'M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM2 20a7 7 0 0 1 14 0M16 4.500a4 4 0 0 1 0 7M18.500 14a7 7 0 0 1 3.500 6',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  any: 'M12 3l2.2 6.3L20.5 12l-6.3 2.7L12 21l-2.2-6.3L3.5 12l6.3-2.7z',
  general: 'M5 4h9a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2H9l-4 3v-3a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zM19 9a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2v3l-4-3h-4',
  news: 'M4 5h13v13a2 2 0 0 0 4 0V9h-4M4 5v13a2 2 0 0 0 2 2h13M8 9h5M8 13h5M8 16h5',
  sports: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 8l4 3-1.5 4.5h-5L8 11zM12 3v5M20.5 10L16 11M17.5 19l-3-3.5M6.5 19l3-3.500M3.5 10L8 11',
  movies: 'M3 10h18v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2zM3 10l-.5-3.500L20 3l.7 3.500zM8 5.500l2.5 3M14 4.300l2.5 3',
  gaming: 'M7 7h10a5 5 0 0 1 5 5l-.6 4.200a2.6 2.6 0 0 1-4.7 1.100L15 15H9l-1.7 2.300a2.6 2.6 0 0 1-4.7-1.100L2 12a5 5 0 0 1 5-5zM8 9.500v4M6 11.500h4M16 10.500h.01M18 12.500h.01',
} as const

/** The name of a drawing of the first screen. */
export type FirstIcon = keyof typeof FIRST

/** A drawing in the colour of the text; says nothing to a screen reader. */
export function Drawing({ name, path }: { name: string; path: string }) {
  return (
    <svg class={`i i-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={path} />
    </svg>
  )
}

/** A drawing of the first screen. */
export function Icon({ name }: { name: FirstIcon }) {
  return <Drawing name={name} path={FIRST[name]} />
}

/** The drawing of a topic; one that nobody drew yet gets the speech bubble. */
export function topicIcon(id: string): FirstIcon {
  if (/movie|film|tv/.test(id)) return 'movies'
  if (/gam/.test(id)) return 'gaming'
  return id in FIRST && (id === 'general' || id === 'news' || id === 'sports') ? id : 'chat'
}

/** The sign of the place: two people, one speaking over the other. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 48 48" aria-hidden="true">
      <path class="a" d="M9 6h19a6 6 0 0 1 6 6v10a6 6 0 0 1-6 6H15l-8 7v-8a6 6 0 0 1-4-6V12a6 6 0 0 1 6-6z" />
      <path class="b" d="M38 18a6 6 0 0 1 7 6v9a6 6 0 0 1-4 6v7l-8-6H21a6 6 0 0 1-5-8h12a10 10 0 0 0 10-10z" />
    </svg>
  )
}
