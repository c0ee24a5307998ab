import { expect, test } from 'bun:test'
import { SCENARIOS } from './budgets/scenarios.ts'
import { commandOf, readOptions } from './options.ts'
import { shortSize } from './sizes.ts'

test('--short gives each scenario its own size, of which what is said stands', () => {
  const { jobs } = readOptions(['--scenario', 'all', '--short', '--seeds', '2', '--nodes', '5'])
  expect(jobs).toHaveLength(2 * SCENARIOS.length)
  for (const { scenario, size } of jobs) expect(size).toEqual({ ...shortSize(scenario), nodes: 5 })
  expect(new Set(jobs.map(({ size }) => size.hours)).size).toBeGreaterThan(1)
})

test('the command line of a job gives that job again', () => {
  for (const args of [['--short'], ['--hours', '0.5', '--regions', '2'], []]) {
    for (const job of readOptions(['--scenario', 'all', '--seed', '7', ...args]).jobs) {
      const [, , ...again] = commandOf(job).split(' ')
      expect(readOptions(again).jobs).toEqual([job])
    }
  }
})
