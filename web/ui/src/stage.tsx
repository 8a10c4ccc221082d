import { useLayoutEffect, useRef } from 'preact/hooks'
import { zoom } from './media/fit'
import { RemoteView } from './media/remote'
import type { Model } from './model'

/**
 * The one <video> that shows every partner. It is never taken away and never
 * rendered twice; RemoteView alone decides what may be seen and heard of it.
 */
export function Stage({ model }: { model: Model }) {
  const ref = useRef<HTMLVideoElement>(null)
  useLayoutEffect(() => {
    const el = ref.current!
    const { client } = model
    const view = new RemoteView(el, (silent) => model.ui.patch({ silent }))
    const attach = () => {
      const stream = client.remote as MediaStream | undefined
      if (stream && el.srcObject !== stream) el.srcObject = stream
      if (stream) view.attached()
    }
    const size = () => el.style.setProperty('--zoom', String(zoom({ w: el.videoWidth, h: el.videoHeight }, { w: el.clientWidth, h: el.clientHeight })))
    const seen = new ResizeObserver(size)
    seen.observe(el)
    el.addEventListener('resize', size)
    model.hear = () => void view.unmute()
    const stop = [client.onRemote(attach), client.subscribe((s) => view.update(s)), () => seen.disconnect(), () => el.removeEventListener('resize', size)]
    attach()
    view.update(client.state)
    return () => stop.forEach((f) => f())
  }, [])
  return <video ref={ref} class="remote" data-testid="remote-video" playsInline autoPlay muted />
}
