/** How often the level is read, in ms. */
const EVERY_MS = 60

/**
 * Reads how loud a microphone is: `onLevel` gets 0..1 about sixteen times a
 * second until the returned function is called. Silent where the browser has
 * no audio graph.
 */
export function watchLevel(track: MediaStreamTrack, onLevel: (level: number) => void): () => void {
  if (typeof AudioContext === 'undefined') return () => {}
  const ctx = new AudioContext()
  const analyser = ctx.createAnalyser()
  analyser.fftSize = 512
  ctx.createMediaStreamSource(new MediaStream([track])).connect(analyser)
  const samples = new Float32Array(analyser.fftSize)
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples)
    onLevel(loudness(samples))
  }, EVERY_MS)
  return () => {
    clearInterval(timer)
    void ctx.close()
  }
}

/** The root mean square on a scale as ears have it: -60 dB is 0, -10 dB is 1. */
export function loudness(samples: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!
  const db = 10 * Math.log10(sum / (samples.length || 1))
  return Math.min(1, Math.max(0, (db + 60) / 50))
}
