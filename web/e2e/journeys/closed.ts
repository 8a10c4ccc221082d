import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Journey, World } from '../lib/world.js'
import type { Visitor } from '../lib/visitor.js'
import { capture } from './screens.js'

/** As long as a browser may take to find out that nothing gets through; Chromium needs half a minute at most. */
const failsWithin = 45_000

/** Somebody whose network lets the page through, but no media. */
export const closed: Journey = {
  name: 'media closed',
  async run(w) {
    // It takes what comes and never answers, like a packet filter.
    const hole = createSocket('udp4').bind(0, '127.0.0.1')
    await once(hole, 'listening')
    try {
      await alone(w, `127.0.0.1 ${hole.address().port}`)
    } finally {
      hole.close()
    }
  },
}

async function alone(w: World, nowhere: string): Promise<void> {
  const a = await w.arrive('red', { nowhere })
  const b = await w.arrive('green')
  await a.go('gaming')
  await b.go('gaming')
  await w.checks.reach('who has no media is told', a.page.getByTestId('media-failed').waitFor({ timeout: failsWithin }))
  w.checks.check('and was matched with nobody', !(await met(a)) && !(await met(b)) && (await b.state()).phase === 'queued')
  await capture(w, a, 'media-failed')
  await a.page.evaluate(() => (globalThis.__probe.closed = false))
  await a.page.bringToFront()
  await a.at('retry-media').click()
  await w.checks.reach('a try on an open way brings them together', a.sees('green'))
  await w.checks.reach('the other sees him too', b.sees('red'))
}

async function met(v: Visitor): Promise<boolean> {
  return (await v.changes()).some((c) => c.phase === 'call')
}
