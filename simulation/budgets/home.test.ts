import { expect, test } from 'bun:test'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time.ts'
import { SCENARIOS } from './scenarios.ts'
import { World } from './world.ts'

const CALM = SCENARIOS.find(({ name }) => name === 'last-five-percent')!
const SMALL = { ...CALM, hours: 0.5, regions: 2, nodes: 4, campaigns: 6 }

test('a restored home asks every worker, and grants nothing to those that have no shard of the campaign', () => {
  const backup = { from: 0.2, to: 0.21, backupAgeMinutes: 5 }
  const world = new World({ ...SMALL, faults: { ...CALM.faults, homeLost: [backup] } }, 1)
  world.runUntil(world.end)
  let asked = 0
  let served = 0
  for (const worker of world.workers) {
    for (const { facts, parent, shard } of worker.held.values()) {
      const granted = shard.days.reduce((sum, { link }) => sum + link.granted, 0)
      if (world.serves(worker, facts)) served += granted
      else {
        expect(granted).toBe(0)
        asked += parent.incarnation
      }
    }
  }
  expect(asked).toBeGreaterThan(0)
  expect(served).toBeGreaterThan(0)
})

test('a pause counts from when the home takes it: one that is down refuses it, and a lost one is up with its backup only', () => {
  const world = new World({ ...SMALL, faults: CALM.faults }, 1)
  const { number } = world.market.campaigns[0]!
  const pausedAt = () => world.auditor.money.books.get(number)!.pausedAt
  world.home.takeBackup()
  world.home.lose()
  world.home.pause(number, true)
  world.home.crash(1000)
  world.runUntil(world.start + MINUTE_MS)
  expect(pausedAt()).toBeNull()
  world.home.restore()
  expect(pausedAt()).toBe(world.start + MINUTE_MS)
  world.home.pause(number, false)
  expect(pausedAt()).toBeNull()
  world.home.crash(HOUR_MS)
  world.home.pause(number, true)
  world.home.pause(number, false)
  world.runUntil(world.start + MINUTE_MS + HOUR_MS)
  expect(pausedAt()).toBeNull()
  expect(world.auditor.money.stops).toHaveLength(2)
})
