/** Passkeys in a web page. */
import type { Authenticator } from '../account.js'

/** The newer part of WebAuthn (Level 3), which turns its options and credentials from and into JSON. */
interface Level3 {
  parseCreationOptionsFromJSON(options: object): PublicKeyCredentialCreationOptions
  parseRequestOptionsFromJSON(options: object): PublicKeyCredentialRequestOptions
}

function level3(): Level3 | undefined {
  const c = (globalThis as { PublicKeyCredential?: Partial<Level3> }).PublicKeyCredential
  return c?.parseCreationOptionsFromJSON && c.parseRequestOptionsFromJSON ? (c as Level3) : undefined
}

function json(credential: Credential | null): Record<string, unknown> {
  if (!credential) throw new DOMException('no credential', 'NotAllowedError')
  return (credential as unknown as { toJSON(): Record<string, unknown> }).toJSON()
}

/** The page's authenticator; `undefined` where the browser has none that will do. */
export function browserPasskeys(): Authenticator | undefined {
  const of = level3()
  if (!of) return undefined
  return {
    create: async (options) => json(await navigator.credentials.create({ publicKey: of.parseCreationOptionsFromJSON(options) })),
    get: async (options) => json(await navigator.credentials.get({ publicKey: of.parseRequestOptionsFromJSON(options) })),
  }
}
