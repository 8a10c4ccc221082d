import { Account, ApiError } from '@smalltalk/client/account'
import { browserPasskeys } from '@smalltalk/client/passkeys'
import { People } from '@smalltalk/client/people'
import { Cell } from '../cell'
import type { Mode } from '../media/local'
import type { Model } from '../model'
import { Bell } from './bell'

/** The pages about people. `door`: signing up and logging in. */
export type Page = 'friends' | 'account' | 'door'

/** The ways through the door. */
export type Way = 'sign-up' | 'log-in' | 'recover' | 'reset'

interface Shown {
  readonly page: Page
  readonly way: Way
  /** New recovery codes, as long as they are on the screen; kept nowhere else. */
  readonly codes: readonly string[] | undefined
}

/** Ties the screens about people to the account, the friends and the call. */
export class Social {
  readonly model: Model
  readonly account: Account
  readonly people: People
  readonly cell = new Cell<Shown>({ page: 'friends', way: 'sign-up', codes: undefined })
  readonly bell = new Bell()
  readonly passkeys: boolean
  #ringing = false

  constructor(model: Model) {
    const { client } = model
    this.model = model
    const authenticator = browserPasskeys()
    this.passkeys = authenticator !== undefined
    this.account = new Account({
      url: location.origin,
      fetch: (url, init) => fetch(url, init),
      token: () => client.token,
      native: false,
      signedIn: (token) => client.signIn(token),
      ...(authenticator ? { authenticator } : {}),
    })
    this.people = new People({
      client,
      account: this.account,
      now: () => Date.now(),
      setTimer(ms, fn) {
        const id = setTimeout(fn, ms)
        return () => clearTimeout(id)
      },
    })
    this.people.subscribe(() => this.#follow())
    client.subscribe(() => this.#follow())
    this.#follow()
  }

  show(page: Page, way: Way = this.cell.get().way): void {
    this.cell.patch({ page, way })
  }

  /** Shows new recovery codes, wherever one is: also to whom signing up has only just let in. */
  reveal(codes: readonly string[]): void {
    this.cell.patch({ codes })
    this.model.ui.patch({ route: 'people' })
  }

  /** Rings a friend; the devices are made ready meanwhile, so that the picture is there with the call. */
  ring(friend: { id: string; name: string }): void {
    this.people.ring(friend)
    if (this.people.state.ring) this.#prepare(this.model.ui.get().mode ?? 'video')
  }

  /** Answers who rings. */
  answer(mode?: Mode): void {
    this.#prepare(mode ?? this.model.ui.get().mode ?? 'video')
    this.people.accept()
  }

  #prepare(mode: Mode): void {
    this.model.prepare(mode)
  }

  /** Rings while somebody is called, and gives the devices back that were made ready for nothing. */
  #follow(): void {
    const { ring, friends } = this.people.state
    const friended = this.model.client.state.user?.guest === false || (friends?.length ?? 0) > 0
    if (friends && friended !== this.model.friended) this.model.friended = friended
    this.bell.sound(ring && !ring.answered ? ring.way : undefined)
    if (this.#ringing && !ring && this.model.client.state.phase === 'idle' && this.model.ui.get().route !== 'preview') this.model.local.close()
    this.#ringing = ring !== undefined
  }
}

const all = new WeakMap<Model, Social>()

/** The one of a model: it outlives the screens, since a friend may ring at any time. */
export function socialOf(model: Model): Social {
  const had = all.get(model)
  if (had) return had
  const made = new Social(model)
  all.set(model, made)
  return made
}

/** What to call this device in the list of devices, such as "Firefox on Linux". */
export function deviceName(agent = navigator.userAgent): string {
  // Most name others too, whom they want to be taken for.
  const first = (...of: RegExp[]) => of.map((r) => r.exec(agent)?.[0]).find(Boolean)
  const browser = first(/Edg|OPR/, /Firefox|Chrome|Safari/)?.replace('Edg', 'Edge').replace('OPR', 'Opera') ?? 'Browser'
  const system = first(/Android|iPhone|iPad/, /Windows|Mac OS|CrOS|Linux/)?.replace('Mac OS', 'macOS')
  return system ? `${browser} on ${system}` : browser
}

/** What went wrong, for a person; and whether the person has only changed their mind. */
export function trouble(err: unknown): { code: string; text: string } | undefined {
  if (err instanceof DOMException) return err.name === 'NotAllowedError' || err.name === 'AbortError' ? undefined : { code: 'passkey_rejected', text: 'The passkey could not be used.' }
  if (!(err instanceof ApiError)) throw err
  const { code, message, retryAfterMs } = err
  const wait = retryAfterMs ? ` Try again in ${Math.ceil(retryAfterMs / 1000)} s.` : ''
  switch (code) {
    case 'offline':
      return { code, text: 'The server cannot be reached. Try again.' }
    case 'wrong_login':
      return { code, text: 'That is not right. Look at the name and try again.' }
    case 'username_taken':
      return { code, text: 'That name is taken, or looks like one that is. Choose another.' }
    case 'confirm_required':
      return { code, text: 'Enter your present password to confirm.' }
    case 'rate_limited':
      return { code, text: `That was too often.${wait || ' Wait a moment.'}` }
    case 'busy':
      return { code, text: `Many people are logging in right now.${wait}` }
    case 'wrong_code':
      return { code, text: 'That is not the code, or it is too old. Take the one of the newest mail.' }
    case 'email_taken':
      return { code, text: 'Another account has this address.' }
    case 'invite_required':
      return { code, text: 'You need an invitation that is still good.' }
    default:
      return { code, text: message + wait }
  }
}
