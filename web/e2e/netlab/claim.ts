import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tearDown } from './net.js'

/** Holds the number of the process that has the laboratory: there is one on a machine, since its namespaces have fixed names. */
const owner = '/run/st-netlab.pid'

/** What the names of folders for a while begin with. */
const prefix = 'st-netlab-'

function lock(): void {
  const pid = existsSync(owner) ? readFileSync(owner, 'utf8').trim() : ''
  if (pid && existsSync(`/proc/${pid}`)) throw new Error(`process ${pid} is using the laboratory; if that is something else, remove ${owner}`)
  writeFileSync(owner, String(process.pid))
}

/**
 * Takes the laboratory for this process and leaves nothing of it behind, however the program ends. Returns a folder for everything that is
 * needed for a while.
 */
export function claim(): string {
  lock()
  for (const left of readdirSync(tmpdir()).filter((f) => f.startsWith(prefix))) rmSync(join(tmpdir(), left), { recursive: true, force: true })
  const folder = mkdtempSync(join(tmpdir(), prefix))
  process.env['TMPDIR'] = folder // for the browsers' profiles too
  process.once('exit', () => {
    tearDown()
    rmSync(folder, { recursive: true, force: true })
    rmSync(owner, { force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  return folder
}
