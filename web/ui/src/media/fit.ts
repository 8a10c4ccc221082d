/**
 * How much of a picture may be cut off to fill the stage. A phone that shows a
 * phone, or a desktop a desktop, fills it; across the two the whole picture is
 * shown instead, for a face cut in half is worse than a border.
 */
const MAX_CROP = 0.42

/** Says whether to fill the stage ('cover') or show all of it ('contain'). */
export function fit(video: { w: number; h: number }, stage: { w: number; h: number }): 'cover' | 'contain' {
  if (!video.w || !video.h || !stage.w || !stage.h) return 'cover'
  const a = video.w / video.h
  const b = stage.w / stage.h
  return 1 - Math.min(a, b) / Math.max(a, b) > MAX_CROP ? 'contain' : 'cover'
}
