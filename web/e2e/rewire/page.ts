import { browserPlatform } from '@smalltalk/client/browser'
import { middle, scratch, sound } from '../page/scene.js'
import { Player, type Actor, type Body } from './actor.js'
import { beat, picture, type Kind } from './kinds.js'
import { clock, type Senses } from './senses.js'

// Runs in a client's page: the SDK, a camera and a microphone that keep one beat, and a <video>.

declare global {
  var rewire: Actor
}

/** How often the sound is taken, in milliseconds; the analyser keeps several times as much. */
const listenMs = 20

/** A microphone: a quiet tone, and a beep when the returned function is called. */
function microphone(hz: number): { track: MediaStreamTrack; beep: () => void } {
  const ctx = sound()
  const out = ctx.createMediaStreamDestination()
  const play = (frequency: number, level: number): AudioParam => {
    const source = ctx.createOscillator()
    source.frequency.value = frequency
    const gain = ctx.createGain()
    gain.gain.value = level
    source.connect(gain).connect(out)
    source.start()
    return gain.gain
  }
  play(hz, 0.2)
  const loudness = play(beat.hz, 0)
  const track = out.stream.getAudioTracks()[0]
  if (!track) throw new Error('no audio track')
  const beep = (): void => {
    loudness.setValueAtTime(0.6, ctx.currentTime)
    loudness.setValueAtTime(0, ctx.currentTime + beat.seconds)
  }
  return { track, beep }
}

let resting = false

/** A camera of one colour. The lowest rows flash; `begin` is called with the first frame of each flash. */
function camera([r, g, b]: Kind['colour'], begin: () => void): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  const { width, height, flashTop } = picture
  Object.assign(canvas, { width, height })
  const pen = canvas.getContext('2d')
  const track = canvas.captureStream().getVideoTracks()[0]
  if (!pen || !track) throw new Error('no canvas to paint on')
  let n = 0
  setInterval(() => {
    const phase = n++ % beat.frames
    if (resting) return
    pen.fillStyle = `rgb(${r} ${g} ${b})`
    pen.fillRect(0, 0, width, flashTop)
    pen.fillStyle = '#fff'
    pen.fillRect((n * 4) % width, 0, 12, 30)
    pen.fillStyle = phase < beat.flash ? '#fff' : '#000'
    pen.fillRect(0, flashTop, width, height - flashTop)
    if (phase === 0) begin()
  }, 1000 / beat.frames)
  return track
}

const video = document.createElement('video')
video.muted = true
video.autoplay = true
document.body.append(video)

function look(senses: Senses): void {
  const pen = scratch(1, 1)
  const frame: VideoFrameRequestCallback = (_, { expectedDisplayTime }) => {
    video.requestVideoFrameCallback(frame)
    const { videoWidth: w, videoHeight: h } = video
    const top = picture.flashTop / picture.height
    pen.drawImage(video, w / 4, h * (top + (1 - top) / 4), w / 2, (h * (1 - top)) / 2, 0, 0, 1, 1)
    const [red = 0] = pen.getImageData(0, 0, 1, 1).data
    senses.frame(performance.timeOrigin + expectedDisplayTime, middle(video), red)
  }
  video.requestVideoFrameCallback(frame)
}

/** What the DOM library does not have yet (w3c.github.io/mediacapture-transform). */
declare const MediaStreamTrackProcessor: new (o: { track: MediaStreamTrack }) => { readonly readable: ReadableStream<AudioData> }

/** Takes the sound as it is played, piece by piece. */
async function read(track: MediaStreamTrack, senses: Senses): Promise<void> {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader()
  for (;;) {
    const { value } = await reader.read()
    if (!value) return
    const samples = new Float32Array(value.numberOfFrames)
    value.copyTo(samples, { planeIndex: 0, format: 'f32-planar' })
    senses.sound(samples, value.sampleRate, clock())
    value.close()
  }
}

/** Takes now and then what has come into an audio context since the last time. */
function poll(stream: MediaStream, senses: Senses): void {
  const ctx = sound()
  const analyser = ctx.createAnalyser()
  analyser.fftSize = 16_384
  ctx.createMediaStreamSource(stream).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  let taken = Math.round(ctx.currentTime * ctx.sampleRate)
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    const now = Math.round(ctx.currentTime * ctx.sampleRate)
    const fresh = now - taken
    taken = now
    if (fresh > 0) senses.sound(samples.slice(-Math.min(fresh, samples.length)), ctx.sampleRate, clock(), fresh > samples.length)
  }, listenMs)
}

/** An audio context hears a partner some 20 ms late in Chromium, which has a shorter way to the sound. */
function listen(stream: MediaStream, senses: Senses): void {
  const [track] = stream.getAudioTracks()
  if (track && 'MediaStreamTrackProcessor' in globalThis) void read(track, senses)
  else poll(stream, senses)
}

let attending: MediaStream | undefined

const body: Body = {
  platform: browserPlatform(),
  perform(kind) {
    const { track, beep } = microphone(kind.hz)
    return new MediaStream([track, camera(kind.colour, beep)])
  },
  rest: (still) => void (resting = still),
  attend(stream, senses) {
    video.srcObject = stream
    void video.play()
    if (attending === stream || stream.getAudioTracks().length === 0) return
    attending = stream
    look(senses)
    listen(stream, senses)
  },
  connection: () => new RTCPeerConnection({ bundlePolicy: 'max-bundle' }),
}

globalThis.rewire = new Player(body)
