import type { Journey } from '../lib/world.js'

/** The server is killed in mid-call and comes back. */
export const outage: Journey = {
  name: 'outage',
  async run(w) {
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
  },
}
