import { Account, ApiError } from '@smalltalk/client/account'
import { browserPasskeys } from '@smalltalk/client/passkeys'
import { People } from '@smalltalk/client/people'
import { Cell } from '../cell'
import type { Mode } from '../media/local'
import { keep, type Model } from '../model'
import { Bell } from './bell'
import { wordsFor } from './words'

/** The pages about people. `door`: signing up and logging in. */
export type Page = 'friends' | 'account' | 'door'

/** The ways through the door. */
export type Way = 'sign-up' | 'log-in' | 'recover' | 'reset'

interface Shown {
  readonly page: Page
  readonly way: Way
  /** New recovery codes, as long as they are on the screen; kept nowhere else. None while they are being made. */
  readonly codes: readonly string[] | undefined
  /** What was done, when what did it is gone from the screen meanwhile. */
  readonly said: string
  /** When the latest missed call was that has been looked at. */
  readonly seen: number
}

const SEEN = 'st.missed'

/** How long a request may take, in ms. */
const PATIENCE_MS = 20_000

/** Ties the screens about people to the account, the friends and the call. */
export class Social {
  readonly model: Model
  readonly account: Account
  readonly people: People
  readonly #ever = keep(() => localStorage)
  readonly cell = new Cell<Shown>({ page: 'friends', way: 'sign-up', codes: undefined, said: '', seen: Number(this.#ever.get(SEEN)) || 0 })
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
      fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) }),
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
    this.cell.patch({ page, way, said: '' })
  }

  /** Says what was done: beside it, or where one is now if it is gone. */
  tell(said: string, beside: ((said: string) => void) | undefined): void {
    if (beside) beside(said)
    else this.cell.patch({ said })
  }

  /** To the account, from wherever one has got in. */
  arrive(part: Partial<Shown> = {}): void {
    this.show('account')
    this.cell.patch(part)
    this.model.ui.patch({ route: 'people' })
  }

  /** Shows new recovery codes; without any, who has just made an account is in all the same. */
  async welcome(password: string | undefined): Promise<void> {
    this.arrive({ codes: [] })
    try {
      this.cell.patch({ codes: await this.account.newCodes(password) })
    } catch (err) {
      trouble(err)
      this.cell.patch({ codes: undefined, said: 'The account is made, but its recovery codes could not be. Make some below.' })
    }
  }

  /** Confirms by passkey what a password would confirm. */
  async confirm(): Promise<void> {
    await this.account.logInByPasskey(deviceName())
    this.cell.patch({ said: 'Confirmed. Now you can do it, for five minutes.' })
  }

  /** The missed calls have been looked at. */
  see(missed: readonly { at: number }[]): void {
    if (missed.length === 0) return
    const seen = Math.max(...missed.map((m) => m.at))
    this.#ever.set(SEEN, String(seen))
    this.cell.patch({ seen })
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
    const { screen } = this.model
    if (this.#ringing && !ring && (screen === 'home' || screen === 'people')) this.model.local.close()
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

/** What went wrong, for a person, and how long to wait in ms; nothing if the person has only changed their mind. */
export function trouble(err: unknown): { code: string; text: string; waitMs?: number | undefined } | undefined {
  if (err instanceof DOMException) {
    if (err.name === 'NotAllowedError' || err.name === 'AbortError') return undefined
    return { code: 'passkey_rejected', text: err.name === 'InvalidStateError' ? 'This device has a passkey for it already.' : 'The passkey could not be used.' }
  }
  if (!(err instanceof ApiError)) throw err
  const { code, message, retryAfterMs } = err
  return { code, text: wordsFor(code, message, retryAfterMs), waitMs: retryAfterMs }
}
