import type { Model, Ui } from '../model'

/** Whether the search goes on by itself: as the person has said, else unless the screen is to keep still. */
export function goesOn(ui: Pick<Ui, 'auto'>): boolean {
  return ui.auto ?? !matchMedia('(prefers-reduced-motion: reduce)').matches
}

/** Turns the search by itself on or off, for good (WCAG 2.2.1). */
export function AutoNext({ model, ui }: { model: Model; ui: Ui }) {
  return (
    <label class="check">
      <input type="checkbox" data-testid="auto-next" checked={goesOn(ui)} onChange={(e) => model.auto(e.currentTarget.checked)} />
      Look for the next person by itself
    </label>
  )
}
