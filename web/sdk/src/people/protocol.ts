/** The messages about friends and ringing, as `signaling/PROTOCOL.md` describes them, and the reading of what the server sends. */
import type { ErrorRetry } from '../protocol.js'
import type { Presence, RingEnd } from './state.js'

interface Person {
  id: string
  name?: string
}

/** A ring as the server tells of it: to whom is rung with `from`, to who rings with `to`. */
export interface RingInfo {
  ring: string
  from?: Person
  to?: Person
  expires: number
}

/** What the server sends about people, as far as this client understands it. */
export type PeopleServerMessage =
  | { type: 'welcome'; user: Person; state: { phase?: string; ring?: RingInfo; call?: { call: string; peer?: { friend?: boolean } } } }
  | { type: 'friend.request'; user: Person; call?: string }
  | { type: 'friend.added'; user: Person; call?: string; presence: Presence }
  | { type: 'friend.removed'; user: Person }
  | { type: 'friend.presence'; user: Person; presence: Presence }
  | ({ type: 'ring'; re?: string } & RingInfo)
  | { type: 'ring.end'; re?: string; ring: string; reason: RingEnd }
  | { type: 'ok'; re: string }
  | { type: 'error'; re: string; code: string; message: string; retry: ErrorRetry; retry_after_ms?: number }

type Shape = Readonly<Record<string, 'string' | 'number' | 'object'>>

const shapes: { readonly [T in PeopleServerMessage['type']]: Shape } = {
  welcome: { user: 'object', state: 'object' },
  'friend.request': { user: 'object' },
  'friend.added': { user: 'object', presence: 'string' },
  'friend.removed': { user: 'object' },
  'friend.presence': { user: 'object', presence: 'string' },
  ring: { ring: 'string', expires: 'number' },
  'ring.end': { ring: 'string', reason: 'string' },
  ok: { re: 'string' },
  error: { re: 'string', code: 'string', message: 'string', retry: 'string' },
}

function isRecord(v: unknown): v is Record<string, unknown> {
  return typeof v === 'object' && v !== null && !Array.isArray(v)
}

function isPerson(v: unknown): boolean {
  return isRecord(v) && typeof v['id'] === 'string' && (v['name'] === undefined || typeof v['name'] === 'string')
}

/** Reads one message; `undefined` for what is none of these, or lacks a field that it must have. */
export function decodePeople(text: string): PeopleServerMessage | undefined {
  let v: unknown
  try {
    v = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(v) || typeof v['type'] !== 'string' || !Object.hasOwn(shapes, v['type'])) return undefined
  const shape: Shape = shapes[v['type'] as PeopleServerMessage['type']]
  for (const [key, want] of Object.entries(shape)) if (want === 'object' ? !isRecord(v[key]) : typeof v[key] !== want) return undefined
  for (const key of ['user', 'from', 'to']) if (v[key] !== undefined && !isPerson(v[key])) return undefined
  return v as unknown as PeopleServerMessage
}
