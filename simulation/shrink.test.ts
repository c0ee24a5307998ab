import { expect, test } from 'bun:test'
import { HOUR_MS } from '../src/core/time.ts'
import type { Job } from './options.ts'
import { shrink } from './shrink.ts'

const job: Job = {
  scenario: 'region-cut',
  seed: 7,
  size: { nodes: 12, campaigns: 40, regions: 3, hours: 3, requests: null },
}
const breach = { message: 'over', campaign: 256, node: null, afterMs: HOUR_MS / 2 }

test('the smallest run that still breaches is found, and is no longer than the breach', () => {
  const tried: Job[] = []
  const found = shrink(
    { job, breach },
    smaller => {
      tried.push(smaller)
      const { nodes, campaigns } = smaller.size
      return nodes! >= 2 && campaigns! >= 5 ? breach : null
    },
    () => false,
  )
  expect(found.job.size).toMatchObject({ nodes: 2, campaigns: 5, regions: 1, hours: 0.51 })
  expect(found.job.seed).toBe(7)
  expect(tried.length).toBeLessThan(40)
})

test('a breach that no smaller run shows is kept as it is', () => {
  const found = shrink(
    { job, breach },
    () => null,
    () => false,
  )
  expect(found.job.size).toMatchObject({ nodes: 12, campaigns: 40, regions: 3, hours: 3 })
  expect(found.breach).toBe(breach)
})

test('no run begins after the time is up', () => {
  let runs = 0
  shrink(
    { job, breach },
    () => {
      runs++
      return breach
    },
    () => runs >= 2,
  )
  expect(runs).toBe(2)
})
