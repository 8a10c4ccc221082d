import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from './icons'

interface Props {
  title: string
  onClose: () => void
  children: ComponentChildren
}

/**
 * A modal dialog: the browser's own element keeps the focus inside, closes on
 * Esc and gives the focus back.
 */
export function Dialog({ title, onClose, children }: Props) {
  const ref = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const el = ref.current
    el?.showModal()
    // Not merely taken away: only closing gives the focus back.
    return () => el?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby="dialog-title"
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
      onClick={(e) => e.target === e.currentTarget && onClose()}
    >
      <div class="sheet">
        <header>
          <h2 id="dialog-title">{title}</h2>
          <button class="round ghost" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
