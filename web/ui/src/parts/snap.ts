/** The corners that one's own picture may rest in: top/bottom, left/right. */
export type Corner = 'tl' | 'tr' | 'bl' | 'br'

/** The corner nearest to where the middle of the picture was let go. */
export function nearest(x: number, y: number, width: number, height: number): Corner {
  const v = y < height / 2 ? 't' : 'b'
  const h = x < width / 2 ? 'l' : 'r'
  return `${v}${h}`
}

/** Where an arrow key moves it; undefined if the key is none of ours. */
export function moved(from: Corner, key: string): Corner | undefined {
  const [v, h] = from as unknown as ['t' | 'b', 'l' | 'r']
  switch (key) {
    case 'ArrowUp':
      return `t${h}`
    case 'ArrowDown':
      return `b${h}`
    case 'ArrowLeft':
      return `${v}l`
    case 'ArrowRight':
      return `${v}r`
    default:
      return undefined
  }
}

/** The next corner clockwise, for a tap: dragging must not be the only way. */
export function turned(from: Corner): Corner {
  return ({ tl: 'tr', tr: 'br', br: 'bl', bl: 'tl' } as const)[from]
}

const WORDS = { t: 'top', b: 'bottom', l: 'left', r: 'right' } as const

/** The corner in words, for a screen reader. */
export function cornerName(c: Corner): string {
  const [v, h] = c as unknown as ['t' | 'b', 'l' | 'r']
  return `${WORDS[v]} ${WORDS[h]}`
}
