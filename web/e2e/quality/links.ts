import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { arrange, carrierRouter, clientSpace, gateway, homeRouter, run, serverSpace, setUp, sides, within, type Side } from '../netlab/net.js'
import { cutRate, type Cell, type Cut } from './cells.js'

/** What a narrow link holds before it loses: as many milliseconds as are common at home. */
const queueMs = 1_000

/** The devices of a side's slow cable, at home and at its carrier. */
function ends(side: Side): [string, string] {
  return [`${side}-home`, `${side}-carrier`]
}

/** The links of the laboratory's two clients, which can be made long, lossy and narrow. */
export class Links {
  readonly #program: string
  readonly #cables: ChildProcess[] = []

  private constructor(program: string) {
    this.#program = program
  }

  /** Builds the networks of the laboratory, IPv4 alone, with good links. */
  static make(folder: string): Links {
    const program = join(folder, 'delay')
    execFileSync('go', ['build', '-o', program, './web/e2e/quality/delay'], { cwd: fileURLToPath(new URL('../../..', import.meta.url)) })
    setUp()
    for (const side of sides) arrange(side, { only: 4 })
    // A run of packets that was sent as one must meet the links as packets: else one drop would lose them all.
    for (const space of [serverSpace, ...sides.map(clientSpace)]) run(['ip', '-n', space, 'link', 'set', 'dev', 'wan', 'gso_max_segs', '1'])
    return new Links(program)
  }

  /** Gives the links what a cell says, but for its cut. */
  async set({ rttMs, lossPercent }: Cell): Promise<void> {
    this.#lose('b', lossPercent)
    await this.straighten()
    if (rttMs > 0) for (const side of sides) await this.#lengthen(side, rttMs / 4)
  }

  /** Makes a link narrow, or as wide as before. */
  cut({ side, way }: Cut, narrow: boolean): void {
    const [space, device] = way === 'up' ? [carrierRouter(side), 'wan'] : [homeRouter(side), 'lan']
    const change = narrow ? ['add', 'dev', device, 'root', 'tbf', 'rate', `${cutRate}`, 'burst', '8kb', 'latency', `${queueMs}ms`] : ['del', 'dev', device, 'root']
    run([...within(space), 'tc', 'qdisc', ...change])
  }

  /** Loses packets at a side's home router. TCP is spared: how a call is arranged is not what is measured. */
  #lose(side: Side, percent: number): void {
    const rules = [
      'table inet loss {',
      ' chain through { type filter hook forward priority filter; policy accept;',
      `  meta l4proto udp numgen random mod 1000 < ${percent * 10} drop`,
      ' }',
      '}',
    ]
    run([...within(homeRouter(side)), 'nft', '-f', '-'], ['flush ruleset', ...(percent > 0 ? rules : [])].join('\n'))
  }

  /** Puts a slow cable between a side's home router and its carrier, beside the fast one. */
  async #lengthen(side: Side, holdMs: number): Promise<void> {
    const names = ends(side)
    const cable = spawn(this.#program, ['-hold', `${holdMs}ms`, ...names], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#cables.push(cable)
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: cable.stdout }).on('line', (line) => line === 'ready' && resolve())
      cable.once('exit', (code) => reject(new Error(`the slow cable ended with ${code}`)))
    })
    const spaces = [homeRouter(side), carrierRouter(side)]
    const routes = ['default', gateway(side).replace(/\.1$/, '.0/24')]
    names.forEach((name, i) => {
      const space = spaces[i] ?? ''
      run(['ip', 'link', 'set', 'dev', name, 'netns', space])
      run(['ip', '-n', space, 'link', 'set', 'dev', name, 'up'])
      run(['ip', '-n', space, 'route', 'prepend', routes[i] ?? '', 'dev', name]) // before the one that goes by the fast cable
    })
  }

  /** Takes the slow cables away. */
  async straighten(): Promise<void> {
    for (const cable of this.#cables.splice(0)) {
      const gone = new Promise((resolve) => cable.once('exit', resolve))
      cable.stdin?.end()
      await gone
    }
  }
}
