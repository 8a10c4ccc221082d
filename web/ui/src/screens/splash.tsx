import { Logo } from '../parts/icon'

/** Shown only while the first connection is made. */
export function Splash() {
  return (
    <section class="splash">
      <Logo />
      <h1 tabIndex={-1}>Small Talk</h1>
      <p>Connecting</p>
    </section>
  )
}
