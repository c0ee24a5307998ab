import { expect, test } from 'bun:test'
import { Samples } from './samples.ts'
import { SCENARIOS } from './scenarios.ts'
import { World } from './world.ts'

const CALM = SCENARIOS.find(({ name }) => name === 'calm-day')!
const STEPS = 10

test('of a run of minutes the plan grows with each sample, and nothing is said of what is left of a day that goes on', () => {
  const world = new World({ ...CALM, startHour: 8, hours: 0.05, nodes: 4, campaigns: 12, evenShare: 1 }, 1)
  const samples = new Samples(world)
  for (let step = 1; step <= STEPS; step++) {
    world.runUntil(world.start + ((world.end - world.start) * step) / STEPS)
    samples.take()
  }
  const { planned } = samples.watched().find(({ why }) => why === 'paced')!
  expect(planned).toHaveLength(STEPS)
  // By the traffic's curve, which is nearly flat over minutes.
  for (const [i, by] of planned.entries()) expect(by / (planned[0]! * (i + 1))).toBeCloseTo(1, 1)
  expect(samples.worst().map(({ what }) => what)).not.toContain('left of a cap')
})
