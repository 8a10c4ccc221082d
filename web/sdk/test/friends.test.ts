import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAccount, type Account } from '../src/account.js'
import { createPeople, type People } from '../src/people/people.js'
import { Person, waitFor } from './person.js'
import { startServer, type Server } from './server.js'

// Friends on real libwebrtc against the real server.

let server: Server
const persons: Person[] = []

beforeAll(async () => {
  server = await startServer()
})

afterAll(async () => {
  for (const p of persons) p.close()
  await server.stop()
})

interface Friend {
  person: Person
  people: People
  account: Account
}

function friendOf(person: Person): Friend {
  const { client } = person
  const account = createAccount({ url: server.url, native: true, fetch, token: () => client.token, signedIn: (token) => client.signIn(token) })
  const people = createPeople({
    client,
    account,
    now: () => Date.now(),
    setTimer(ms, fn) {
      const id = setTimeout(fn, ms)
      return () => clearTimeout(id)
    },
  })
  return { person, people, account }
}

async function arrive(name: string, grey: number, hz: number): Promise<Friend> {
  const p = new Person(server.url, name, grey, hz)
  persons.push(p)
  const f = friendOf(p)
  await p.start()
  return f
}

const until = (f: Friend, want: (f: Friend) => boolean, what: string): Promise<void> => waitFor(() => want(f), () => `${what}: ${JSON.stringify(f.people.state)} ${JSON.stringify(f.person.client.state)}`)

test('strangers become friends, one becomes an account, and they call each other', async () => {
  const [a, b] = await Promise.all([arrive('a', 60, 500), arrive('b', 180, 900)])
  for (const f of [a, b]) f.person.client.join({ topics: 'any' })
  await Promise.all([a.person.meets(b.person), b.person.meets(a.person)])
  a.people.askPartner()
  await until(b, (f) => f.people.state.tie?.wanted === true, 'b is asked')
  b.people.askPartner()
  await Promise.all([a, b].map((f) => until(f, (x) => x.people.state.tie?.friend === true && x.people.state.friends?.length === 1, 'friends')))
  a.person.client.leave()
  await until(b, (f) => f.person.client.state.phase === 'left', 'b is left')
  b.person.client.leave()

  // The guest becomes an account: the same person, and still a friend.
  const id = b.person.client.state.user?.id
  expect(await b.account.signUp({ username: 'node.b', password: 'three otters on a bike' })).toMatchObject({ id, guest: false })
  await b.person.until((s) => s.link === 'online' && s.user?.guest === false && s.rtc === 'connected', 'signed in')
  await until(a, (f) => f.people.state.friends?.[0]?.presence === 'online', 'a sees b')
  expect(await b.account.devices()).toHaveLength(1)

  const before = await a.person.identity()
  for (const f of [a, b]) f.person.seen = undefined
  const friend = a.people.state.friends?.[0]
  if (!friend) throw new Error('no friend')
  a.people.ring(friend)
  await until(b, (f) => f.people.state.ring?.way === 'in', 'b is rung')
  expect(b.people.state.ring?.friend.id).toBe(a.person.client.state.user?.id)
  const at = performance.now()
  b.people.accept()
  await Promise.all([a.person.meets(b.person), b.person.meets(a.person)])
  console.log(`from answering to picture and tone both ways: ${Math.round(performance.now() - at)} ms`)
  expect([a, b].map((f) => [f.person.client.state.call?.rung, f.people.state.ring])).toEqual([[true, undefined], [true, undefined]])
  expect(await a.person.identity()).toEqual(before)
  b.person.client.leave()
  await until(a, (f) => f.person.client.state.phase === 'left', 'a is left')
  a.person.client.leave()

  // Declined, cancelled, and missed.
  a.people.ring(friend)
  await until(b, (f) => f.people.state.ring?.way === 'in', 'b is rung again')
  b.people.decline()
  await until(a, (f) => f.people.state.rung?.reason === 'declined', 'a is told')
  a.people.ring(friend)
  await until(b, (f) => f.people.state.ring?.way === 'in', 'b is rung once more')
  await until(a, (f) => f.people.state.ring?.id !== undefined, 'the ring has a name')
  a.people.cancel()
  await until(b, (f) => f.people.state.ring === undefined && f.people.state.missed?.length === 1, 'b has missed it')

  // A block ends it all.
  expect(await b.people.block({ user: a.person.client.state.user?.id ?? '' })).toBe(true)
  await until(a, (f) => f.people.state.friends?.length === 0, 'a has no friend')
  expect(b.people.state.blocks).toHaveLength(1)
  await b.account.remove('three otters on a bike')
  await b.person.until((s) => s.link === 'online' && s.user?.guest === true && s.user.id !== id, 'b is nobody again')
})
