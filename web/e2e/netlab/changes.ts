import type { Network } from './net.js'
import type { World } from './world.js'

export interface Change {
  readonly name: string
  readonly a: Network
  readonly b: Network
  run(w: World): Promise<void>
}
export const changes: readonly Change[] = []
