import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'

/** The two ends of a call. */
export type Side = 'a' | 'b'

export const sides: readonly Side[] = ['a', 'b']

/** The network that a client is behind. Everything that is left out is as in an open network. */
export interface Network {
  /** How many routers in a row give each destination a random port of its own (symmetric NAT); IPv6 is never translated. */
  nat?: 1 | 2
  /** What passes: `tcp` loses every UDP packet without a word, `tls` also each TCP connection whose first byte is not that of TLS. */
  passes?: 'tcp' | 'tls'
  /** The only address family that the client has. */
  only?: 4 | 6
  /** The client has no route out of its own network: there is a CONNECT proxy on the router, and nothing else. */
  proxy?: true
}

/** The server's addresses. Public-looking, since Chromium ignores private addresses on port 443. */
export const server = { v4: '203.0.113.10', v6: '2001:db8::10' }

/** The port of the CONNECT proxy on a client's router. */
export const proxyPort = 3128

/** The server's name. Firefox asks no TURN server over TLS that is named by its address alone. */
export const serverName = 'smalltalk.test'

/** What the certificate has to say. */
export const serverNames = `DNS:${serverName},IP:${server.v4},IP:${server.v6}`

const index = { a: 1, b: 2 } as const

/** The namespace of a side's client. */
export function clientSpace(side: Side): string {
  return `st-${side}`
}

/** The router nearest to a side's client; the proxy is on it. */
export function homeRouter(side: Side): string {
  return `st-${side}1`
}

/** The router behind that, which has the side's outside address. */
export function carrierRouter(side: Side): string {
  return `st-${side}2`
}

export const serverSpace = 'st-srv'
const internet = 'st-net'

const spaces = [serverSpace, internet, ...sides.flatMap((s) => [clientSpace(s), homeRouter(s), carrierRouter(s)])]

/** The address of a side's router as its client sees it. */
export function gateway(side: Side): string {
  return `192.168.${index[side]}.1`
}

/** The words before a program that is to run in a namespace. */
export function within(space: string): string[] {
  return ['ip', 'netns', 'exec', space]
}

/** Runs a program to its end and returns what it printed. What it says when it fails becomes the error. */
export function run(command: readonly string[], input = ''): string {
  const [program = '', ...args] = command
  try {
    return execFileSync(program, args, { input, encoding: 'utf8', stdio: 'pipe' })
  } catch (err) {
    const said = (err as { stderr?: string }).stderr?.trim() ?? ''
    throw new Error(`${command.join(' ')}: ${said || String(err)}`)
  }
}

/** One line per command of `ip`, inside a namespace. */
function ip(space: string, lines: readonly string[]): void {
  run(['ip', '-n', space, '-batch', '-'], lines.join('\n'))
}

/** Loads a ruleset into a router in place of the one that is there, and forgets the connections that it knew. */
function filter(space: string, rules: readonly string[]): void {
  run([...within(space), 'nft', '-f', '-'], `flush ruleset\n${rules.join('\n')}\n`)
  forget(space)
}

/** Makes a router forget its connections, with the ports that it gave them. */
function forget(space: string): void {
  run([...within(space), 'conntrack', '-F'])
}

/** Removes what is left of a laboratory, this one's or an earlier one's: the programs in its namespaces and the namespaces. */
export function tearDown(): void {
  const there = new Set(run(['ip', 'netns', 'list']).split('\n').map((line) => line.split(' ')[0]))
  for (const space of spaces.filter((s) => there.has(s))) {
    for (const pid of run(['ip', 'netns', 'pids', space]).split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    run(['ip', 'netns', 'del', space])
  }
  for (const space of spaces) rmSync(etc(space), { recursive: true, force: true })
}

/** `ip netns exec` puts the files of this folder in place of those of /etc. */
function etc(space: string): string {
  return `/etc/netns/${space}`
}

/** Lets programs in a namespace find the server by its name, and nothing else by any. */
function resolve(space: string): void {
  mkdirSync(etc(space), { recursive: true })
  writeFileSync(`${etc(space)}/hosts`, `127.0.0.1 localhost\n::1 localhost\n${server.v4} ${serverName}\n${server.v6} ${serverName}\n`)
  writeFileSync(`${etc(space)}/resolv.conf`, '')
}

/** Builds client - home router - carrier router - internet on both sides, and the server on the internet. */
export function setUp(): void {
  tearDown()
  for (const space of spaces) {
    run(['ip', 'netns', 'add', space])
    resolve(space)
    run([...within(space), 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_dad=0'])
    ip(space, ['link set dev lo up'])
  }
  cable(serverSpace, 'wan', internet, 'srv')
  ip(internet, address('srv', '203.0.113.1/24', '2001:db8::1/64'))
  ip(serverSpace, [...address('wan', `${server.v4}/24`, `${server.v6}/64`), ...defaults('203.0.113.1', '2001:db8::1')])
  for (const side of sides) wire(side)
  // Where the proxies are. A kernel that takes 128 KiB for one that does not read would hide for long that it does not.
  for (const side of sides) run([...within(homeRouter(side)), 'sysctl', '-qw', 'net.ipv4.tcp_rmem=4096 16384 16384'])
}

function wire(side: Side): void {
  const i = index[side]
  const [home, carrier] = [homeRouter(side), carrierRouter(side)]
  cable(clientSpace(side), 'wan', home, 'lan')
  cable(home, 'wan', carrier, 'lan')
  cable(carrier, 'wan', internet, side)
  ip(clientSpace(side), ['link set dev wan up'])
  ip(home, [
    ...address('lan', `${gateway(side)}/24`, `2001:db8:${i}::1/64`),
    ...address('wan', `100.64.${i}.2/24`, `2001:db8:${i}:1::2/64`),
    ...defaults(`100.64.${i}.1`, `2001:db8:${i}:1::1`),
  ])
  ip(carrier, [
    ...address('lan', `100.64.${i}.1/24`, `2001:db8:${i}:1::1/64`),
    ...address('wan', `${outside(side)}/28`, `2001:db8:${i}:2::2/64`),
    ...defaults(beyond(side), `2001:db8:${i}:2::1`),
    `route add 192.168.${i}.0/24 via 100.64.${i}.2`,
    `route add 2001:db8:${i}::/64 via 2001:db8:${i}:1::2`,
  ])
  ip(internet, [
    ...address(side, `${beyond(side)}/28`, `2001:db8:${i}:2::1/64`),
    ...[`192.168.${i}.0/24`, `100.64.${i}.0/24`].map((net) => `route add ${net} via ${outside(side)}`),
    `route add 2001:db8:${i}::/48 via 2001:db8:${i}:2::2`,
  ])
}

function cable(one: string, end: string, other: string, otherEnd: string): void {
  run(['ip', '-n', one, 'link', 'add', end, 'type', 'veth', 'peer', 'name', otherEnd, 'netns', other])
}

function address(device: string, v4: string, v6: string): string[] {
  return [`link set dev ${device} up`, `addr add ${v4} dev ${device}`, `addr add ${v6} dev ${device} nodad`]
}

function defaults(v4: string, v6: string): string[] {
  return [`route add default via ${v4}`, `route add default via ${v6}`]
}

/** The outside address of a side's carrier router: the first one, or that to which it changes. */
function outside(side: Side, second = false): string {
  return `198.51.100.${index[side] * 16 + (second ? 3 : 2)}`
}

/** The internet's address on the link to a side. */
function beyond(side: Side): string {
  return `198.51.100.${index[side] * 16 + 1}`
}

/** Gives the side another outside address. What its NAT knew is void: nothing that was open goes on. */
export function moveOutside(side: Side): void {
  const carrier = carrierRouter(side)
  ip(carrier, [`addr del ${outside(side)}/28 dev wan`, `addr add ${outside(side, true)}/28 dev wan`, `route replace default via ${beyond(side)}`])
  forget(carrier)
}

/** Puts a side's client behind a network of this kind, whatever it was behind before. */
export function arrange(side: Side, n: Network): void {
  const i = index[side]
  const [client, home, carrier] = [clientSpace(side), homeRouter(side), carrierRouter(side)]
  run(['ip', '-n', client, 'addr', 'flush', 'dev', 'wan', 'scope', 'global'])
  // Of IPv4 the routes go with the address; of IPv6 they stay.
  run(['ip', '-n', client, '-6', 'route', 'flush', 'exact', 'default'])
  const v4 = n.only !== 6
  const v6 = n.only !== 4 && !n.proxy
  ip(client, [
    ...(v4 ? [`addr add 192.168.${i}.2/24 dev wan`] : []),
    ...(v6 ? [`addr add 2001:db8:${i}::2/64 dev wan nodad`, `route add default via 2001:db8:${i}::1`] : []),
    ...(v4 && !n.proxy ? [`route add default via ${gateway(side)}`] : []),
  ])
  run(['ip', '-n', carrier, '-4', 'addr', 'flush', 'dev', 'wan'])
  ip(carrier, [`addr add ${outside(side)}/28 dev wan`, `route replace default via ${beyond(side)}`])
  filter(home, [...(n.nat === 2 ? symmetricNat : []), ...(n.passes ? only[n.passes] : [])])
  filter(carrier, n.nat ? symmetricNat : [])
}

/** What a network can lose. */
export type Loss = 'udp' | 'all'

/** Cuts something off at a side's carrier router, at any time and without a word, or lets everything through again. */
export function cut(side: Side, what: Loss | 'nothing'): void {
  const rules = what === 'nothing' ? ['table inet only', 'delete table inet only'] : what === 'udp' ? only.tcp : silence
  run([...within(carrierRouter(side)), 'nft', '-f', '-'], rules.join('\n'))
}

const silence = ['table inet only {', ' chain through { type filter hook forward priority filter; policy drop; }', '}']

const symmetricNat = [
  'table ip nat {',
  ' chain out { type nat hook postrouting priority srcnat; policy accept;',
  '  oifname "wan" masquerade random,fully-random',
  ' }',
  '}',
]

/** Rules of a home router, by what passes. The first packet with a payload decides on a TCP connection. */
const only: Readonly<Record<NonNullable<Network['passes']>, readonly string[]>> = {
  tcp: ['table inet only {', ' chain through { type filter hook forward priority filter; policy accept;', '  meta l4proto udp drop', ' }', '}'],
  tls: [
    'table inet only {',
    ' chain through { type filter hook forward priority filter; policy accept;',
    '  meta l4proto udp drop',
    '  meta l4proto tcp ct mark 1 accept',
    '  meta l4proto tcp ct direction original @ih,0,8 0x16 ct mark set 1 accept',
    '  meta l4proto tcp ct direction original @ih,0,8 != 0x16 drop',
    ' }',
    '}',
  ],
}
