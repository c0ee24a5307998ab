import { expect, test } from 'bun:test'
import { missedGoals, type Row } from '../bench/table.ts'

const ROWS: readonly [figure: number, limit: number | null, goal: Row['goal'], missed: boolean][] = [
  [60_000, 60_000, 'atLeast', false],
  [59_999, 60_000, 'atLeast', true],
  [Number.NaN, 60_000, 'atLeast', true],
  [10, 10, 'atMost', false],
  [10.1, 10, 'atMost', true],
  [Number.NaN, 10, 'atMost', true],
  [1, 2, null, false],
  [3, 2, null, false],
  [Number.NaN, null, null, false],
]
test.each(ROWS)('%p beside %p, %p: missed %p', (figure, limit, goal, missed) => {
  const row = { what: 'a figure', figure, unit: '', limit, ratio: null, against: '', goal }
  expect(missedGoals([row])).toEqual(missed ? [row] : [])
})
