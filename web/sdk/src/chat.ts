/** The chat of the current call: lines are shown at once, confirmed or marked as failed later. */
import { after, both, say, show, stay, step, stop, type Clock, type Effect, type Model, type Step } from './model.js'
import type { ChatEntry, ServerMessage } from './protocol.js'
import type { ChatLine, ClientError } from './state.js'

/** The longest line in characters (code points), as the protocol has it. */
const maxLine = 2_000
/** The chat keeps this many lines of one call. */
const maxLines = 500
/** "Is typing" is sent at most this often while it lasts. */
const typingEveryMs = 3_000
/** Without news the partner is taken to have stopped typing. */
const typingStaleMs = 6_000

type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

function add(lines: ChatLine[], line: ChatLine): ChatLine[] {
  return [...lines, line].slice(-maxLines)
}

function mark(lines: ChatLine[], id: string, state: ChatLine['state']): ChatLine[] {
  return lines.map((l) => (l.from === 'me' && l.id === id ? { ...l, state } : l))
}

/** Every line still on its way has failed. */
export function failAll(lines: ChatLine[]): ChatLine[] {
  return lines.map((l) => (l.state === 'sending' ? { ...l, state: 'failed' } : l))
}

/** The call goes with the line, so that it cannot reach the next partner by mistake. */
function send(m: Model, line: ChatLine): Effect[] {
  if (!m.view.call) return []
  return say(m, { type: 'chat', id: `chat:${line.id}`, call: m.view.call.id, cid: line.id, text: line.text })
}

/** Shows the person's line and sends it. Without a connection it stays "sending" and goes out after the reconnect. */
export function write(m: Model, cid: string, raw: string, clock: Clock): Step {
  const text = [...raw.trim()].slice(0, maxLine).join('')
  if (text === '' || !m.view.call) return stay(m)
  const line: ChatLine = { id: cid, from: 'me', text, at: clock.now, state: 'sending' }
  return both(m, { chat: add(m.view.chat, line) }, { typingAt: undefined }, ...send(m, line))
}

/** Sends a failed line again. Its id is the same, so that it cannot arrive twice. */
export function resend(m: Model, cid: string): Step {
  const line = m.view.chat.find((l) => l.from === 'me' && l.id === cid && l.state === 'failed')
  if (!line || !m.view.call) return stay(m)
  return show(m, { chat: mark(m.view.chat, cid, 'sending') }, ...send(m, line))
}

/** A line of the partner. One that comes again is not shown again. */
export function received(m: Model, c: Message<'chat'>): Step {
  if (!m.view.call || m.view.chat.some((l) => l.from === 'peer' && l.id === c.cid)) return stay(m)
  const line: ChatLine = { id: c.cid, from: 'peer', text: c.text, at: c.at, state: 'sent' }
  return show(m, { chat: add(m.view.chat, line), peerTyping: false }, ...stop('typing'))
}

/** The server has taken the message with the id `re`. */
export function confirmed(m: Model, re: string): Step {
  return re.startsWith('chat:') ? show(m, { chat: mark(m.view.chat, re.slice(5), 'sent') }) : stay(m)
}

/** The server did not take a line; `error` is what the person should hear of it. */
export function refused(m: Model, cid: string, error: ClientError | undefined): Step {
  return show(m, { chat: mark(m.view.chat, cid, 'failed'), error: error ?? m.view.error })
}

/** After `welcome`: lines on their way go out again in the same call; otherwise nobody will read them. */
export function restored(m: Model, known: readonly ChatEntry[]): Step {
  if (!m.view.call) return m.view.chat.some((l) => l.state === 'sending') ? show(m, { chat: failAll(m.view.chat) }) : stay(m)
  const chat = known.reduce(merge, m.view.chat)
  const open = chat.filter((l) => l.state === 'sending')
  return chat === m.view.chat && open.length === 0 ? stay(m) : show(m, { chat }, ...open.flatMap((l) => send(m, l)))
}

/** Takes over a line that the server knows, unless it is shown already. */
function merge(lines: ChatLine[], entry: ChatEntry): ChatLine[] {
  const from = entry.from === 'me' ? 'me' : 'peer'
  const mine = lines.find((l) => l.from === from && l.id === entry.cid)
  if (mine) return mine.state === 'sent' ? lines : mark(lines, entry.cid, 'sent')
  return add(lines, { id: entry.cid, from, text: entry.text, at: entry.at, state: 'sent' })
}

/** The person types, or has stopped. */
export function typing(m: Model, on: boolean, clock: Clock): Step {
  if (!m.view.call || m.view.link !== 'online') return stay(m)
  const due = on ? m.typingAt === undefined || clock.now - m.typingAt >= typingEveryMs : m.typingAt !== undefined
  if (!due) return stay(m)
  return step(m, { typingAt: on ? clock.now : undefined }, ...say(m, { type: 'chat.typing', on }))
}

/** The partner types, or has stopped; without news he is taken to have stopped after a while. */
export function peerTyping(m: Model, on: boolean): Step {
  if (!m.view.call) return stay(m)
  return show(m, { peerTyping: on }, ...(on ? [after('typing', typingStaleMs)] : stop('typing')))
}
