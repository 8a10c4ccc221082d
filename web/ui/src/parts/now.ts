import { useEffect, useState } from 'preact/hooks'

/** The time in ms since the epoch, read again every `every` ms while `on`. */
export function useNow(every: number, on = true): number {
  const [now, set] = useState(Date.now)
  useEffect(() => {
    if (!on) return
    set(Date.now())
    const id = setInterval(() => set(Date.now()), every)
    return () => clearInterval(id)
  }, [every, on])
  return now
}
