import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

type Props = { track: MediaStreamTrack | undefined } & Omit<JSX.IntrinsicElements['video'], 'ref'>

/** One's own picture, as a mirror shows it. */
export function Mirror({ track, ...rest }: Props) {
  const ref = useRef<HTMLVideoElement>(null)
  useLayoutEffect(() => {
    const el = ref.current
    if (!el) return
    el.muted = true
    el.srcObject = track ? new MediaStream([track]) : null
    if (track) void el.play().catch(() => {})
  }, [track])
  return <video ref={ref} {...rest} muted playsInline autoPlay aria-hidden="true" />
}
