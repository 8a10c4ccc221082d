import { expect, test } from 'vitest'
import { foldTopic } from '../src/topic.js'

const table: [string, string, string | undefined][] = [
  ['case', 'Board Games', 'board games'],
  ['white space', '  board \t\n  games ', 'board games'],
  ['full width', 'ＢＯＡＲＤ　ｇａｍｅｓ', 'board games'],
  ['sharp s', 'Straße', 'strasse'],
  ['sigma', 'ΧΑΟΣ', foldTopic('χαος')],
  ['composed', 'Cafe\u0301', 'caf\u00e9'],
  ['another script', '囲碁', '囲碁'],
  ['nothing', '', undefined],
  ['white space only', ' \t ', undefined],
  ['64 bytes', 'é'.repeat(32), 'é'.repeat(32)],
  ['65 bytes', 'é'.repeat(32) + 'a', undefined],
  ['more than 64 bytes with two words for each', '😀'.repeat(17), undefined],
  ['a control character', 'board\u0007games', undefined],
  ['a change of direction', 'board\u202egames', undefined],
  ['a zero-width space', 'board\u200bgames', undefined],
  ['a private character', '\ue000', undefined],
]

test.each(table)('%s', (_, text, folded) => {
  expect(foldTopic(text)).toBe(folded)
})

test('the form of a form is the same', () => {
  for (const [, , folded] of table) if (folded !== undefined) expect(foldTopic(folded)).toBe(folded)
})
