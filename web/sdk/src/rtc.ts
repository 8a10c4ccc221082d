/** The media connection: one offer per peer connection, an ICE restart when the path is lost, a new one when nothing else helps. */
import type { PeerState } from './platform/types.js'
import { after, and, save, say, show, stay, step, stop, type Action, type Effect, type Model, type Step } from './model.js'
import type { ServerMessage } from './protocol.js'
import type { ClientError, Rtc } from './state.js'

/** How long a lost path may come back by itself before an ICE restart; most changes of network heal within this. */
const patienceMs = 2_000
/** How long an ICE restart may take before a new peer connection is made. */
const restartMs = 6_000
/** How long the server may take to answer an offer. */
const answerMs = 8_000
/** The longest pause between new peer connections. */
const maxPauseMs = 10_000

const clear = (): Effect[] => stop('ice', 'answer', 'rtc')

/** Makes a new peer connection in place of the present one. Without a session it waits for the next `welcome`, which does the same. */
export function open(m: Model): Step {
  if (m.view.link !== 'online') return stay(m)
  const gen = m.gen + 1
  const model: Model = { ...m, gen, negotiation: 'offering', scouting: true }
  return show(model, { rtc: 'connecting' }, ...clear(), save(model), { type: 'pc.open', gen, iceServers: m.iceServers })
}

/**
 * After `welcome`: keeps the peer connection if both sides still have it. Unless it is up it is restarted, also when a restart was under
 * way: its offer or the answer may have gone down with the old connection, and its timers ran out while nothing could be sent.
 */
export function welcomed(m: Model, serverKeeps: boolean): Step {
  if (!serverKeeps || m.negotiation !== 'done' || m.view.rtc === 'failed') return and(show(m, { rtcFailures: 0 }), open)
  return m.view.rtc === 'connected' ? stay(m) : restart(m)
}

/** An offer is ready to be sent. */
export function offered(m: Model, o: Extract<Action, { type: 'offer' }>): Step {
  if (o.gen !== m.gen || m.view.link !== 'online') return stay(m)
  const message = { type: 'rtc.offer', id: `offer:${o.gen}`, sdp: o.sdp, gen: o.gen } as const
  return stay(
    m,
    { type: 'send', message: o.restart ? { ...message, restart: true } : message },
    after('answer', answerMs),
  )
}

/** The server has answered an offer; an answer to an older one is ignored. */
export function answered(m: Model, a: Extract<ServerMessage, { type: 'rtc.answer' }>): Step {
  if (a.gen !== m.gen) return stay(m)
  return step(m, { negotiation: 'done' }, ...stop('answer'), { type: 'pc.answer', gen: a.gen, sdp: a.sdp })
}

function seen(state: PeerState): Rtc {
  if (state === 'new') return 'connecting'
  return state === 'closed' ? 'none' : state
}

/** The platform reports a change of the peer connection. */
export function changed(m: Model, state: PeerState): Step {
  if (state === 'failed') return failed(m)
  if (state === 'connected') return show(m, { rtc: state, rtcFailures: 0 }, ...clear())
  return show(m, { rtc: seen(state) }, ...(state === 'disconnected' ? [after('ice', patienceMs)] : []))
}

/** The path did not come back by itself. */
export function stillDisconnected(m: Model): Step {
  if (m.view.rtc === 'connected' || m.view.link !== 'online') return stay(m)
  return m.view.rtc === 'disconnected' && m.negotiation === 'done' ? restart(m) : failed(m)
}

/** The device has a network again: no need to be patient with a lost path. */
export function network(m: Model): Step {
  return m.view.rtc === 'disconnected' && m.negotiation === 'done' ? restart(m) : stay(m)
}

function restart(m: Model): Step {
  const gen = m.gen + 1
  const model: Model = { ...m, gen }
  return show(
    model,
    { rtc: 'connecting' },
    save(model),
    { type: 'pc.restart', gen },
    after('ice', restartMs),
  )
}

/** The peer connection is lost: a new one at once, then after ever longer pauses. */
export function failed(m: Model): Step {
  const { link, rtcFailures } = m.view
  const down = show(m, { rtc: 'failed', rtcFailures: rtcFailures + 1 }, ...clear())
  if (link !== 'online') return down
  if (rtcFailures === 0) return and(down, open)
  const ms = Math.min(maxPauseMs, 500 * 2 ** (rtcFailures - 1))
  return and(down, (x) => stay(x, after('rtc', ms)))
}

/** The person asks for another try: at once, and not by waiting for the one under way, which may be on a network that is left. */
export function retry(m: Model): Step {
  return m.view.rtc === 'connected' ? stay(m) : open(m)
}

/** The server refused an offer. */
export function refused(m: Model, gen: number, e: ClientError): Step {
  if (gen !== m.gen) return stay(m)
  if (e.retry === 'same') return failed(m)
  const again = e.retry === 'later' ? [after('rtc', e.retryAfterMs ?? maxPauseMs)] : []
  return show(m, { rtc: 'failed', error: e }, ...clear(), ...again)
}

/**
 * Says whether the person can be seen and heard. The server keeps it and tells each partner with the match, so it is said once in a
 * session and on each change, not when a call begins: a partner would first be told what was true before.
 */
export function announce(m: Model): Effect[] {
  return say(m, { type: 'peer.state', audio: m.view.audio, video: m.view.video })
}
