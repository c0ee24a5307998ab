import { describe, expect, test } from 'bun:test'
import { runJob } from '../run.ts'
import { shortSize } from '../sizes.ts'
import { FAULT_KINDS, type FaultKind } from './faults.ts'
import { SCENARIOS } from './scenarios.ts'

const SEED = Number(Bun.env['SEED'] ?? 1)

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
      const { breach, figures } = runJob({ scenario: name, seed: SEED, size: shortSize(name) })
      expect(breach).toBeNull()
      expect(figures.overbilledMicros).toBe(0)
      expect(figures.charges).toBeGreaterThan(50)
      for (const kind of FAULT_KINDS) {
        if (HAPPENS_IN[kind] === name) expect(figures.faults[kind], kind).toBeGreaterThan(0)
      }
    }, 60_000)
  }
})
