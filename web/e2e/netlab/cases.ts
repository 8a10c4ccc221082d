import type { Engine } from './clients.js'
import type { Network } from './net.js'
import type { Path } from './page.js'

/** Two networks in which two people must see each other. */
export interface Case {
  readonly name: string
  readonly a: Network
  readonly b: Network
  /** The browser of the first; the second has Chromium. */
  readonly engine?: Engine
  /** The page throws the server's relays away. */
  readonly noTurn?: true
  /** Measured in turn with a server that has media on a second port number. */
  readonly compare?: true
  /** The ways that such networks leave: first side, second side. Another means that the laboratory is not what it says. */
  readonly paths: readonly [readonly Path['kind'][], readonly Path['kind'][]]
}

const open: Network = {}
// IPv6 would go past the routers' NAT.
const symmetric: Network = { nat: 1, only: 4 }
const double: Network = { nat: 2, only: 4 }
const noUdp: Network = { passes: 'tcp' }
const tlsOnly: Network = { passes: 'tls' }
const proxy: Network = { proxy: true }

/** Both sides alike. */
function alike(name: string, network: Network, paths: readonly Path['kind'][], more: Partial<Case> = {}): Case {
  return { name, a: network, b: network, paths: [paths, paths], ...more }
}

export const cases: readonly Case[] = [
  alike('direct', open, ['udp'], { compare: true }),
  alike('symmetric-nat', symmetric, ['udp']),
  alike('double-nat', double, ['udp']),
  alike('udp-dropped', noUdp, ['tcp', 'relay']),
  alike('udp-dropped-no-turn', noUdp, ['tcp'], { noTurn: true }),
  alike('tls-only', tlsOnly, ['relay']),
  alike('ipv6-only', { only: 6 }, ['udp']),
  { name: 'ipv6-ipv4', a: { only: 6 }, b: { only: 4 }, paths: [['udp'], ['udp']] },
  alike('proxy', proxy, ['tcp', 'relay']),
  { name: 'direct-tls-only', a: open, b: tlsOnly, paths: [['udp'], ['relay']] },
  alike('firefox-direct', open, ['udp'], { engine: 'firefox' }),
  alike('firefox-udp-dropped', noUdp, ['tcp', 'relay'], { engine: 'firefox' }),
  alike('firefox-tls-only', tlsOnly, ['relay'], { engine: 'firefox' }),
]
