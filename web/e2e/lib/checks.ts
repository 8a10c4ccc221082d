/** Counts and prints what was checked, one line each. */
export class Checks {
  passed = 0
  failed = 0
  #section = ''

  begin(section: string): void {
    this.#section = section
  }

  /** One check; `detail` is printed beside it. */
  check(name: string, ok: boolean, detail = ''): void {
    if (ok) this.passed++
    else this.failed++
    console.log(`${ok ? 'ok  ' : 'FAIL'} ${this.#section}: ${name}${detail ? ` (${detail})` : ''}`)
  }

  /** A check that waits for something: it fails when `wait` throws. */
  async reach<T>(name: string, wait: Promise<T>): Promise<T> {
    try {
      const v = await wait
      this.check(name, true)
      return v
    } catch (err) {
      this.check(name, false, firstLine(err))
      throw new Stopped(name)
    }
  }
}

/** Ends a journey whose next steps make no sense; its check has been counted already. */
export class Stopped extends Error {}

/** The beginning of an error's message, fit for one line. */
export function firstLine(err: unknown): string {
  return (err instanceof Error ? err.message : String(err)).split('\n').slice(0, 3).join(' ')
}
