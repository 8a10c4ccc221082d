import type { State } from '@smalltalk/client'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Model, Ui } from '../model'
import { AutoNext, goesOn } from '../parts/autonext'
import { Logo } from '../parts/icon'
import { leftLine } from '../parts/words'

/** Seconds until the search goes on by itself; the style sheet's fuse burns as long. */
const AUTO_S = 3

/** Signs of a person who is about to decide. */
const SIGNS = ['keydown', 'pointerdown', 'wheel'] as const

/** The partner has gone: on to the next one, unless the person says stop. */
export function Left({ model, state, ui }: { model: Model; state: State; ui: Ui }) {
  const left = state.left
  const panel = useRef<HTMLElement>(null)
  const head = useRef<HTMLHeadingElement>(null)
  // Who was thrown out of a call should not fall into the next by doing nothing, nor who has talked to a friend.
  const [auto, setAuto] = useState(left?.reason !== 'kicked' && !left?.rung && goesOn(ui))
  const [held, hold] = useState(false)
  // Somebody in particular is being waited for, or waits.
  const back = state.undo?.asked || state.undo?.wanted
  const paused = held || back
  const { seconds, run } = useCountdown(auto && !paused)
  useEffect(() => {
    if (auto && seconds === 0) model.again()
  }, [auto, seconds])
  if (!left) return null
  // The focus begins on the heading; further in it is a person who reads and decides (WCAG 2.2.1).
  const touched = () => {
    const at = document.activeElement
    hold(at !== head.current && !!panel.current?.contains(at))
  }
  const stay = () => {
    setAuto(false)
    // The button goes away, and the focus must not go with it.
    head.current?.focus()
  }
  return (
    <section ref={panel} class="left" data-testid="partner-left" onFocusIn={touched} onFocusOut={touched}>
      <Logo />
      <h1 ref={head} tabIndex={-1} aria-describedby="again">
        {leftLine(left.reason)}
      </h1>
      {left.name && (
        <p>
          You were talking to <bdi>{left.name}</bdi>.
        </p>
      )}
      <div class="count">
        {auto ? (
          <>
            <p id="again">
              {paused ? (
                held ? 'Paused while you choose' : 'Paused'
              ) : (
                <>
                  Looking again in <b>{seconds}</b>
                </>
              )}
            </p>
            <button class="quiet" data-testid="stay" onClick={stay}>
              Stay here
            </button>
            <div key={run} class={`fuse ${paused ? '' : 'lit'}`} aria-hidden="true" />
          </>
        ) : (
          <>
            <p id="again">Take your time.</p>
            <AutoNext model={model} ui={ui} />
          </>
        )}
      </div>
      <div class="go">
        <button class="primary big" data-testid="find-another" onClick={() => model.again()}>
          Find another
        </button>
        <button class="quiet" data-testid="back-home" onClick={() => model.home()}>
          Back to topics
        </button>
      </div>
    </section>
  )
}

/** Counts the seconds down while `on`; from the start again after a pause and at each sign of the person. `run` differs each time. */
function useCountdown(on: boolean): { seconds: number; run: number } {
  const [seconds, set] = useState(AUTO_S)
  const [run, again] = useState(0)
  useEffect(() => {
    set(AUTO_S)
    if (!on) return
    const id = setInterval(() => {
      // Nobody looks: a stranger would meet an empty chair.
      if (!document.hidden) set((s) => Math.max(0, s - 1))
    }, 1000)
    return () => clearInterval(id)
  }, [on, run])
  useEffect(() => {
    const sign = () => again((r) => r + 1)
    for (const type of SIGNS) addEventListener(type, sign)
    return () => SIGNS.forEach((type) => removeEventListener(type, sign))
  }, [])
  return { seconds, run }
}
