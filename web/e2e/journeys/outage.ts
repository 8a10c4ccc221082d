import type { Journey, World } from '../lib/world.js'

/** The server is killed in mid-call and comes back; then while people wait. */
export const outage: Journey = {
  name: 'outage',
  async run(w) {
    await inCall(w)
    await waiting(w)
  },
}

async function inCall(w: World): Promise<void> {
  const [a, b] = await w.pair('gaming')
  const call = (await a.state()).call?.id
  await w.server.kill()
  const down = Date.now()
  await w.checks.reach('the page says that the server is gone', a.page.getByTestId('server-gone').waitFor())
  await w.checks.reach('to both', b.page.getByTestId('server-gone').waitFor())
  await w.server.run()
  const up = Date.now()
  await w.checks.reach('the page connects again', a.reaches((s) => s.link === 'online', 'online'))
  await b.reaches((s) => s.link === 'online', 'online')
  const state = await a.reaches((s) => s.phase !== 'idle', 'a phase')
  w.checks.check('the same call goes on', state.phase === 'call' && state.call?.id === call, `${state.phase} ${state.call?.id} was ${call}`)
  await w.checks.reach('a sees b again', a.sees('green'))
  await w.checks.reach('b sees a again', b.sees('red'))
  w.checks.check('within seconds', Date.now() - up < 8_000, `${Date.now() - up} ms after the start, ${up - down} ms down`)
  await w.checks.reach('the notice is gone', a.page.getByTestId('server-gone').waitFor({ state: 'detached' }))
  for (const v of [a, b]) await v.leave()
}

/** Whoever waited longest is still the first after the server was killed. */
async function waiting(w: World): Promise<void> {
  const [first, second] = [await w.arrive('red'), await w.arrive('yellow')]
  for (const v of [first, second]) await v.seek(() => v.at('way-ask').check())
  await first.go('gaming')
  const { queue } = await first.reaches((s) => s.phase === 'queued' && (s.queue?.waiting ?? 0) > 0, 'the first waits')
  await second.go('news')
  await second.reaches((s) => s.phase === 'queued' && (s.queue?.waiting ?? 0) > 0, 'the second waits')
  // A place in line is written down within moments, but not at once.
  await second.page.waitForTimeout(500)
  await w.server.kill()
  await w.checks.reach('who waits is told that the server is gone', first.reaches((s) => s.link === 'reconnecting', 'reconnecting'))
  await w.server.run()
  await w.checks.reach('who waits connects again', Promise.all([first, second].map((v) => v.reaches((s) => s.link === 'online' && (s.queue?.waiting ?? 0) > 0 && s.rtc === 'connected', 'online'))))
  const after = (await first.state()).queue
  w.checks.check('the place in line is the old one', after?.since === queue?.since, `${after?.since} was ${queue?.since}`)
  w.checks.check('nobody is told that it expired', (await first.state()).notice === undefined, (await first.state()).notice?.code)
  w.checks.check('what was looked for is the same', after?.topics.toString() === 'gaming', String(after?.topics))
  const any = await w.arrive('green')
  await any.go('any')
  await w.checks.reach('who takes anything meets the one who has waited longest', any.sees('red'))
  await w.checks.reach('who sees him too', first.sees('green'))
  w.checks.check('the other one still waits', (await second.state()).phase === 'queued')
}
