import { picture } from './pattern.js'
import { age, bits } from './stamp.js'

/** A frame that was shown. */
export interface Frame {
  /** When. */
  at: number
  /** How long ago it had been painted then, in milliseconds; `undefined` if that cannot be read. */
  delay: number | undefined
  /** How many frames had been shown until then: some may have gone by between two looks. */
  count: number
}

/** Shows the partner and notes each frame. Times are `performance.timeOrigin` on, the same clock in every page of a machine. */
export class Screen {
  readonly frames: Frame[] = []
  readonly #video = document.createElement('video')
  readonly #pen: CanvasRenderingContext2D

  constructor() {
    const canvas = document.createElement('canvas')
    canvas.width = bits
    canvas.height = 1
    const pen = canvas.getContext('2d', { willReadFrequently: true })
    if (!pen) throw new Error('no canvas to read from')
    this.#pen = pen
    this.#video.muted = true
    this.#video.autoplay = true
    this.#video.width = 320
    document.body.append(this.#video)
    this.#video.requestVideoFrameCallback(this.#look)
  }

  show(stream: MediaStream): void {
    this.#video.srcObject = stream
    void this.#video.play()
  }

  readonly #look: VideoFrameRequestCallback = (_, { presentationTime, presentedFrames }) => {
    this.#video.requestVideoFrameCallback(this.#look)
    const at = performance.timeOrigin + presentationTime
    this.frames.push({ at, delay: age(this.#read(), at), count: presentedFrames })
  }

  /** The middles of the stamp's blocks, in whatever size the picture has come. */
  #read(): boolean[] {
    const { videoWidth: w, videoHeight: h } = this.#video
    const top = picture.stampTop + picture.stampHeight / 3
    this.#pen.drawImage(this.#video, 0, (h * top) / picture.height, w, (h * picture.stampHeight) / 3 / picture.height, 0, 0, bits, 1)
    const data = this.#pen.getImageData(0, 0, bits, 1).data
    return Array.from({ length: bits }, (_, i) => (data[i * 4] ?? 0) > 127)
  }
}
