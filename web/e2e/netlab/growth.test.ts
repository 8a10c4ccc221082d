import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthOf, judge } from './growth.js'

const ratios: { name: string; during: number; beside: number; want: number }[] = [
  { name: 'twice as long', during: 200, beside: 100, want: 2 },
  { name: 'no picture in the stall', during: Infinity, beside: 100, want: Infinity },
  { name: 'no picture beside it either', during: Infinity, beside: Infinity, want: Infinity },
  { name: 'nothing to compare with', during: 100, beside: Infinity, want: Infinity },
  { name: 'nothing known', during: NaN, beside: NaN, want: Infinity },
  { name: 'no delay at all', during: 0, beside: 0, want: 0 },
]
for (const { name, during, beside, want } of ratios) {
  test(`growth: ${name}`, () => assert.equal(growthOf(during, beside), want))
}

const fine = [1, 0.9, 1.1]
const verdicts: { name: string; people: number[][]; all: number; each: number[] }[] = [
  { name: 'all are fine', people: [fine, fine, fine, fine], all: 1, each: [1, 1, 1, 1] },
  { name: 'one of four has no picture in any stall', people: [fine, [Infinity, Infinity, Infinity], fine, fine], all: 1.1, each: [1, Infinity, 1, 1] },
  { name: 'one bad moment', people: [fine, fine, [1, 40, 1], fine], all: 1, each: [1, 1, 1, 1] },
  { name: 'all are slow', people: [[2, 2, 2], [2, 3, 2]], all: 2, each: [2, 2] },
  { name: 'nobody', people: [], all: NaN, each: [] },
]
for (const { name, people, all, each } of verdicts) {
  test(`verdict: ${name}`, () => assert.deepEqual(judge(people), { all, each }))
}
