import { bits, stamp } from './stamp.js'

/** The size of the picture, and where its stamp is. */
export const picture = { width: 640, height: 360, stampTop: 336, stampHeight: 24 }

const fps = 30

/** The side of the square of noise that moves over the picture. */
const patch = 96

/** What the pattern is drawn from is a little larger than the picture, so that it can move about under it. */
const margin = 64

/** Noise as a canvas: grains of `grain` pixels. */
function noise(width: number, height: number, grain: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const g = pen(canvas)
  for (let y = 0; y < height; y += grain) {
    for (let x = 0; x < width; x += grain) {
      g.fillStyle = `hsl(${Math.floor(Math.random() * 360)} 40% ${30 + Math.floor(Math.random() * 40)}%)`
      g.fillRect(x, y, grain, grain)
    }
  }
  return canvas
}

function pen(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const g = canvas.getContext('2d')
  if (!g) throw new Error('no canvas to paint on')
  return g
}

/**
 * A camera that is as much work for an encoder as a person in a room: a textured background that sways, and a patch that is new in each frame.
 * Along the lower edge is the time at which the frame was painted. Times are of the clock that `now` reads.
 */
export function camera(now: () => number): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  canvas.width = picture.width
  canvas.height = picture.height
  const g = pen(canvas)
  const room = noise(picture.width + margin, picture.height + margin, 8)
  const patches = Array.from({ length: 6 }, () => noise(patch, patch, 4))
  const track = canvas.captureStream(0).getVideoTracks()[0] as CanvasCaptureMediaStreamTrack | undefined
  if (!track) throw new Error('a canvas without a track')
  let n = 0
  setInterval(() => {
    n++
    const sway = (period: number): number => (margin / 2) * (1 + Math.sin((2 * Math.PI * n) / (period * fps)))
    g.drawImage(room, -sway(5), -sway(7))
    const grains = patches[n % patches.length]
    if (grains) g.drawImage(grains, (n * 3) % (picture.width - patch), 100 + sway(3))
    stamp(now()).forEach((on, i) => {
      g.fillStyle = on ? '#fff' : '#000'
      g.fillRect((i * picture.width) / bits, picture.stampTop, picture.width / bits, picture.stampHeight)
    })
    track.requestFrame()
  }, 1000 / fps)
  return track
}

/** A microphone that never falls silent. */
export function microphone(): MediaStreamTrack {
  const ctx = new AudioContext()
  const out = ctx.createMediaStreamDestination()
  const source = ctx.createOscillator()
  source.connect(out)
  source.start()
  const track = out.stream.getAudioTracks()[0]
  if (!track) throw new Error('a sound without a track')
  return track
}
