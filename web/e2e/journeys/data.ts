import { until, type Visitor } from '../lib/visitor.js'
import type { Journey, World } from '../lib/world.js'
import { capture } from './screens.js'

/** How much is sent and received: while waiting, in a call, and by those who save data. */
export const data: Journey = {
  name: 'data use',
  async run(w) {
    const [a, b] = await Promise.all([w.arrive('red', { crowd: true }), w.arrive('green', { crowd: true })])
    await a.go('sports')
    await a.reaches((s) => s.rtc === 'connected', 'connected')
    await settle(a)
    const waiting = await rate(a)
    w.checks.check('who waits sends at most 100 kb/s', waiting > 0 && waiting <= 100, `${waiting} kb/s`)
    await b.go('sports')
    await shown(w, 'the two see each other', a)
    await until(() => rate(a, 1_000), (kbps) => kbps > 500, 'a to send all of the picture')
    w.checks.check('in a call the whole picture is sent', true)
    await low(w, a, b)
    await sound(w, a, b)
    w.checks.check('nothing of it needed a second offer', (await a.identity()).offers === 1 && (await b.identity()).offers === 1)
    await formats(w, a)
  },
}

/** How long an encoder and a rate control take to follow, in ms. */
const settleMs = 4_000

function settle(v: Visitor): Promise<void> {
  return v.page.waitForTimeout(settleMs)
}

/** What is sent in all, in kbit/s, over a while. */
async function rate(v: Visitor, ms = 3_000): Promise<number> {
  const before = await v.traffic()
  await v.page.waitForTimeout(ms)
  const now = await v.traffic()
  return Math.round(((now.sent - before.sent) * 8) / (now.at - before.at))
}

/** The offer has every format that the browser itself would offer, those that repair above all. */
async function formats(w: World, v: Visitor): Promise<void> {
  const [ours, plain] = await v.page.evaluate(async () => {
    const { pc } = globalThis.__smalltalk
    const bare = new RTCPeerConnection()
    for (const kind of ['audio', 'video']) bare.addTransceiver(kind)
    const own = (await bare.createOffer()).sdp ?? ''
    bare.close()
    const list = (sdp: string): string[] => [...sdp.matchAll(/a=rtpmap:\d+ (\S+)/g)].map((m) => m[1] ?? '').sort()
    return [list(pc instanceof RTCPeerConnection ? (pc.localDescription?.sdp ?? '') : ''), list(own)]
  })
  w.checks.check('no format is left out of the offer', ours.join() === plain.join(), ours.join(' '))
  w.checks.check('those that repair are in it', ['video/rtx', 'video/red', 'video/ulpfec'].every((f) => ours.some((x) => x.startsWith(f.slice(6)))))
}

async function choose(v: Visitor, use: string): Promise<void> {
  await v.page.bringToFront()
  await v.at('details').click()
  await v.at(`use-${use}`).check()
  await v.page.keyboard.press('Escape')
}

async function shown(w: World, name: string, v: Visitor): Promise<void> {
  await w.checks.reach(name, until(() => v.page.evaluate(() => globalThis.__probe.look()), (s) => s.visible && s.live, 'a picture'))
}

async function low(w: World, a: Visitor, b: Visitor): Promise<void> {
  await choose(a, 'low')
  await Promise.all([settle(a), settle(b)])
  const [own, theirs] = await Promise.all([rate(a), rate(b)])
  w.checks.check('who saves data sends less than 350 kb/s', own > 60 && own < 350, `${own} kb/s`)
  w.checks.check('and is sent less', theirs > 60 && theirs < 350, `${theirs} kb/s`)
  await shown(w, 'the picture is still there', a)
}

async function sound(w: World, a: Visitor, b: Visitor): Promise<void> {
  await choose(a, 'audio')
  await w.checks.reach('without pictures a face stands in', a.page.locator('.face').waitFor())
  await a.page.waitForTimeout(1_000)
  const before = await a.traffic()
  await a.page.waitForTimeout(2_000)
  const now = await a.traffic()
  w.checks.check('no picture is received', now.pictures === before.pictures, `${now.pictures - before.pictures} bytes`)
  await w.checks.reach('but sound is', a.hears('green'))
  await w.checks.reach('the partner is told that nobody watches', b.page.getByText('Does not see you').waitFor())
  await w.checks.reach('and that there is no picture', b.page.getByText('Camera off').waitFor())
  const theirs = await rate(b)
  w.checks.check('and sends next to none', theirs <= 130, `${theirs} kb/s`)
  w.checks.check('it is remembered', (await a.page.evaluate(() => localStorage.getItem('st.data'))) === 'audio')

  await a.page.bringToFront()
  await a.at('details').click()
  const ms = await a.page.evaluate(async () => {
    const at = performance.now()
    document.querySelector<HTMLInputElement>('[data-testid=use-normal]')?.click()
    while (performance.now() - at < 5_000 && !globalThis.__probe.look().live) await new Promise((resolve) => requestAnimationFrame(resolve))
    return Math.round(performance.now() - at)
  })
  w.checks.check('switched on, the picture is back within a second', ms < 1_000, `${ms} ms`)
  await a.page.keyboard.press('Escape')
  await shown(w, 'and so is the own one', b)
  await choose(a, 'audio')
  await a.page.locator('.face').waitFor()
  await capture(w, a, 'call-sound-only')
  await b.page.getByText('Does not see you').waitFor()
  await capture(w, b, 'call-unwatched')
}
