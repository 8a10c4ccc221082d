import { Logo } from '../parts/icon'

/** The browser has no WebRTC, or the person's settings took it away. */
export function Unsupported() {
  return (
    <section class="closed" data-testid="unsupported">
      <Logo />
      <h1 tabIndex={-1}>This browser cannot make video calls</h1>
      <p>Small Talk needs WebRTC. Open this page in a current Firefox, Chrome, Edge or Safari; if this is one, a privacy setting or an extension has switched WebRTC off.</p>
    </section>
  )
}
