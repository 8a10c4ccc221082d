import { useRef, useState } from 'preact/hooks'
import type { LocalState } from '../media/local'
import { Icon } from './icons'
import { Mirror } from './picture'
import { cornerName, moved, nearest, turned, type Corner } from './snap'

/** How far a finger may slip and still mean a tap, in CSS pixels. */
const SLOP = 6

/**
 * One's own picture over the partner's. It is dragged by pointer or moved by
 * the arrow keys or by a tap, and comes to rest in a corner.
 */
export function SelfView({ local }: { local: LocalState }) {
  const [corner, setCorner] = useState<Corner>(() => (document.dir === 'rtl' ? 'tl' : 'tr'))
  const [said, say] = useState('')
  const ref = useRef<HTMLButtonElement>(null)
  /** A drag ends in a click too, which is not a tap. */
  const dragged = useRef(false)
  const drag = useRef<{ x: number; y: number } | undefined>(undefined)
  const off = !local.video || !local.camOn || local.hidden

  const shift = (x: number, y: number) => {
    ref.current?.style.setProperty('--dx', `${x}px`)
    ref.current?.style.setProperty('--dy', `${y}px`)
  }
  const settle = (c: Corner) => {
    shift(0, 0)
    setCorner(c)
  }
  const place = (c: Corner) => {
    settle(c)
    say(`Your picture is ${cornerName(c)}`)
  }
  const drop = (e: PointerEvent) => {
    const from = drag.current
    const el = ref.current
    if (!from || !el) return
    drag.current = undefined
    delete el.dataset['drag']
    dragged.current = Math.hypot(e.clientX - from.x, e.clientY - from.y) >= SLOP
    if (!dragged.current) return shift(0, 0)
    const area = el.offsetParent?.getBoundingClientRect()
    const box = el.getBoundingClientRect()
    if (!area) return
    settle(nearest(box.x + box.width / 2 - area.x, box.y + box.height / 2 - area.y, area.width, area.height))
  }

  return (
    <>
      <button
        ref={ref}
        class="self"
        data-corner={corner}
        aria-label={`Your picture, ${cornerName(corner)}${off ? ', camera off' : ''}. Arrow keys move it.`}
        onPointerDown={(e) => {
          drag.current = { x: e.clientX, y: e.clientY }
          e.currentTarget.setPointerCapture(e.pointerId)
          e.currentTarget.dataset['drag'] = ''
        }}
        onPointerMove={(e) => drag.current && shift(e.clientX - drag.current.x, e.clientY - drag.current.y)}
        onPointerUp={drop}
        onPointerCancel={drop}
        onClick={() => {
          if (!dragged.current) place(turned(corner))
          dragged.current = false
        }}
        onKeyDown={(e) => {
          const to = moved(corner, e.key)
          if (!to) return
          e.preventDefault()
          place(to)
        }}
      >
        <Mirror track={local.video} data-testid="local-video" class={off ? 'off' : ''} />
        {off && (
          <span class="none">
            <Icon name="camOff" />
          </span>
        )}
        {(!local.audio || !local.micOn) && (
          <span class="badge">
            <Icon name="micOff" />
          </span>
        )}
      </button>
      <span class="sr" aria-live="polite">
        {said}
      </span>
    </>
  )
}
