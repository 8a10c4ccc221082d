/** Asking the partner of the last call back: for a few seconds both can, and when both have they meet again. */
import { after, and, say, show, stay, stop, type Clock, type Model, type Step } from './model.js'
import type { ServerMessage } from './protocol.js'
import type { ClientError, Undo } from './state.js'

/** How long after the end a match that both have asked for may still be on its way. */
const lateMs = 1_500

type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

/** From now on the partner can be asked back, if the server says for how long. */
export function offer(m: Model, call: string, name: string, ms: number | undefined, clock: Clock): Step {
  if (ms === undefined || ms <= 0) return forget(m)
  return show(m, { undo: { call, name, until: clock.now + ms, asked: false, wanted: false } }, after('undo', ms))
}

/** Nobody can be asked back any more. */
export function forget(m: Model): Step {
  return m.view.undo ? show(m, { undo: undefined }, ...stop('undo')) : stay(m)
}

function change(m: Model, undo: Undo, part: Partial<Undo>): Step {
  return show(m, { undo: { ...undo, ...part } })
}

function send(m: Model, undo: Undo): Step {
  return stay(m, ...say(m, { type: 'call.undo', id: `undo:${undo.call}`, call: undo.call }))
}

/** The person asks for the partner back. Without a connection it is sent after the reconnect. */
export function ask(m: Model, clock: Clock): Step {
  const { undo } = m.view
  if (!undo || undo.asked || clock.now >= undo.until) return stay(m)
  return and(change(m, undo, { asked: true }), (x) => send(x, undo))
}

/** The person does not want the partner back after all; the server has to be told by the caller. */
export function withdraw(m: Model): Step {
  const { undo } = m.view
  return undo?.asked ? change(m, undo, { asked: false }) : stay(m)
}

/** The partner asks for this person. */
export function wanted(m: Model, w: Message<'call.undo'>, clock: Clock): Step {
  const { undo } = m.view
  if (undo?.call !== w.call) return stay(m)
  return and(change(m, undo, { wanted: true, until: clock.now + w.undo_ms }), (x) => stay(x, after('undo', w.undo_ms)))
}

/** Time is up; but both may have asked in the last moment. */
export function over(m: Model, clock: Clock): Step {
  const { undo } = m.view
  return undo?.asked && clock.now < undo.until + lateMs ? stay(m, after('undo', lateMs)) : forget(m)
}

/** After `welcome`: what the person asked for while the connection was away is sent now. */
export function restored(m: Model, clock: Clock): Step {
  const { undo } = m.view
  return undo?.asked && clock.now < undo.until ? send(m, undo) : stay(m)
}

/** The server refused: it is too late (no `error`), or only for now. */
export function refused(m: Model, call: string, error: ClientError | undefined): Step {
  const { undo } = m.view
  if (undo?.call !== call) return stay(m)
  return error ? show(m, { undo: { ...undo, asked: false }, error }) : forget(m)
}
