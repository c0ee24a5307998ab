import { describe, expect, test } from 'bun:test'
import { figuresOf } from './figures.ts'
import { SCENARIOS } from './scenarios.ts'
import { World } from './world.ts'

const SEED = Number(Bun.env['SEED'] ?? 1)

describe('budgets, simulated', () => {
  for (const scenario of SCENARIOS) {
    test(`${scenario.name}: ${scenario.about}`, () => {
      const world = new World(scenario, SEED)
      world.runTo(1)
      const figures = figuresOf(world, SEED)
      expect(figures.overbilledMicros).toBe(0)
      expect(figures.charges).toBeGreaterThan(100)
    }, 120_000)
  }
})
