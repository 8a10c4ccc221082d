import { existsSync } from 'node:fs'
import type { Plane } from '../lib/server.js'
import type { Tab } from '../netlab/tab.js'
import { coturn } from './coturn.js'
import type { BareOptions } from './page/bare.js'
import type { QualityPage } from './page/page.js'

declare const quality: QualityPage

/** The pages of A and B. */
export type Pair = readonly [Tab, Tab]

/** A way to have a call. */
export interface System {
  readonly name: string
  /** More flags of our server, which serves the pages of every system. */
  readonly flags: readonly string[]
  /** The media plane of our server that every connection of a call has to take, where the media goes through our server. */
  readonly plane?: Plane
  /** The program that passes the media on, where that is neither our server nor nobody. */
  readonly relay?: typeof coturn
  /** Has the two begin their call. */
  begin(pair: Pair): Promise<void>
}

/** The product: its own SDK and its own server. */
function ours(plane: Plane): System {
  const flags = ['--media-plane', plane]
  return { name: `ours-${plane}`, flags, plane, begin: async (pair) => void (await Promise.all(pair.map((tab) => tab.ask(() => quality.join())))) }
}

/** Browser to browser; descriptions are carried by hand. */
function bare(name: string, options: BareOptions): System {
  const begin = async ([a, b]: Pair): Promise<void> => {
    const offer = await a.ask((o) => quality.offer(o), options)
    const answer = await b.ask((o) => quality.answer(o), { ...options, sdp: offer })
    await a.ask((sdp) => quality.accept(sdp), answer)
  }
  return { name, flags: [], begin }
}

const others: readonly System[] = [
  bare('direct', { fec: true }),
  bare('direct-nofec', { fec: false }),
  { ...bare('coturn', { fec: true, relay: coturn.access }), relay: coturn },
]

/** The product, once for each media plane. */
const products = (['fast', 'pion'] as const).map(ours)

/** The systems of these names, or all; those that cannot be had here are left out with a line. */
export function choose(names: readonly string[]): System[] {
  const known = [...products, ...others]
  const unknown = names.find((n) => !known.some((s) => s.name === n))
  if (unknown) throw new Error(`there is no system ${unknown}; there are ${known.map((s) => s.name).join(', ')}`)
  const wanted = known.filter((s) => names.length === 0 || names.includes(s.name))
  return wanted.filter((s) => {
    const there = !s.relay || existsSync(s.relay.program)
    if (!there) console.log(`${s.name} is left out: there is no ${s.relay?.program} (apt-get install coturn)`)
    return there
  })
}
