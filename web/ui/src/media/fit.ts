/**
 * How much of a picture may be cut off to fill the stage. A phone that shows a
 * phone, or a desktop a desktop, fills it; across the two some border stays,
 * for a border is better than half a face.
 */
const MAX_CROP = 0.42

interface Size {
  readonly w: number
  readonly h: number
}

/** How far to enlarge a picture that is shown whole (1) so that it fills the stage as far as is good. */
export function zoom(video: Size, stage: Size): number {
  if (!video.w || !video.h || !stage.w || !stage.h) return 1
  const a = video.w / video.h
  const b = stage.w / stage.h
  return Math.min(Math.max(a, b) / Math.min(a, b), 1 / (1 - MAX_CROP))
}
