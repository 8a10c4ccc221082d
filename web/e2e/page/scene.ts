import type { Client } from '@smalltalk/client'

// What the pages of the journeys, the benchmark and the laboratory have in common: what somebody looks and sounds like to the others, and
// how a page sees whom it has before it. Importing it does nothing; all but the comparing of colours needs a page.

/** A colour as red, green, blue from 0 to 255. */
export type Colour = readonly [number, number, number]

/** How far a colour may be off, as the sum over its three parts. */
const tolerance = 110

/** Whether a colour is the other one, as far as lossy video lets one say. */
export function near(a: Colour | undefined, b: Colour): boolean {
  return a !== undefined && a.reduce((sum, v, i) => sum + Math.abs(v - (b[i] ?? 0)), 0) < tolerance
}

/** A camera's picture, 320 by 240, of one colour with a bar that moves. `more` paints over each frame. */
export function paint(colour: Colour, more?: (g: CanvasRenderingContext2D) => void): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  canvas.width = 320
  canvas.height = 240
  const g = canvas.getContext('2d')
  const track = canvas.captureStream(30).getVideoTracks()[0]
  if (!g || !track) throw new Error('no canvas to paint on')
  let n = 0
  setInterval(() => {
    n = (n + 4) % 320
    g.fillStyle = `rgb(${colour.join(',')})`
    g.fillRect(0, 0, 320, 240)
    g.fillStyle = '#fff'
    g.fillRect(n, 0, 12, 30)
    more?.(g)
  }, 1000 / 30)
  return track
}

/** A camera's picture, 640 by 360, of something that moves and has detail all over, which needs all the bits that it can get. */
export function crowd(): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  canvas.width = 640
  canvas.height = 360
  const scene = scratch(960, 540)
  for (let i = 0; i < 1_500; i++) {
    scene.fillStyle = `hsl(${(i * 47) % 360} 40% ${20 + (i % 60)}%)`
    scene.beginPath()
    scene.arc((i * 7919) % 960, (i * 104_729) % 540, 5 + (i % 23), 0, 7)
    scene.fill()
  }
  const g = canvas.getContext('2d')
  const track = canvas.captureStream(30).getVideoTracks()[0]
  if (!g || !track) throw new Error('no canvas to paint on')
  let n = 0
  setInterval(() => {
    n++
    g.drawImage(scene.canvas, -160 + 150 * Math.sin(n / 90), -90 + 80 * Math.cos(n / 70))
  }, 1000 / 30)
  return track
}

let audio: AudioContext | undefined

/** The one audio context of the page. */
export function sound(): AudioContext {
  return (audio ??= new AudioContext())
}

/** A microphone's sound: one tone. */
export function tone(hz = 440): MediaStreamTrack {
  const ctx = sound()
  const source = ctx.createOscillator()
  source.frequency.value = hz
  const gain = ctx.createGain()
  gain.gain.value = 0.3
  const out = ctx.createMediaStreamDestination()
  source.connect(gain).connect(out)
  source.start()
  const track = out.stream.getAudioTracks()[0]
  if (!track) throw new Error('no audio track')
  return track
}

/** Adds a <video> to the page that shows the client's partner. */
export function show(client: Client): HTMLVideoElement {
  const video = document.createElement('video')
  video.muted = true
  video.autoplay = true
  document.body.append(video)
  client.onRemote((stream) => {
    if (!(stream instanceof MediaStream)) return
    video.srcObject = stream
    void video.play()
  })
  return video
}

/** A canvas of so many pixels to read pictures from. */
export function scratch(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  if (!pen) throw new Error('no 2d canvas')
  return pen
}

let dot: CanvasRenderingContext2D | undefined

/** The colour in the middle of a video, if it shows anything. */
export function middle(v: HTMLVideoElement): Colour | undefined {
  if (v.videoWidth === 0 || v.readyState < 2) return undefined
  dot ??= scratch(1, 1)
  dot.drawImage(v, v.videoWidth / 2 - 8, v.videoHeight / 2 - 8, 16, 16, 0, 0, 1, 1)
  const [r = 0, g = 0, b = 0] = dot.getImageData(0, 0, 1, 1).data
  return [r, g, b]
}
