import { describe, expect, test } from 'bun:test'
import type { Size } from '../options.ts'
import { runJob } from '../run.ts'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import { SCENARIOS } from './scenarios.ts'

const SEED = Number(Bun.env['SEED'] ?? 1)
/** Sizes of the tests, not of the command: the hours in which all goes wrong that does, and fewer campaigns. */
const SMALL = { nodes: 6, campaigns: 8, regions: null, hours: 2.5, requests: null }
const SIZES: Record<string, Size> = {
  'calm-day': { ...SMALL, hours: 4 },
  'small-budgets': { ...SMALL, nodes: 16, campaigns: 12, hours: 2 },
  // The last of its midnights is at five.
  midnight: { ...SMALL, nodes: 3, hours: 10.2 },
  'everything-at-once': { ...SMALL, nodes: 4, hours: 3, requests: 0.8 },
}

/** Where each kind of fault is sure to happen. */
const HAPPENS_IN: Readonly<Record<FaultKind, string>> = {
  messageDelayed: 'calm-day',
  messageLost: 'calm-day',
  messageDuplicated: 'calm-day',
  messageReordered: 'calm-day',
  messageCutOff: 'region-cut',
  messageCutOffOneWay: 'everything-at-once',
  nodeCutOff: 'pause',
  nodeKilled: 'nodes-killed',
  nodeKilledWithSpool: 'nodes-killed',
  workerCrashedUnflushed: 'crashes',
  workerCrashedBeforeCommit: 'crashes',
  workerCrashedAfterCommit: 'crashes',
  treasuryCrashed: 'crashes',
  zombieGranted: 'crashes',
  zombieWoke: 'crashes',
  commitSlow: 'crashes',
  commitFailed: 'crashes',
  clockSkewed: 'skewed-clocks',
  clockSkewedHours: 'skewed-clocks',
  timerDrifted: 'skewed-clocks',
  homeCrashed: 'crashes',
  homeRestored: 'home-lost',
  regionGivenUp: 'region-lost',
  eventReplayed: 'replay',
}

describe('budgets, simulated', () => {
  for (const { name, about } of SCENARIOS) {
    test(`${name}: ${about}`, () => {
      const { breach, figures } = runJob({ scenario: name, seed: SEED, size: SIZES[name] ?? SMALL })
      expect(breach).toBeNull()
      expect(figures.overbilledMicros).toBe(0)
      expect(figures.charges).toBeGreaterThan(50)
      for (const kind of FAULT_KINDS) {
        if (HAPPENS_IN[kind] === name) expect(figures.faults[kind], kind).toBeGreaterThan(0)
      }
    }, 60_000)
  }
})
