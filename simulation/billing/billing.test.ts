import { describe, expect, test } from 'bun:test'
import { AuditFailure } from './auditor.ts'
import type { Breakage } from './machine.ts'
import { World } from './world.ts'

const FIRST = Number(Bun.env['SEED'] ?? 1)
const SEEDS = Number(Bun.env['SEEDS'] ?? 20)
const EVENTS = 200

async function simulate(seed: number, breakage: Breakage = 'none'): Promise<World> {
  const world = new World(seed, breakage)
  try {
    await world.run(EVENTS)
  } catch (error) {
    throw error instanceof AuditFailure
      ? new AuditFailure(`seed ${seed}: ${error.message}`)
      : new Error(`seed ${seed}`, { cause: error })
  } finally {
    world.close()
  }
  return world
}

describe('billing, simulated', () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    test(`seed ${seed} passes the audit`, async () => {
      const world = await simulate(seed)
      expect(world.clockSteps).toBeGreaterThan(0)
      expect(world.crashes).toBeGreaterThan(1)
      expect(world.chosen).toBeGreaterThan(EVENTS / 4)
    }, 30_000)
  }
})

describe('the auditor finds', () => {
  test.each([
    ['bitsDropped', /charged twice|repeats counted|spent|not valid/],
    ['idsDropped', /charged twice|of kind/],
    ['offsetNotMoved', /repeats counted|deposits differ|charged twice/],
    ['accountChanged', /account fee has/],
  ] as const)(
    '%s',
    async (breakage, finding) => {
      expect(simulate(4, breakage)).rejects.toThrow(finding)
    },
    30_000,
  )
})
