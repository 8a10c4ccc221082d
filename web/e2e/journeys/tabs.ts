import type { Journey } from '../lib/world.js'

/** One person in two tabs. */
export const tabs: Journey = {
  name: 'tabs',
  async run(w) {
    const first = await w.arrive('red')
    await first.page.bringToFront()
    const second = await w.secondTab(first)
    await w.checks.reach('the older tab says that it was replaced', first.page.getByTestId('replaced').waitFor())
    w.checks.check('both are the same guest', (await first.state()).user?.id === (await second.state()).user?.id)

    await first.page.bringToFront()
    await first.at('use-here').click()
    await w.checks.reach('the older tab takes over', first.at('start').waitFor())
    await w.checks.reach('and the newer one is replaced', second.page.getByTestId('replaced').waitFor())

    await second.page.bringToFront()
    await second.at('fresh-guest').click()
    await w.checks.reach('the newer tab goes on as another guest', second.at('start').waitFor())
    w.checks.check('two guests now', (await first.state()).user?.id !== (await second.state()).user?.id)
    w.checks.check('the older tab is left alone', (await first.state()).link === 'online')

    await first.go('movies-tv')
    await second.go('movies-tv')
    await w.checks.reach('the two can even talk to each other', first.sees('red'))
  },
}
