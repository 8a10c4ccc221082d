import { render, type ComponentChild } from 'preact'
import { vi } from 'vitest'

// As much of a page as the screens need to be shown and used in a test: elements, focus, events, dialogs.

type Listener = (this: unknown, e: FakeEvent) => void

/** What happens to an element. */
export class FakeEvent {
  target: unknown
  currentTarget: unknown
  defaultPrevented = false
  stopped = false
  // Some of these are there for keys, some for clicks.
  key = ''
  detail = 0
  repeat = false
  ctrlKey = false
  metaKey = false
  altKey = false

  constructor(
    readonly type: string,
    more: Partial<Pick<FakeEvent, 'key' | 'detail' | 'repeat'>> = {},
  ) {
    Object.assign(this, more)
  }

  preventDefault(): void {
    this.defaultPrevented = true
  }

  stopPropagation(): void {
    this.stopped = true
  }
}

class Target {
  readonly #listeners: { type: string; fn: Listener; capture: boolean }[] = []

  addEventListener(type: string, fn: Listener, capture = false): void {
    this.#listeners.push({ type, fn, capture })
  }

  removeEventListener(type: string, fn: Listener, capture = false): void {
    const i = this.#listeners.findIndex((l) => l.type === type && l.fn === fn && l.capture === capture)
    if (i >= 0) this.#listeners.splice(i, 1)
  }

  hear(e: FakeEvent, capture: boolean): void {
    e.currentTarget = this
    for (const l of [...this.#listeners]) if (l.type === e.type && l.capture === capture) l.fn.call(this, e)
  }
}

/** A text, or the beginning of an element. */
class FakeNode extends Target {
  parentNode: FakeElement | null = null
  childNodes: FakeNode[] = []
  data = ''

  constructor(
    readonly page: FakePage,
    readonly nodeType: number,
  ) {
    super()
  }

  get ownerDocument(): FakePage {
    return this.page
  }

  get nextSibling(): FakeNode | null {
    const all = this.parentNode?.childNodes ?? []
    return all[all.indexOf(this) + 1] ?? null
  }

  get isConnected(): boolean {
    return this.parentNode?.isConnected === true
  }

  get textContent(): string {
    return this.data + this.childNodes.map((n) => n.textContent).join('')
  }

  remove(): void {
    if (this.parentNode) this.parentNode.childNodes = this.parentNode.childNodes.filter((n) => n !== this)
    this.parentNode = null
  }
}

/** An element with what forms and dialogs do. */
export class FakeElement extends FakeNode {
  readonly attributes = new Map<string, string>()
  disabled = false
  checked = false
  open = false
  #value: string | undefined
  defaultValue = ''

  constructor(
    page: FakePage,
    readonly localName: string,
  ) {
    super(page, 1)
  }

  override get isConnected(): boolean {
    return this === this.page.body || super.isConnected
  }

  get firstChild(): FakeNode | null {
    return this.childNodes[0] ?? null
  }

  /** What was typed, or what stood there before. */
  get value(): string {
    return this.#value ?? this.defaultValue
  }

  set value(value: string) {
    this.#value = value
  }

  get elements(): { namedItem(name: string): FakeElement | null } {
    return { namedItem: (name) => this.querySelector(`[name=${name}]`) }
  }

  insertBefore(node: FakeNode, before: FakeNode | null): void {
    node.remove()
    const at = before ? this.childNodes.indexOf(before) : -1
    this.childNodes.splice(at < 0 ? this.childNodes.length : at, 0, node)
    node.parentNode = this
  }

  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value))
  }

  removeAttribute(name: string): void {
    this.attributes.delete(name)
  }

  getAttribute(name: string): string | null {
    return this.attributes.get(name) ?? null
  }

  contains(node: unknown): boolean {
    return node === this || this.childNodes.some((n) => n instanceof FakeElement && n.contains(node))
  }

  focus(): void {
    if (this.isConnected && !this.disabled) this.page.focused = this
  }

  reset(): void {
    for (const el of this.querySelectorAll('input')) el.#value = undefined
  }

  reportValidity(): boolean {
    return true
  }

  showModal(): void {
    if (this.open || !this.isConnected) throw new Error('the dialog cannot be opened')
    this.open = true
  }

  close(): void {
    if (!this.open) return
    this.open = false
    setTimeout(() => this.fire('close'))
  }

  /** Lets something happen here; true unless it was prevented. */
  fire(type: string, more?: ConstructorParameters<typeof FakeEvent>[1]): boolean {
    const e = new FakeEvent(type, more)
    e.target = this
    const path: Target[] = []
    for (let el: FakeElement | null = this; el; el = el.parentNode) path.push(el)
    path.push(this.page, this.page.window)
    for (const t of [...path].reverse()) if (!e.stopped) t.hear(e, true)
    for (const t of path) if (!e.stopped) t.hear(e, false)
    return !e.defaultPrevented
  }

  /** Presses it, by a pointer unless `detail` is 0. */
  click(detail = 1): void {
    if (this.disabled) return
    this.focus()
    if (!this.fire('click', { detail }) || this.localName !== 'button' || this.getAttribute('type') === 'button') return
    for (let el: FakeElement | null = this; el; el = el.parentNode) if (el.localName === 'form') el.fire('submit')
  }

  #matches(compound: string): boolean {
    const [, tag, rest = ''] = /^([a-z0-9]*)(.*)$/.exec(compound) ?? []
    if (tag && tag !== this.localName) return false
    return [...rest.matchAll(/\.([\w-]+)|\[([\w-]+)(?:=([^\]]+))?\]/g)].every(([, name, attribute, value]) =>
      name ? (this.getAttribute('class') ?? '').split(' ').includes(name) : value === undefined ? this.attributes.has(attribute!) : this.getAttribute(attribute!) === value,
    )
  }

  /** Tags, classes and attributes, and what lies within what. */
  querySelectorAll(selector: string): FakeElement[] {
    const [first, ...inner] = selector.split(' ')
    const found = this.childNodes.flatMap((n) => (n instanceof FakeElement ? [...(n.#matches(first!) ? [n] : []), ...n.querySelectorAll(first!)] : []))
    return inner.length === 0 ? found : [...new Set(found.flatMap((el) => el.querySelectorAll(inner.join(' '))))]
  }

  querySelector(selector: string): FakeElement | null {
    return this.querySelectorAll(selector)[0] ?? null
  }

  /** By its `data-testid`; it has to be there. */
  at(id: string): FakeElement {
    const el = this.querySelector(`[data-testid=${id}]`)
    if (!el) throw new Error(`no ${id} in ${this.textContent}`)
    return el
  }
}

/** The document of a test. */
export class FakePage extends Target {
  title = 'Small Talk'
  readonly window = new Target()
  readonly body = new FakeElement(this, 'body')
  focused: FakeElement = this.body

  /** As in a browser, what is gone or disabled has no focus. */
  get activeElement(): FakeElement {
    return this.focused.isConnected && !this.focused.disabled ? this.focused : this.body
  }

  /** Where the focus is, by its `data-testid`, else by its tag. */
  get focus(): string {
    const el = this.activeElement
    return el.getAttribute('data-testid') ?? el.localName
  }

  createElementNS(_: string, name: string): FakeElement {
    return new FakeElement(this, name)
  }

  createTextNode(text: string): FakeNode {
    const node = new FakeNode(this, 3)
    node.data = text
    return node
  }

  querySelector(selector: string): FakeElement | null {
    return this.body.querySelector(selector)
  }

  show(screen: ComponentChild): void {
    render(screen, this.body as never)
  }
}

/** Puts a page in the browser's place for the running test. */
export function openPage(): FakePage {
  const page = new FakePage()
  vi.stubGlobal('document', page)
  vi.stubGlobal('HTMLInputElement', FakeElement)
  vi.stubGlobal('addEventListener', page.window.addEventListener.bind(page.window))
  vi.stubGlobal('removeEventListener', page.window.removeEventListener.bind(page.window))
  vi.stubGlobal('location', { origin: 'https://example.org', host: 'example.org' })
  return page
}
