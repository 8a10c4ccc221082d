/** Why a camera or microphone could not be had. */
export type Kind = 'refused' | 'system' | 'missing' | 'busy' | 'insecure' | 'failed'

/** What went wrong, and with which of them. */
export interface Problem {
  readonly kind: Kind
  readonly device: 'camera' | 'microphone' | 'both'
}

/** Sorts the errors of getUserMedia, whose names and texts differ by browser. */
export function classify(err: unknown): Kind {
  const { name = '', message = '' } = (err ?? {}) as { name?: string; message?: string }
  switch (name) {
    case 'NotAllowedError':
    case 'PermissionDeniedError':
      // Chromium says so when the operating system, not the person, said no.
      return /system/i.test(message) ? 'system' : 'refused'
    case 'SecurityError':
      return 'refused'
    case 'NotFoundError':
    case 'DevicesNotFoundError':
    case 'OverconstrainedError':
      return 'missing'
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return 'busy'
    default:
      return 'failed'
  }
}

/** Help for people: what is wrong and what they can do about it. */
export function help({ kind, device }: Problem): { title: string; steps: string[] } {
  const what = device === 'both' ? 'camera and microphone' : device
  const it = device === 'both' ? 'them' : 'it'
  switch (kind) {
    case 'refused':
      return {
        title: `Your browser keeps the ${what} from this site`,
        steps: [
          'Press the camera or lock sign beside the address of this page.',
          `Allow the ${what}, then try again.`,
        ],
      }
    case 'system':
      return {
        title: `Your device keeps the ${what} from the browser`,
        steps: [
          'Open the privacy settings of your computer or phone.',
          `Allow the browser to use the ${what}, then try again.`,
        ],
      }
    case 'missing':
      return {
        title: `No ${what} found`,
        steps: [`Plug ${it} in or switch ${it} on, then try again. Or go on without.`],
      }
    case 'busy':
      return {
        title: `Another program is using the ${what}`,
        steps: ['Close other video calls and camera programs, then try again.'],
      }
    case 'insecure':
      return {
        title: 'This page was not loaded over a secure connection',
        steps: [
          'Browsers give a camera only to pages whose address begins with https:// (or to localhost).',
          'Open the page that way, or go on with text only.',
        ],
      }
    case 'failed':
      return {
        title: `The ${what} did not start`,
        steps: ['Unplug and plug in again, or restart the browser, then try again.'],
      }
  }
}
