/**
 * The types of the HTTP side under `/api/v1`. Made of the server's OpenAPI file by `npm run types`; not to be changed by hand.
 * Times are milliseconds since 1970.
 */

export interface AccessReply {
  access: 'open' | 'guests-off' | 'invite' | 'domain'
  email: boolean
  email_domains?: string[]
  guests: boolean
  invite: boolean
  passkeys: boolean
}

export interface AccountInfo {
  created: number
  email?: string
  email_required: boolean
  hide_presence: boolean
  passkeys: number
  password: boolean
  recovery_codes: number
  username: string
}

export interface Appearance {
  at: string
  call: string
  name: string
}

export interface AskedReply {
  state: 'asked' | 'friends'
}

export interface Block {
  at: string
  name?: string
  user: string
}

export interface BlocksReply {
  blocks: PersonInfo[]
}

export interface CeremonyReply {
  ceremony: string
  public_key: Record<string, unknown>
}

export interface ChangeBody {
  current?: string
  hide_presence?: boolean
  name?: string
  password?: string
  username?: string
}

export interface ConfirmBody {
  password?: string
}

export interface Device {
  created: string
  expires: string
  id: string
  label?: string
  seen: string
}

export interface DeviceInfo {
  created: number
  current: boolean
  device: string
  expires: number
  id: string
  seen: number
}

export interface DevicesReply {
  sessions: DeviceInfo[]
}

export interface EmailBody {
  code: string
  email: string
  password?: string
}

export interface EmailCodeBody {
  email: string
  for: 'sign_up' | 'account' | 'reset'
}

export interface EmailCodeReply {
  valid_ms: number
}

export type EmptyBody = Record<string, never>

export interface Export {
  account?: ExportedAccount
  blocks?: Block[]
  calls?: ExportedRoom[]
  calls_missed_by_friends?: MissedCall[]
  devices?: Device[]
  friend_requests_received?: FriendRequest[]
  friend_requests_sent?: FriendRequest[]
  friends?: Friend[]
  invitations?: Invite[]
  missed_calls?: MissedCall[]
  partner_of?: Appearance[]
  partners?: Partner[]
  passkeys?: ExportedPasskey[]
  places_in_line?: Ticket[]
  user: User
}

export interface ExportedAccount {
  created: string
  email?: string
  email_verified?: boolean
  hide_presence: boolean
  password: boolean
  password_changed?: string
  recovery_codes: number
  username: string
}

export interface ExportedPasskey {
  created: string
  id: string
  name: string
  used?: string
}

export interface ExportedRoom {
  created: string
  id: string
  langs?: string[]
  session: string
  topics?: string[]
}

export interface Failure {
  code: string
  message: string
  retry: string
  retry_after_ms?: number
}

export interface Friend {
  guest?: boolean
  name: string
  since: string
  user: string
}

export interface FriendInfo {
  guest: boolean
  id: string
  name: string
  presence: 'online' | 'in_call' | 'offline'
  since: number
}

export interface FriendRequest {
  at: string
  name: string
  user: string
}

export interface FriendsReply {
  friends: FriendInfo[]
}

export interface GuestHello {
  fresh?: boolean
  name?: string
}

export interface Invite {
  by?: string
  created: string
  expires: string
  id: string
  note?: string
  uses: number
}

export interface LogInBody {
  device?: string
  password: string
  username: string
}

export interface MeReply {
  account?: AccountInfo
  guest: boolean
  id: string
  name: string
  roles: string[]
  token?: string
}

export interface MissedCall {
  at: string
  name: string
  user: string
}

export interface MissedReply {
  missed: PersonInfo[]
}

export interface Partner {
  at: string
  call: string
  name: string
  user: string
}

export interface PartnerInfo {
  at: number
  call: string
  friend: boolean
  name: string
}

export interface PartnersReply {
  partners: PartnerInfo[]
}

export interface PasskeyBody {
  ceremony: string
  credential: Record<string, unknown>
  device?: string
  label?: string
}

export interface PasskeyInfo {
  created: number
  id: string
  label: string
  used?: number
}

export interface PasskeyLogInBody {
  ceremony: string
  credential: Record<string, unknown>
  device?: string
}

export interface PasskeyOptionsBody {
  email?: string
  email_code?: string
  invite?: string
  name?: string
  password?: string
  username?: string
}

export interface PasskeyReply {
  passkey: PasskeyInfo
  token?: string
  user: UserInfo
}

export interface PasskeysReply {
  passkeys: PasskeyInfo[]
}

export interface PersonBody {
  call?: string
  user?: string
}

export interface PersonInfo {
  at: number
  id: string
  name: string
}

export interface ReadyReply {
  code?: string
  message?: string
  status: 'ready' | 'degraded'
}

export interface RecoverBody {
  code: string
  device?: string
  password: string
  username: string
}

export interface RecoveryReply {
  codes: string[]
}

export interface RequestsReply {
  requests: PersonInfo[]
}

export interface ResetBody {
  code: string
  device?: string
  email: string
  password: string
}

export interface SignUpBody {
  device?: string
  email?: string
  email_code?: string
  invite?: string
  name?: string
  password: string
  username: string
}

export interface SignedInReply {
  token?: string
  user: UserInfo
}

export interface StatusReply {
  status: string
}

export interface Ticket {
  joined: string
  langs?: string[]
  session: string
  since: string
  strict?: boolean
  topics?: string[]
  user: string
  widen_after?: number
  widen_from?: string
  widened?: number
}

export interface TopicInfo {
  id: string
  name: string
  online: number
  waiting: number
}

export interface TopicsReply {
  topics: TopicInfo[]
}

export interface User {
  created: string
  guest?: boolean
  id: string
  name: string
  roles?: string[]
}

export interface UserInfo {
  guest: boolean
  id: string
  name: string
  roles: string[]
}

/** Each request with its body and its reply. `{id}` stands for an id in the path. */
export interface Api {
  /** How one gets in. */
  'GET /access': { body: undefined; reply: AccessReply }
  /** Whom one has blocked. One who is gone has no name. */
  'GET /blocks': { body: undefined; reply: BlocksReply }
  /** Blocks a last partner, a friend or who has asked to be one. */
  'POST /blocks': { body: PersonBody; reply: undefined }
  /** Takes a block back. */
  'DELETE /blocks/{id}': { body: undefined; reply: undefined }
  /** Mails a code that shows that an address is one's own: to sign up with it, to give it to the account that is signed in, or to set a new password for the one that has it. The answer does not tell if there is one. */
  'POST /email/codes': { body: EmailCodeBody; reply: EmailCodeReply }
  /** The friends, the latest first, and whether they are there. */
  'GET /friends': { body: undefined; reply: FriendsReply }
  /** Who has asked for friendship. */
  'GET /friends/requests': { body: undefined; reply: RequestsReply }
  /** Asks a last partner for friendship, or says yes to who has asked. */
  'POST /friends/requests': { body: PersonBody; reply: AskedReply }
  /** Declines a request, or takes it back. */
  'DELETE /friends/requests/{id}': { body: undefined; reply: undefined }
  /** Ends a friendship. */
  'DELETE /friends/{id}': { body: undefined; reply: undefined }
  /** Starts a guest; 200 if the cookie is somebody's already. */
  'POST /guests': { body: GuestHello | undefined; reply: SignedInReply }
  /** Says that the process lives. */
  'GET /healthz': { body: undefined; reply: StatusReply }
  /** Forgets them. */
  'DELETE /missed': { body: undefined; reply: undefined }
  /** The calls of friends that one has missed. */
  'GET /missed': { body: undefined; reply: MissedReply }
  /** This description. */
  'GET /openapi.json': { body: undefined; reply: Record<string, unknown> }
  /** Whom one has met in the last 24 hours. */
  'GET /partners': { body: undefined; reply: PartnersReply }
  /** The passkeys of the account. */
  'GET /passkeys': { body: undefined; reply: PasskeysReply }
  /** Ends the making of a passkey. */
  'POST /passkeys': { body: PasskeyBody; reply: PasskeyReply }
  /** Begins the making of a passkey: with a user name for a new account, else for the account that is signed in, which takes the password or a passkey used less than five minutes ago. */
  'POST /passkeys/options': { body: PasskeyOptionsBody; reply: CeremonyReply }
  /** Forgets a passkey. */
  'DELETE /passkeys/{id}': { body: undefined; reply: undefined }
  /** Says whether clients are taken, and whether all is well; with strict=1 it is 503 if not. */
  'GET /readyz': { body: undefined; reply: ReadyReply }
  /** Logs out here; without a token nothing happens. */
  'DELETE /sessions': { body: undefined; reply: undefined }
  /** Where one is signed in. */
  'GET /sessions': { body: undefined; reply: DevicesReply }
  /** Logs in. */
  'POST /sessions': { body: LogInBody; reply: SignedInReply }
  /** Sets a new password with a code that was mailed for that, ends all sessions and logs in. */
  'POST /sessions/email': { body: ResetBody; reply: SignedInReply }
  /** Ends a log-in by passkey. */
  'POST /sessions/passkey': { body: PasskeyLogInBody; reply: SignedInReply }
  /** Begins a log-in by passkey. */
  'POST /sessions/passkey/options': { body: EmptyBody | undefined; reply: CeremonyReply }
  /** Sets a new password with a recovery code, ends all sessions and logs in. */
  'POST /sessions/recovery': { body: RecoverBody; reply: SignedInReply }
  /** Signs out somewhere. */
  'DELETE /sessions/{id}': { body: undefined; reply: undefined }
  /** The topics and how many people are on each. */
  'GET /topics': { body: undefined; reply: TopicsReply }
  /** Makes an account, of the guest who is signed in if there is one. */
  'POST /users': { body: SignUpBody; reply: SignedInReply }
  /** Deletes the person. An account takes the password, or a passkey used less than five minutes ago. */
  'DELETE /users/me': { body: ConfirmBody | undefined; reply: undefined }
  /** Who one is. */
  'GET /users/me': { body: undefined; reply: MeReply }
  /** Changes what is given. A guest may change the name alone; a new password takes the current one or a passkey used less than five minutes ago, and ends all other sessions. */
  'PATCH /users/me': { body: ChangeBody; reply: MeReply }
  /** Takes the address off the account; takes the password or a passkey used less than five minutes ago. */
  'DELETE /users/me/email': { body: ConfirmBody | undefined; reply: MeReply }
  /** Gives the account the address to which the code was mailed; takes the password or a passkey used less than five minutes ago. */
  'PUT /users/me/email': { body: EmailBody; reply: MeReply }
  /** All that is kept of the person. */
  'GET /users/me/export': { body: undefined; reply: Export }
  /** Makes recovery codes in the place of all older ones; they are not shown again. */
  'POST /users/me/recovery': { body: ConfirmBody | undefined; reply: RecoveryReply }
  /** The WebSocket, see PROTOCOL.md. */
  'GET /ws': { body: undefined; reply: undefined }
}

/** Codes of `Failure`; a newer server may have others. */
export type ApiErrorCode =
  | 'account_required'
  | 'bad_email'
  | 'bad_message'
  | 'bad_password'
  | 'bad_username'
  | 'busy'
  | 'confirm_required'
  | 'draining'
  | 'email_domain'
  | 'email_off'
  | 'email_required'
  | 'email_taken'
  | 'has_account'
  | 'internal'
  | 'invite_required'
  | 'last_way_in'
  | 'limit_reached'
  | 'not_found'
  | 'passkey_rejected'
  | 'rate_limited'
  | 'storage_failing'
  | 'too_large'
  | 'unauthorized'
  | 'username_taken'
  | 'wrong_code'
  | 'wrong_login'
  | (string & {})
