import type { State } from '@smalltalk/client'
import { useEffect, useState } from 'preact/hooks'
import type { Model, Ui } from '../model'
import type { Screen } from '../screen'
import { Splash } from '../screens/splash'

type Chunk = typeof import('../people')

/** Everything about accounts, friends and ringing, as one chunk of its own. It stays once it is there: a friend may ring at any time. */
export function People(props: { model: Model; state: State; screen: Screen; ui: Ui }) {
  const [chunk, set] = useState<Chunk>()
  const [failed, fail] = useState(false)
  const page = props.screen === 'people'
  const wanted = page || props.ui.dialog === 'person'
  useEffect(() => void import('../people').then(set, () => fail(true)), [])
  useEffect(() => {
    // A browser does not fetch a module again that it failed to get once.
    if (failed && wanted) location.reload()
  }, [failed, wanted])
  if (chunk) return <chunk.Layer {...props} />
  return page ? <Splash /> : null
}
