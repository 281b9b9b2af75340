// A soft sound of two tones, synthesized instead of loaded.

/** @type {AudioContext | null} */
let context = null

/** Prepares the sound. Call it from a click: browsers refuse otherwise. */
export function allowSound() {
  context ??= new AudioContext()
  if (context.state === 'suspended') context.resume().catch(() => {})
}

/** Plays the sound, if it was allowed. */
export function playNotification() {
  if (context === null || context.state !== 'running') return
  const begin = context.currentTime
  for (const [frequency, after] of [[659.26, 0], [987.77, 0.11]]) {
    const tone = new OscillatorNode(context, { type: 'sine', frequency })
    const volume = new GainNode(context, { gain: 0 })
    volume.gain.setTargetAtTime(0.09, begin + after, 0.012)
    volume.gain.setTargetAtTime(0, begin + after + 0.06, 0.11)
    tone.connect(volume).connect(context.destination)
    tone.start(begin + after)
    tone.stop(begin + after + 0.9)
  }
}
