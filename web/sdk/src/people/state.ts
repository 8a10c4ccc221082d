import type { FriendInfo, PartnerInfo, PersonInfo } from '../api.js'
import type { ClientError } from '../state.js'

/** Whether a friend can be rung. Who hides it, and who has blocked one, is `offline`. */
export type Presence = FriendInfo['presence']

/** Why a ring came to nothing. */
export type RingEnd = 'busy' | 'timeout' | 'declined' | 'cancelled' | 'answered_elsewhere' | 'offline'

/** A ring that goes on. `answered`: both want the call, and it is about to begin. */
export interface Ring {
  /** The server's name of it; absent until the server has taken it up. */
  readonly id?: string | undefined
  readonly way: 'in' | 'out'
  readonly friend: { readonly id: string; readonly name: string }
  /** When it gives up, in milliseconds since the epoch by the server's clock; absent while that is not known. */
  readonly expires?: number | undefined
  readonly answered: boolean
}

/** How the last ring ended, for a person to read. */
export interface Rung {
  readonly way: Ring['way']
  readonly friend: Ring['friend']
  readonly reason: RingEnd | 'failed'
}

/** How the running call's partner stands to this person. */
export interface Tie {
  readonly call: string
  /** The person has asked for friendship. */
  readonly asked: boolean
  /** The partner has asked. */
  readonly wanted: boolean
  readonly friend: boolean
}

/** Something new that is worth a word, until it is dismissed. */
export interface News {
  readonly kind: 'request' | 'friend' | 'missed'
  readonly name: string
}

/** The people that a person knows, as a user interface shows them. Immutable. Lists that are `undefined` have not been loaded. */
export interface PeopleState {
  readonly friends?: readonly FriendInfo[] | undefined
  readonly requests?: readonly PersonInfo[] | undefined
  readonly missed?: readonly PersonInfo[] | undefined
  /** The last partners, of 24 hours. */
  readonly partners?: readonly PartnerInfo[] | undefined
  readonly blocks?: readonly PersonInfo[] | undefined
  /** The calls whose partner has been asked. */
  readonly asked: readonly string[]
  readonly ring?: Ring | undefined
  readonly rung?: Rung | undefined
  readonly tie?: Tie | undefined
  readonly news?: News | undefined
  readonly error?: ClientError | undefined
}

/** The lists that are fetched. */
export type ListName = 'friends' | 'requests' | 'missed' | 'partners' | 'blocks'
