import { useEffect, useState } from 'preact/hooks'

/** A value that can be watched. Watchers run synchronously, in order. */
export class Cell<T extends object> {
  #fns = new Set<(v: T) => void>()

  constructor(private value: T) {}

  get(): T {
    return this.value
  }

  /** Changes some fields; silent when nothing differs. */
  patch(part: Partial<T>): void {
    const now = this.value
    if (!Object.keys(part).some((k) => part[k as keyof T] !== now[k as keyof T])) return
    this.value = { ...now, ...part }
    for (const fn of this.#fns) fn(this.value)
  }

  subscribe(fn: (v: T) => void): () => void {
    this.#fns.add(fn)
    return () => this.#fns.delete(fn)
  }
}

/** Renders again whenever the cell changes. */
export function useCell<T extends object>(cell: Cell<T>): T {
  const [value, set] = useState(cell.get())
  useEffect(() => {
    set(cell.get())
    return cell.subscribe(set)
  }, [cell])
  return value
}
