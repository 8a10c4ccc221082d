import { keep } from '../model'

const KEY = 'st.ring'

/** How a ring goes on, in seconds: two notes and a pause; softer and slower for who rings. */
const RINGS = {
  in: { notes: [660, 880, 660, 880], step: 0.18, every: 2.4, gain: 0.16 },
  out: { notes: [440], step: 0.9, every: 4, gain: 0.04 },
} as const

/** The sound of ringing, made by the browser itself. A browser that has not been touched yet plays nothing, and is not asked to. */
export class Bell {
  readonly #ever = keep(() => localStorage)
  #context: AudioContext | undefined
  #timer: ReturnType<typeof setInterval> | undefined
  #way: 'in' | 'out' | undefined

  get on(): boolean {
    return this.#ever.get(KEY) !== 'off'
  }

  set on(on: boolean) {
    this.#ever.set(KEY, on ? 'on' : 'off')
  }

  /** Whether it makes a sound now. */
  get sounding(): boolean {
    return this.#context?.state === 'running' && this.#timer !== undefined
  }

  sound(way: 'in' | 'out' | undefined): void {
    if (way === this.#way) return
    this.#way = way
    clearInterval(this.#timer)
    this.#timer = undefined
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0)
    void this.#context?.close()
    this.#context = undefined
    if (!way || (way === 'in' && !this.on)) return
    const { every } = RINGS[way]
    const again = () => this.#ring(way)
    again()
    this.#timer = setInterval(again, every * 1000)
  }

  #ring(way: 'in' | 'out'): void {
    // The autoplay rules: without a gesture on this page it would only complain on the console.
    if (!navigator.userActivation?.hasBeenActive) return
    this.#context ??= new AudioContext()
    void this.#context.resume()
    const { notes, step, gain } = RINGS[way]
    const start = this.#context.currentTime + 0.02
    notes.forEach((hz, i) => this.#note(hz, start + i * step, step, gain))
    if (way === 'in') navigator.vibrate?.([300, 150, 300])
  }

  #note(hz: number, at: number, length: number, gain: number): void {
    const context = this.#context!
    const tone = context.createOscillator()
    const volume = context.createGain()
    tone.frequency.value = hz
    volume.gain.setValueAtTime(0, at)
    volume.gain.linearRampToValueAtTime(gain, at + 0.02)
    volume.gain.setValueAtTime(gain, at + length * 0.7)
    volume.gain.linearRampToValueAtTime(0, at + length)
    tone.connect(volume).connect(context.destination)
    tone.start(at)
    tone.stop(at + length)
  }
}
