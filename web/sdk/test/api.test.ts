import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { apiOf, current } from '../scripts/api.mjs'

test("the types of the HTTP side are those of the server's OpenAPI file (npm run types)", () => {
  expect(readFileSync(new URL('../src/api.ts', import.meta.url), 'utf8')).toBe(current())
})

test('a route becomes its body and its reply', () => {
  const text = apiOf({
    components: { schemas: { Thing: { type: 'object', properties: { id: { type: 'string' }, at: { type: 'integer' } }, required: ['id'] }, None: { type: 'object', properties: {} } } },
    paths: {
      '/things/{id}': {
        delete: { summary: 'Forgets it.', responses: { 204: { description: 'No Content' }, 404: { description: 'code: not_found, gone' } } },
        post: {
          summary: 'Makes it.',
          requestBody: { required: false, content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } } },
          responses: { 200: { description: 'OK', content: { 'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } } } } },
        },
      },
    },
  })
  expect(text).toContain('export interface Thing {\n  id: string\n  at?: number\n}\n')
  expect(text).toContain('export type None = Record<string, never>\n')
  expect(text).toContain("  /** Forgets it. */\n  'DELETE /things/{id}': { body: undefined; reply: undefined }\n")
  expect(text).toContain("  'POST /things/{id}': { body: Thing | undefined; reply: Thing[] }\n")
  expect(text).toContain("  | 'gone'\n  | 'not_found'\n  | (string & {})\n")
})

test('what it cannot read, it does not guess', () => {
  expect(() => apiOf({ components: { schemas: { X: { type: 'object', properties: { a: { type: 'float' } } } } }, paths: {} })).toThrow('no type')
})
