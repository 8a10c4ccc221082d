/**
 * Makes `src/api.ts`, the types of the HTTP side, of the OpenAPI file that the server serves and its tests check:
 * `npm run types`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'

const source = new URL('../../../signaling/testdata/openapi.json', import.meta.url)
const target = new URL('../src/api.ts', import.meta.url)

/** The TypeScript type of a JSON schema. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split('/').at(-1)
  switch (schema.type) {
    case 'string':
      return schema.enum?.map((value) => `'${value}'`).join(' | ') ?? 'string'
    case 'boolean':
      return 'boolean'
    case 'integer':
      return 'number'
    case 'array':
      return `${typeOf(schema.items)}[]`
    case 'object':
      return 'Record<string, unknown>'
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`)
  }
}

function interfaceOf(name, { properties, required = [] }) {
  const keys = Object.keys(properties)
  if (keys.length === 0) return `export type ${name} = Record<string, never>\n`
  const lines = keys.map((key) => `  ${key}${required.includes(key) ? '' : '?'}: ${typeOf(properties[key])}\n`)
  return `export interface ${name} {\n${lines.join('')}}\n`
}

const schemaOf = (content) => content?.['application/json']?.schema

/** What a request is answered with if all is well. */
function replyOf(responses) {
  const types = Object.entries(responses)
    .filter(([status]) => Number(status) < 300)
    .map(([, { content }]) => (schemaOf(content) ? typeOf(schemaOf(content)) : 'undefined'))
  return [...new Set(types)].join(' | ') || 'undefined'
}

function routeOf(method, path, { summary, requestBody, responses }) {
  const body = requestBody ? typeOf(schemaOf(requestBody.content)) + (requestBody.required ? '' : ' | undefined') : 'undefined'
  return `  /** ${summary} */\n  '${method.toUpperCase()} ${path}': { body: ${body}; reply: ${replyOf(responses)} }\n`
}

/** The error codes that any request can be answered with. */
function codesOf(paths) {
  const codes = new Set()
  for (const methods of Object.values(paths))
    for (const { responses } of Object.values(methods))
      for (const { description } of Object.values(responses))
        if (description.startsWith('code: ')) for (const code of description.slice('code: '.length).split(', ')) codes.add(code)
  return [...codes].sort()
}

/** The text of `src/api.ts` for an OpenAPI file. */
export function apiOf(spec) {
  const schemas = Object.entries(spec.components.schemas).map(([name, schema]) => interfaceOf(name, schema))
  const routes = Object.entries(spec.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, op]) => routeOf(method, path, op)))
  const codes = codesOf(spec.paths).map((code) => `  | '${code}'\n`)
  return `/**
 * The types of the HTTP side under \`/api/v1\`. Made of the server's OpenAPI file by \`npm run types\`; not to be changed by hand.
 * Times are milliseconds since 1970.
 */

${schemas.join('\n')}
/** Each request with its body and its reply. \`{id}\` stands for an id in the path. */
export interface Api {
${routes.join('')}}

/** Codes of \`Failure\`; a newer server may have others. */
export type ApiErrorCode =
${codes.join('')}  | (string & {})
`
}

/** The text as it should be now. */
export const current = () => apiOf(JSON.parse(readFileSync(source, 'utf8')))

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, current())
