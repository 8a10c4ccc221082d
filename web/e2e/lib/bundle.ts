import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** The source of a module of this folder with all that it imports, as one script for a page. Its exports go into the variable `name`. */
export async function bundle(path: string, name?: string): Promise<string> {
  const entry = fileURLToPath(new URL(`../${path}`, import.meta.url))
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'iife', target: 'es2022', ...(name === undefined ? {} : { globalName: name }) })
  return outputFiles[0]?.text ?? ''
}
