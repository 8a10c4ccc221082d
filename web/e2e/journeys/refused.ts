import type { Journey } from '../lib/world.js'

/** Somebody without a camera. */
export const refused: Journey = {
  name: 'no camera',
  async run(w) {
    const a = await w.arrive('red', { refuse: true })
    const b = await w.arrive('green')
    await a.pick('gaming')
    await a.at('start').click()
    await w.checks.reach('a refused camera brings help', a.page.getByTestId('permission-help').waitFor())
    await a.page.getByRole('button', { name: 'Text only' }).click()
    await a.reaches((s) => s.phase === 'queued', 'waiting without a camera')
    await b.go('gaming')
    await w.checks.reach('who has no camera sees the partner', a.sees('green'))
    await w.checks.reach('the partner is told', b.page.getByText('Camera off').waitFor())
    w.checks.check('and shown no picture', !(await b.page.evaluate(() => globalThis.__probe.look())).visible)
    await a.page.bringToFront()
    await a.at('leave').click()
    await a.at('setup').click()
    await w.checks.reach('who went in without can choose again', a.page.getByTestId('permission-help').waitFor())
    await a.at('only-microphone').click()
    await w.checks.reach('and is asked for the microphone alone', a.page.getByTestId('permission-help').filter({ hasText: 'the microphone' }).waitFor())
  },
}
