import { useState } from 'preact/hooks'
import { save } from './save'
import type { Social } from './social'

/** Recovery codes, this once. */
export function Codes({ social, codes, name }: { social: Social; codes: readonly string[]; name: string }) {
  const [said, say] = useState('')
  const copy = async () => {
    try {
      // There is no clipboard without TLS.
      await navigator.clipboard.writeText(codes.join('\n'))
      say('Copied')
    } catch {
      say('The browser does not let us copy. Select them and copy them yourself.')
    }
  }
  const download = () => {
    save(`Small Talk recovery codes of ${name} for ${location.host}\nEach is good once.\n\n${codes.join('\n')}\n`, 'small-talk-recovery-codes.txt', 'text/plain')
    say('Downloaded')
  }
  return (
    <section class="people" data-testid="codes">
      <h1 tabIndex={-1}>Keep your recovery codes</h1>
      <p>If you lose your password or your device, one of these lets you back in. They are shown only now, and nobody can send them to you again.</p>
      {codes.length === 0 && <p class="nothing">They are being made.</p>}
      {codes.length > 0 && (
        <>
          <ol class="codes" tabIndex={0} aria-label="Recovery codes">
            {codes.map((c) => (
              <li key={c}>
                <code>{c}</code>
              </li>
            ))}
          </ol>
          <div class="go">
            <button class="quiet" data-testid="codes-copy" onClick={() => void copy()}>
              Copy
            </button>
            <button class="quiet" data-testid="codes-download" onClick={download}>
              Download
            </button>
            <button class="primary" data-testid="codes-done" onClick={() => social.cell.patch({ codes: undefined })}>
              I have kept them
            </button>
          </div>
        </>
      )}
      <p class="fine" role="status">
        {said}
      </p>
    </section>
  )
}
