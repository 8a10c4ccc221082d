import { foldTopic, type State } from '@smalltalk/client'
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Model, Ui } from '../model'
import { langName, MAX_LANGS, MAX_TOPICS, spoken, type Widening } from '../search'
import { Dialog } from './dialog'
import { Icon } from './icons'

/** Languages to choose from, beside those of the browser. */
const LANGS = 'ar bg bn ca cs da de el en es et fa fi fil fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv sw ta th tr uk ur vi zh'.split(' ')

const WAYS: readonly (readonly [Widening, string, string])[] = [
  ['15', 'Anyone, after 15 seconds', 'Any topic then, and after 30 seconds any language too'],
  ['60', 'Anyone, after a minute', 'Any topic then, and after two minutes any language too'],
  ['ask', 'Ask me while I wait', 'Nothing changes unless you say so'],
  ['strict', 'Nobody else', 'Only people who picked one of your topics themselves, in your language'],
]

/** Whom a person looks for, beyond the topics on the first screen. */
export function Seek({ model, state, ui, onClose }: { model: Model; state: State; ui: Ui; onClose: () => void }) {
  return (
    <Dialog title="Who you meet" onClose={onClose}>
      {state.freeTopics && <OwnTopics model={model} state={state} ui={ui} />}
      <Languages model={model} ui={ui} />
      <fieldset class="uses">
        <legend>If nobody fits</legend>
        {WAYS.map(([way, name, what]) => (
          <label key={way}>
            <input type="radio" name="way" data-testid={`way-${way}`} checked={ui.widening === way} onChange={() => model.widening(way)} />
            <span>
              <b>{name}</b> <small>{what}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <button class="primary" data-testid="search-done" onClick={onClose}>
        Done
      </button>
    </Dialog>
  )
}

/** What is wrong with a topic in the person's own words; undefined if nothing is. */
export function topicProblem(text: string, taken: readonly string[]): string | undefined {
  if (!text.trim()) return 'Write what you want to talk about first.'
  const topic = foldTopic(text)
  if (topic === undefined) return [...text].length > 20 ? 'That is too long. A few words are enough.' : 'Use letters, numbers and spaces.'
  if (taken.includes(topic)) return 'You have this topic already.'
  return taken.length < MAX_TOPICS ? undefined : `${MAX_TOPICS} topics are the most. Remove one first.`
}

function OwnTopics({ model, state, ui }: { model: Model; state: State; ui: Ui }) {
  const [text, write] = useState('')
  const [problem, complain] = useState<string>()
  const field = useRef<HTMLInputElement>(null)
  const add = (e: Event) => {
    e.preventDefault()
    field.current?.focus()
    // One that is on the first screen is the same topic, not another with its name.
    const topic = foldTopic(text)
    const listed = state.topics.find((t) => t.id === topic || foldTopic(t.name) === topic)
    const wrong = topicProblem(text, model.topics())
    if (wrong) return complain(wrong)
    if (!listed) model.own([...ui.own, topic!])
    else if (!ui.picked.includes(listed.id)) model.toggle(listed.id)
    else return complain(`${listed.name} is picked already.`)
    write('')
  }
  return (
    <fieldset class="seek">
      <legend>Your own topics</legend>
      <form onSubmit={add}>
        <input
          ref={field}
          data-testid="own-topic"
          aria-label="Topic"
          aria-invalid={!!problem}
          aria-describedby="own-help"
          placeholder="board games"
          maxLength={64}
          autocomplete="off"
          enterkeyhint="done"
          value={text}
          onInput={(e) => {
            write(e.currentTarget.value)
            complain(undefined)
          }}
        />
        <button class="quiet" data-testid="own-add">
          Add
        </button>
      </form>
      <p id="own-help" class={problem ? 'wrong' : 'fine'} role="status" data-testid="own-help">
        {problem ?? 'You meet people who wrote the same words.'}
      </p>
      <Chips of={ui.own} onRemove={(topic) => model.own(ui.own.filter((o) => o !== topic))} after={field} />
    </fieldset>
  )
}

function Languages({ model, ui }: { model: Model; ui: Ui }) {
  const field = useRef<HTMLSelectElement>(null)
  const names = [...new Set([...spoken(navigator.languages), ...LANGS])]
    .filter((l) => !ui.langs.includes(l))
    .map((l) => [l, langName(l)] as const)
    .sort((a, b) => a[1].localeCompare(b[1], 'en'))
  const full = ui.langs.length >= MAX_LANGS
  const add = (e: Event) => {
    e.preventDefault()
    if (field.current?.value && !full) model.langs([...ui.langs, field.current.value])
  }
  return (
    <fieldset class="seek">
      <legend>Languages you talk in</legend>
      <Chips of={ui.langs} name={langName} onRemove={(lang) => model.langs(ui.langs.filter((l) => l !== lang))} after={field}>
        {ui.langs.length === 0 && <p class="fine">Any language</p>}
      </Chips>
      {full ? (
        <p class="fine">Three are the most. Remove one to choose another.</p>
      ) : (
        <form onSubmit={add}>
          <select ref={field} data-testid="lang" aria-label="Language">
            {names.map(([lang, name]) => (
              <option key={lang} value={lang}>
                {name}
              </option>
            ))}
          </select>
          <button class="quiet" data-testid="lang-add">
            Add
          </button>
        </form>
      )}
    </fieldset>
  )
}

interface ChipsProps {
  of: readonly string[]
  name?: (item: string) => string
  onRemove: (item: string) => void
  /** Gets the focus when the chip that had it is gone. */
  after: { current: HTMLElement | null }
  children?: ComponentChildren
}

function Chips({ of, name = (item) => item, onRemove, after, children }: ChipsProps) {
  const list = useRef<HTMLDivElement>(null)
  const remove = (item: string) => {
    onRemove(item)
    // The field may come back only with the next picture.
    setTimeout(() => (after.current ?? list.current?.querySelector('button'))?.focus())
  }
  return (
    <div ref={list} class="chips">
      {children}
      {of.map((item) => (
        <button key={item} class="chip" aria-label={`Remove ${name(item)}`} onClick={() => remove(item)}>
          <bdi>{name(item)}</bdi> <Icon name="close" />
        </button>
      ))}
    </div>
  )
}
