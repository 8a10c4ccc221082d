/**
 * A small HTTP proxy for CONNECT alone, the only way out of some networks: `tsx proxy.ts HOST PORT`. It prints `ready`, then for each tunnel
 * the first byte that went in. With the line `stall` on its standard input it stops reading what the server sends into tunnels that carry
 * ICE-TCP, those that are open and those to come, while the client's own bytes still pass; `flow` undoes it.
 */
import { connect, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

const [host, port] = process.argv.slice(2)
const tunnels = new Set<Tunnel>()
let stalled = false

interface Tunnel {
  readonly upstream: Socket
  /** RFC 4571 frames begin with a length, whose upper byte is small; TLS begins with 0x16. */
  ice: boolean
}

function obey(t: Tunnel): void {
  if (t.ice && stalled) t.upstream.pause()
  else t.upstream.resume()
}

function target(head: string): { host: string; port: number } | undefined {
  const [, h, p] = /^CONNECT \[?([\w.:-]+?)\]?:(\d+) HTTP\/1\.[01]\r\n/.exec(head) ?? []
  return h && p ? { host: h, port: Number(p) } : undefined
}

function tunnel(client: Socket, head: string): void {
  const to = target(head)
  if (!to) {
    client.end('HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n')
    return
  }
  const upstream = connect({ ...to, noDelay: true })
  const t: Tunnel = { upstream, ice: false }
  upstream.on('error', () => client.destroy())
  upstream.on('close', () => {
    tunnels.delete(t)
    client.destroy()
  })
  client.on('close', () => upstream.destroy())
  upstream.once('connect', () => {
    tunnels.add(t)
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    client.once('data', (first: Buffer) => {
      t.ice = (first[0] ?? 0xff) < 4
      console.log(`tunnel 0x${first.subarray(0, 1).toString('hex')}`)
      upstream.write(first)
      client.pipe(upstream)
      obey(t)
    })
    upstream.on('data', (d: Buffer) => {
      if (client.write(d)) return
      upstream.pause()
      client.once('drain', () => obey(t))
    })
  })
}

const server = createServer({ noDelay: true }, (client) => {
  let head = ''
  const read = (d: Buffer): void => {
    head += d.toString('latin1')
    if (head.length > 8192) client.destroy()
    if (!head.includes('\r\n\r\n')) return
    client.off('data', read)
    tunnel(client, head)
  }
  client.on('error', () => client.destroy())
  client.on('data', read)
})
server.listen(Number(port), host, () => console.log('ready'))

createInterface({ input: process.stdin }).on('line', (line) => {
  stalled = line === 'stall'
  tunnels.forEach(obey)
})
