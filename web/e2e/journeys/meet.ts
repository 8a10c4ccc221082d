import { looks, until, type Visitor } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'
import type { Sample } from '../page/probe.js'
import { near } from '../page/scene.js'

/** Strangers on one topic see and hear each other; others do not; Next goes on over the same media connection; nobody sees a stale frame. */
export const meet: Journey = {
  name: 'meet',
  async run(w) {
    const [a, b] = await firstCall(w)
    await talk(w, a, b)
    await goOn(w, a, b)
  },
}

async function firstCall(w: World): Promise<[Visitor, Visitor]> {
  const [a, b, c] = await Promise.all([w.arrive('red'), w.arrive('green'), w.arrive('yellow')])
  await a.go('gaming')
  await c.go('news')
  await w.checks.reach('two people on different topics wait', Promise.all([a, c].map((v) => v.reaches((s) => s.phase === 'queued' && (s.queue?.waiting ?? 0) > 0, 'in the queue'))))
  await b.go('gaming')
  await w.checks.reach('a sees b', a.sees('green'))
  await w.checks.reach('b sees a', b.sees('red'))
  await w.checks.reach('a hears b', a.hears('green'))
  await w.checks.reach('b hears a', b.hears('red'))
  w.checks.check('the one on another topic still waits', (await c.state()).phase === 'queued')
  const [sa, sb] = [await a.state(), await b.state()]
  w.checks.check('each is shown the name of the other', sa.call?.peer.name === sb.user?.name && sb.call?.peer.name === sa.user?.name)
  w.checks.check('the shared topic is known', sa.call?.topics.join() === 'gaming')
  await c.leave()
  return [a, b]
}

async function talk(w: World, a: Visitor, b: Visitor): Promise<void> {
  for (const v of [a, b]) if (!(await v.at('chat-input').isVisible())) await v.at('chat').click()
  await a.at('chat-input').fill('hello from red')
  await a.at('chat-send').click()
  await w.checks.reach('b reads the line of a', b.at('chat-log').getByText('hello from red').waitFor())
  await b.at('chat-input').fill('hello from green')
  await w.checks.reach('a sees that b types', a.reaches((s) => s.peerTyping, 'typing'))
  await b.at('chat-input').press('Enter')
  await w.checks.reach('a reads the line of b', a.at('chat-log').getByText('hello from green').waitFor())
  await w.checks.reach('the lines are confirmed', a.reaches((s) => s.chat.length === 2 && s.chat.every((l) => l.state === 'sent'), 'lines sent'))
  for (const v of [a, b]) await v.page.getByRole('button', { name: 'Close chat' }).click()

  await b.at('mute').click()
  await w.checks.reach('a is told that b is muted', a.page.getByText('Muted').waitFor())
  await b.at('mute').click()
  await b.at('camera').click()
  await w.checks.reach('a is told that the camera of b is off', a.page.getByText('Camera off').waitFor())
  await w.checks.reach('the picture of b is hidden', until(() => a.page.evaluate(() => globalThis.__probe.look()), (s) => !s.visible, 'no picture'))
  await b.at('camera').click()
  await w.checks.reach('the picture of b is back', a.sees('green'))
}

async function goOn(w: World, a: Visitor, b: Visitor): Promise<void> {
  const before = { a: await a.identity(), b: await b.identity() }
  w.checks.check('one offer on one peer connection', before.a.offers === 1 && before.a.peers === 1, JSON.stringify(before.a))
  w.checks.check('one audio and one video stream come in', before.a.ssrcs.length === 2)

  const c = await w.arrive('blue')
  await c.go('gaming')
  await c.reaches((s) => s.phase === 'queued', 'c waits')
  await a.page.bringToFront()
  await Promise.all([a.record(), b.record()])
  await a.at('next').click()
  await w.checks.reach('after Next a sees the third', a.sees('blue'))
  await w.checks.reach('the third sees a', c.sees('red'))
  await w.checks.reach('a hears the third', a.hears('blue'))
  const changes = await a.changes()
  const pressed = changes.findLast((x) => x.phase === 'queued')
  w.checks.check('the third was found at once', (changes.at(-1)?.at ?? 0) - (pressed?.at ?? 0) < 1_000, `${(changes.at(-1)?.at ?? 0) - (pressed?.at ?? 0)} ms`)
  fresh(w, 'a', await a.recorded(), 'green')
  w.checks.check('the connection is the same, with no second offer', same(before.a, await a.identity()), JSON.stringify(await a.identity()))

  await w.checks.reach('b is told that the partner has gone on', b.reaches((s) => s.phase === 'left' || s.phase === 'queued', 'left alone'))
  const alone = (await b.recorded()).filter((s) => s.phase !== 'call')
  w.checks.check('the one left behind sees no stale frame', alone.length > 3 && alone.every((s) => !s.visible), `${alone.filter((s) => s.visible).length} of ${alone.length} frames with a picture`)

  // Next again: now b, who was left, meets the third, on his old connection.
  await b.page.bringToFront()
  if ((await b.state()).phase === 'left') await b.at('find-another').click()
  await b.reaches((s) => s.phase === 'queued', 'b waits')
  await Promise.all([b.record(), c.record()])
  await c.page.bringToFront()
  await c.at('next').click()
  await w.checks.reach('the one left behind sees the third', b.sees('blue'))
  await w.checks.reach('the third sees him', c.sees('green'))
  fresh(w, 'b', await b.recorded(), 'red')
  fresh(w, 'c', await c.recorded(), 'red')
  w.checks.check('his connection is the same too', same(before.b, await b.identity()))
}

function same(x: Awaited<ReturnType<Visitor['identity']>>, y: typeof x): boolean {
  return JSON.stringify(x) === JSON.stringify(y)
}

/** From the moment that the old call is over, its colour must not be on screen again. */
function fresh(w: World, who: string, samples: Sample[], old: 'red' | 'green'): void {
  const first = samples[0]?.call
  const later = samples.filter((s) => s.call !== first || s.phase !== 'call' || first === '')
  const stale = later.filter((s) => s.visible && near(s.colour, looks[old].colour))
  const hidden = later.filter((s) => !s.visible).length
  w.checks.check(`no frame of the old partner is seen by ${who} after the call`, stale.length === 0 && later.length > 3, `${later.length} frames looked at, ${hidden} without a picture, ${stale.length} stale`)
}
