export type * as api from './api.js'
export { createClient, type Client, type ClientOptions } from './client.js'
export type { IceServer, MediaStreamLike, MediaTrackLike, Platform } from './platform/types.js'
export type { ErrorCode, ErrorRetry } from './protocol.js'
export type {
  CallInfo,
  ChatLine,
  ClientError,
  ClosedBy,
  DataUse,
  EndReason,
  Link,
  Notice,
  PeerQuality,
  Phase,
  QueueInfo,
  Rtc,
  Search,
  Side,
  State,
  Topic,
  Undo,
} from './state.js'
export type { CallStats, FlowStats } from './stats.js'
export { foldTopic } from './topic.js'
