import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { until } from './visitor.js'

/** A mail server on this machine that takes everything, in the clear, and keeps it (RFC 5321 as far as one sender goes). */
export class Mailbox {
  readonly #server: Server
  readonly #letters: { to: string; text: string }[] = []

  private constructor() {
    this.#server = createServer((socket) => this.#converse(socket))
  }

  static async open(): Promise<Mailbox> {
    const box = new Mailbox()
    await new Promise<void>((resolve) => box.#server.listen(0, '127.0.0.1', resolve))
    return box
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The code in the `n`th letter to an address that has one, the first being 1. */
  code(to: string, n = 1): Promise<string> {
    const codes = () => this.#letters.filter((l) => l.to === to).flatMap((l) => /^ {4}([0-9A-Z]{4}-[0-9A-Z]{4})\r?$/m.exec(l.text)?.[1] ?? [])
    return until(async () => codes()[n - 1] ?? '', (code) => code !== '', `code ${n} in the mail of ${to}`)
  }

  close(): void {
    this.#server.close()
  }

  #converse(socket: Socket): void {
    let to = ''
    let text: string | undefined
    let rest = ''
    const say = (line: string) => socket.write(`${line}\r\n`)
    const hear = (line: string) => {
      if (text !== undefined) {
        if (line !== '.') text += `${line}\r\n`
        else {
          this.#letters.push({ to, text })
          text = undefined
          say('250 taken')
        }
        return
      }
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'RCPT') to = /<(.*?)>/.exec(line)?.[1] ?? ''
      if (verb === 'DATA') text = ''
      say(verb === 'DATA' ? '354 go on' : verb === 'QUIT' ? '221 bye' : '250 fine')
      if (verb === 'QUIT') socket.end()
    }
    socket.setEncoding('utf8')
    socket.on('error', () => socket.destroy())
    socket.on('data', (d: string) => {
      const lines = (rest + d).split('\r\n')
      rest = lines.pop() ?? ''
      lines.forEach(hear)
    })
    say('220 mailbox')
  }
}
