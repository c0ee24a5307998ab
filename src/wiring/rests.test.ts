import { expect, test } from 'bun:test'
import { HURRY_MS, REST_MS_MAX, Rests } from './rests.ts'

const NOW = 1000

test('a batch is rested behind for twice what it took, and for no longer than a record may wait', () => {
  const rests = new Rests()
  expect([0.9, 1, 8, 25, 400].map(batchMs => rests.behind(batchMs, NOW))).toEqual([
    0,
    2,
    16,
    REST_MS_MAX,
    REST_MS_MAX,
  ])
})

test('there is no rest behind a command until what it sends to other partitions had its time', () => {
  const rests = new Rests()
  rests.hurry(NOW)
  expect([0, HURRY_MS - 1, HURRY_MS].map(ms => rests.behind(10, NOW + ms))).toEqual([0, 0, 20])
})
