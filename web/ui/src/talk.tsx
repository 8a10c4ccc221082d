/**
 * Everything past the topics, as one chunk of its own: it is fetched as soon as
 * the topics are on the screen, so that they need not wait for it.
 */
import './styles/talk.css'

export { Chat } from './parts/chat'
export { Dialogs } from './parts/dialogs'
export { SelfView } from './parts/selfview'
export { Call, Face } from './screens/call'
export { Left } from './screens/left'
export { Preview } from './screens/preview'
export { Waiting } from './screens/waiting'
