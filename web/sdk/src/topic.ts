/** The longest free topic in bytes of UTF-8, as the protocol has it. */
const maxBytes = 64

/** Control, format, private and unassigned characters. */
const unseen = /\p{C}/u

function bytes(text: string): number {
  let n = 0
  for (const c of text) {
    const code = c.codePointAt(0) ?? 0
    n += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return n
}

/** Letter by letter, so that a sigma at the end of a word is one like the others. */
function foldCase(text: string): string {
  return [...text.toUpperCase()].map((c) => c.toLowerCase()).join('')
}

/**
 * The one form of a topic in a person's own words, as the server compares it, but for rare letters; `undefined` if it cannot be one: empty, longer
 * than 64 bytes of UTF-8, or with characters that nobody sees.
 */
export function foldTopic(text: string): string | undefined {
  const folded = foldCase(text.normalize('NFKC')).normalize('NFKC').replace(/\s+/g, ' ').trim()
  return folded === '' || folded === 'any' || bytes(folded) > maxBytes || unseen.test(folded) ? undefined : folded
}
