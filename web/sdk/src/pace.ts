/** How much of the own picture is sent: all of it in a call, a trickle while waiting, nothing when nobody has come for long. */
import { after, and, say, show, stay, step, stop, type Effect, type Model, type Step } from './model.js'
import type { ClientMessage } from './protocol.js'
import { announce } from './rtc.js'
import type { DataUse, Pace } from './state.js'

/** How long the encoder stays warm without anybody who watches. */
const restMs = 60_000
/**
 * For how long a new connection sends all of the picture, whoever watches. Rate control tries what a path takes when the connection is new, and
 * never more than twice of what it may send: of a trickle it learns nothing, and a partner who comes soon is shown a small picture for long.
 */
const scoutMs = 2_000
/** What to ask the partner to send at most, in kbit/s, sound and picture together, to save data. */
const lowKbps = 300

/** What this person wants to receive. */
function want(m: Model): Effect[] {
  const use = m.view.dataUse
  const message: Extract<ClientMessage, { type: 'media.want' }> = { type: 'media.want', audio: true, video: use !== 'audio' }
  return say(m, use === 'low' ? { ...message, max_kbps: lowKbps } : message)
}

/** Tells a server that may know nothing of it, or remember what was true before, all about this side's media. */
export function introduce(m: Model): Effect[] {
  return [...announce(m), ...want(m)]
}

/** The person wants to use so much data. */
export function use(m: Model, dataUse: DataUse): Step {
  if (dataUse === m.view.dataUse) return stay(m)
  return and(show(m, { dataUse }), (x) => stay(x, ...want(x)))
}

/** Nobody has come for long. */
export function rest(m: Model): Step {
  return step(m, { resting: true })
}

function paceOf({ view, resting, scouting }: Model): Pace {
  if (view.dataUse === 'audio') return 'off'
  if (scouting || (view.phase === 'call' && view.call?.peerWatching === true)) return view.dataUse === 'low' ? 'low' : 'full'
  return resting ? 'off' : 'warm'
}

/** Whether a picture goes out. */
function sends(m: Model): boolean {
  return m.view.rtc === 'connected' && m.has.video
}

/**
 * Ends each step of the machine: sets the pace that it calls for, before anything else that has to be done. A new phase, or a camera,
 * means that somebody may soon be watching.
 */
export function paced(before: Model, { model, effects }: Step): Step {
  const stirred = model.view.phase !== before.view.phase || (model.has.video && !before.has.video)
  const awake = stirred && model.resting ? { ...model, resting: false } : model
  const pace = paceOf(awake)
  const scout = awake.scouting && sends(awake) && !(before.scouting && sends(before)) ? [after('scout', scoutMs)] : []
  if (pace === awake.pace && !stirred) return { model: awake, effects: [...effects, ...scout] }
  const change: Effect[] = pace === awake.pace ? [] : [{ type: 'pace', pace }]
  const clock = pace === 'warm' ? [after('rest', restMs)] : stop('rest')
  return { model: { ...awake, pace }, effects: [...change, ...effects, ...clock, ...scout] }
}
