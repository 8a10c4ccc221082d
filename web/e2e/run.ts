/**
 * Real browsers against the real server. `npm run e2e -w e2e` runs every journey, with names as arguments only those that contain one.
 * One line per check; the last line is `N passed, N failed`; the exit code says the same.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { access } from './journeys/access.js'
import { account } from './journeys/account.js'
import { again } from './journeys/again.js'
import { closed } from './journeys/closed.js'
import { data } from './journeys/data.js'
import { endings } from './journeys/endings.js'
import { friends } from './journeys/friends.js'
import { keyboard } from './journeys/keyboard.js'
import { mail } from './journeys/mail.js'
import { meet } from './journeys/meet.js'
import { outage } from './journeys/outage.js'
import { passkeys } from './journeys/passkeys.js'
import { peopleScreens } from './journeys/people-screens.js'
import { refused } from './journeys/refused.js'
import { search } from './journeys/search.js'
import { screens } from './journeys/screens.js'
import { tabs } from './journeys/tabs.js'
import { weight } from './journeys/weight.js'
import { launch } from './lib/browser.js'
import { Checks, firstLine, Stopped } from './lib/checks.js'
import { Server } from './lib/server.js'
import { World, type Journey } from './lib/world.js'

// The outage comes early: a server that was killed does not say which plane its media took.
const journeys: Journey[] = [weight, outage, meet, search, again, endings, tabs, refused, closed, friends, account, passkeys, mail, access, keyboard, data, screens, peopleScreens]
const out = new URL('./out', import.meta.url).pathname

async function walk(journey: Journey, server: Server, checks: Checks): Promise<void> {
  checks.begin(journey.name)
  const browser = await launch()
  const world = new World(browser, server, checks)
  try {
    await journey.run(world)
    await world.end()
  } catch (err) {
    if (!(err instanceof Stopped)) checks.check('the journey goes through', false, firstLine(err))
    for (const [i, v] of world.visitors.entries()) {
      if (!v.page.isClosed()) await v.page.screenshot({ path: `${out}/failed-${journey.name}-${i}-${v.look}.png` }).catch(() => undefined)
    }
  } finally {
    await browser.close()
  }
}

const wanted = process.argv.slice(2)
await mkdir(out, { recursive: true })
for (const name of await readdir(out)) if (name.endsWith('.png')) await rm(`${out}/${name}`) // of the last run
const checks = new Checks()
const server = await Server.start()
try {
  for (const j of journeys) if (wanted.length === 0 || wanted.some((x) => j.name.includes(x))) await walk(j, server, checks)
  checks.begin('server')
  checks.check('the log has no error', !/level=ERROR|panic/.test(server.log), server.log.split('\n').find((l) => /level=ERROR|panic/.test(l)) ?? '')
} finally {
  await server.stop()
}
if (wanted.length === 0 || wanted.includes('meet')) checks.check('all media took the plane that was asked for', ...server.plane)
console.log(`${checks.passed} passed, ${checks.failed} failed`)
process.exitCode = checks.failed > 0 || checks.passed === 0 ? 1 : 0
