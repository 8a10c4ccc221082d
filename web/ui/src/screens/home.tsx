import type { State } from '@smalltalk/client'
import type { Model, Ui } from '../model'
import { Icon, topicIcon } from '../parts/icon'
import { crowd, listed, topicNames } from '../screen'
import { inLangs } from '../search'

/** How many hues the style sheet knows. */
export const HUES = 8

/** The topics as bands of colour; several can be picked. */
export function Home({ model, state, ui }: { model: Model; state: State; ui: Ui }) {
  const topics = model.topics()
  const any = topics.length === 0
  return (
    <section class="home">
      <div class="lede">
        <h1 tabIndex={-1}>Talk to someone new.</h1>
        <p>Meet a stranger face to face. Pick what you feel like talking about, or leave it at anything. No stranger ever learns your address.</p>
      </div>
      <div class="bands" role="group" aria-label="Topics">
        {state.freeTopics && ui.own.length > 0 && (
          <div class="own" role="group" aria-label="Your own topics">
            {ui.own.map((topic) => (
              <button key={topic} class="chip" data-testid="own" aria-label={`Remove ${topic}`} onClick={() => model.own(ui.own.filter((o) => o !== topic))}>
                <bdi>{topic}</bdi> <Icon name="close" />
              </button>
            ))}
          </div>
        )}
        {state.topics.map((t, i) => (
          <Band
            key={t.id}
            id={t.id}
            hue={`h${i % HUES}`}
            icon={topicIcon(t.id)}
            name={t.name}
            online={t.online}
            waiting={t.waiting}
            on={topics.includes(t.id)}
            onPick={() => model.toggle(t.id)}
          />
        ))}
        <Band id="any" hue="hany" icon="any" name="Anything" on={any} onPick={() => model.anything()} />
      </div>
      <div class="go">
        <button class="primary big" data-testid="start" onClick={() => model.start()}>
          Start talking
        </button>
        <p class="picked">
          About {any ? 'anything' : listed(topicNames(topics, state.topics))}
          {inLangs(ui.langs)}
        </p>
        <div class="more">
          <button class="link" data-testid="search" onClick={() => model.ui.patch({ dialog: 'search' })}>
            {state.freeTopics ? 'Topics, languages' : 'Languages'}
          </button>
          {ui.mode && (
            <button class="link" data-testid="setup" onClick={() => model.preview()}>
              Camera and microphone
            </button>
          )}
        </div>
      </div>
    </section>
  )
}

interface BandProps {
  id: string
  hue: string
  icon: Parameters<typeof Icon>[0]['name']
  name: string
  online?: number
  waiting?: number
  on: boolean
  onPick: () => void
}

function Band({ id, hue, icon, name, online, waiting, on, onPick }: BandProps) {
  return (
    <button class={`band ${hue}`} data-testid={`tile-${id}`} aria-pressed={on} onClick={onPick}>
      <Icon name={icon} />
      <span class="name">{name}</span>
      {!!online && (
        <span class="count">
          <b>{crowd(online)}</b> here
          {!!waiting && (
            <span>
              <span class="sr">, </span>
              {crowd(waiting)} waiting
            </span>
          )}
        </span>
      )}
      <span class="tick">{on && <Icon name="check" />}</span>
    </button>
  )
}
