/**
 * Everything but the topics, as one chunk of its own: the topics need not wait
 * for it, and who only looks in does not pay for it.
 */
import './styles/talk.css'

export { Back } from './parts/back'
export { Chat } from './parts/chat'
export { People } from './parts/people'
export { Dialogs } from './parts/dialogs'
export { SelfView } from './parts/selfview'
export { Call, Face } from './screens/call'
export { Closed } from './screens/closed'
export { Left } from './screens/left'
export { Preview } from './screens/preview'
export { Waiting } from './screens/waiting'
