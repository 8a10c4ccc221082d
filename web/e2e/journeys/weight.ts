import type { Journey } from '../lib/world.js'
import { Visitor } from '../lib/visitor.js'

/** The most that the first load may transfer, in bytes of compressed bodies. */
const limit = 30 * 1024

/** What a browser with an empty cache really fetches. */
export const weight: Journey = {
  name: 'weight',
  async run(w) {
    const context = await w.browser.newContext()
    const page = await context.newPage()
    const cdp = await context.newCDPSession(page)
    const urls = new Map<string, string>()
    const heads = new Map<string, number>()
    const sizes = new Map<string, number>()
    const encodings = new Map<string, string>()
    cdp.on('Network.responseReceived', (e) => {
      urls.set(e.requestId, new URL(e.response.url).pathname)
      heads.set(e.requestId, e.response.encodedDataLength)
      encodings.set(e.requestId, e.response.headers['Content-Encoding'] ?? 'none')
    })
    cdp.on('Network.loadingFinished', (e) => sizes.set(e.requestId, e.encodedDataLength))
    await cdp.send('Network.enable')
    const response = await page.goto(w.server.url)
    const policy = response?.headers()['content-security-policy'] ?? ''
    w.checks.check('the policy allows nothing inline and nobody else', /default-src 'none'/.test(policy) && !/unsafe|\*|https?:|data:/.test(policy), policy)
    await page.getByTestId('start').waitFor()
    await page.waitForLoadState('networkidle')
    const parts = [...sizes].map(([id, bytes]) => ({ path: urls.get(id) ?? '?', bytes: bytes - (heads.get(id) ?? 0), head: heads.get(id) ?? 0, encoding: encodings.get(id) ?? 'none' }))
    const assets = parts.filter((p) => !p.path.startsWith('/api/'))
    const total = assets.reduce((sum, p) => sum + p.bytes, 0)
    const head = assets.reduce((sum, p) => sum + p.head, 0)
    w.checks.check('the first load is at most 30 KiB on the wire', total > 0 && total <= limit, `${total} bytes in ${assets.length} files, and ${head} of headers: ${assets.map((p) => `${p.path} ${p.bytes}`).join(', ')}`)
    const plain = assets.filter((p) => /\.(js|css)$|\/$/.test(p.path) && p.encoding === 'none')
    w.checks.check('page, scripts and styles come compressed', plain.length === 0, plain.map((p) => p.path).join(' '))
    await context.close()
    // A page with the policy and the probe, so that the end of this journey looks at violations too.
    w.visitors.push(await Visitor.arrive(w.browser, w.server.url, 'red'))
  },
}
