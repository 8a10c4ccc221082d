/** A page in a browser. */
export interface Tab {
  /** Runs a script for its effects. */
  load(script: string): Promise<void>
  /** Calls a function in the page, which may use nothing from outside itself, and waits for what it returns. */
  ask<T, A = undefined>(fn: (arg: A) => T | Promise<T>, arg?: A): Promise<T>
  close(): Promise<void>
}

/** A browser inside a client's namespace. */
export interface ClientBrowser {
  readonly name: string
  /** Opens a page in a profile of its own. */
  open(url: string): Promise<Tab>
  close(): Promise<void>
}

/** The source of a call of `fn`. */
export function expression<T, A>(fn: (arg: A) => T, arg: A | undefined): string {
  return `(${fn.toString()})(${JSON.stringify(arg) ?? ''})`
}
