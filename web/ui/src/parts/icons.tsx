import { Drawing, FIRST } from './icon'

/** All drawings: those past the first screen come with what needs them. */
const PATHS = {
  ...FIRST,
  mic: 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5 11a7 7 0 0 0 14 0M12 18v3',
  micOff: 'M9 9V6a3 3 0 0 1 6-.5M15 11v0a3 3 0 0 1-4.6 2.5M5 11a7 7 0 0 0 11 5.7M18.6 13.3a7 7 0 0 0 .4-2.3M12 18v3M3 3l18 18',
  cam: 'M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM15 11l6-3.5v9L15 13',
  camOff: 'M9 7h4a2 2 0 0 1 2 2v2l6-3.5v9M15 15a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2h1M3 3l18 18',
  next: 'M5 5l8 7-8 7zM13 5l8 7-8 7z',
  leave: 'M14 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h8M10 12h11M17 8l4 4-4 4',
  stats: 'M4 20V13M10 20V8M16 20V11M21 20V4',
  keys: 'M4 6h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2zM6 10h.01M10 10h.01M14 10h.01M18 10h.01M7 14h10',
  send: 'M4 12l16-8-5 16-4-6zM11 14l9-10',
  back: 'M20 12H4M10 6l-6 6 6 6',
  sound: 'M4 9v6h4l5 4V5L8 9zM17 8.5a5 5 0 0 1 0 7M19.5 6a9 9 0 0 1 0 12',
  phone: 'M5 4h4l2 5-2.500 1.500a11 11 0 0 0 5 5L15 13l5 2v4a2 2 0 0 1-2 2A16 16 0 0 1 3 6a2 2 0 0 1 2-2z',
} as const

/** The name of a drawing. */
export type IconName = keyof typeof PATHS

/** A drawing in the colour of the text; says nothing to a screen reader. */
export function Icon({ name }: { name: IconName }) {
  return <Drawing name={name} path={PATHS[name]} />
}
