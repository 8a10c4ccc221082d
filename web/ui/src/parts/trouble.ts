import type { State } from '@smalltalk/client'

/** A line over the call. `wait`: it may pass by itself. `late`: it may be over before anybody needs to hear of it. */
export interface CallNote {
  text: string
  look: 'wait' | 'late'
}

/** Whether the own media connection has failed, also while it is tried again. */
export function mediaFails(s: Pick<State, 'rtc' | 'rtcFailures'>): boolean {
  return s.rtc !== 'connected' && (s.rtc === 'failed' || s.rtcFailures > 0)
}

/**
 * What is wrong with the call. One's own connection comes first: without it the server takes either side for the one that is away,
 * and who is told to wait for the other does not look to his own.
 */
export function callNote(s: Pick<State, 'rtc' | 'rtcFailures' | 'call'>): CallNote | undefined {
  if (mediaFails(s)) return { text: 'Your video connection failed and is tried again. You can still write', look: 'late' }
  if (s.rtc === 'disconnected') return { text: 'Your video connection is interrupted', look: 'wait' }
  if (s.rtc === 'connecting') return { text: 'Your video is connecting', look: 'late' }
  if (s.call?.peerConnection !== 'reconnecting') return undefined
  return { text: `${s.call.peer.name} lost the connection. Waiting for them to come back`, look: 'wait' }
}
