import { describe, expect, test } from 'bun:test'
import { Breach } from './audit/breach.ts'
import { BREAKAGES, type Breakage } from './breakages.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { World } from './world.ts'

/** Of 1,000 that the design allows. */
const SEEDS_MAX = 10
const WHOLE_SEEDS = 3

const CALM = SCENARIOS.find(({ name }) => name === 'last-five-percent')!
const SMALL: Scenario = { ...CALM, hours: 0.5, regions: 2, nodes: 6, campaigns: 6, requestsPerSecond: 3 }

/** Restored to before a region was given up, once while that is cut off still and once after it was heard of. */
const RESTORED: Scenario = {
  ...SMALL,
  campaigns: 12,
  requestsPerSecond: 6,
  eventsFrom: 10,
  eventsTo: 60,
  cpcShare: 0,
  faults: {
    ...CALM.faults,
    cut: [{ from: 0.002, to: 0.2 }],
    fencedAt: 0.02,
    homeLost: [
      { from: 0.1, to: 0.11, backupAgeMinutes: 5 },
      { from: 0.3, to: 0.31, backupAgeMinutes: 17 },
    ],
  },
}

/** Small worlds in which the fault happens often that the rule is there for. */
const WORLDS: Readonly<Record<Breakage, Scenario>> = {
  'grant-unchecked': SMALL,
  'close-at-once': {
    ...SMALL,
    nodes: 16,
    campaigns: 12,
    requestsPerSecond: 0.3,
    eventsFrom: 10,
    eventsTo: 60,
    cpcShare: 0,
    faults: { ...CALM.faults, workerCrashesPerHour: 60 },
  },
  'day-of-click': { ...SMALL, startHour: 23.7, cpcShare: 1 },
  'node-clock': { ...SMALL, faults: { ...CALM.faults, clockSkewMs: 50_000 } },
  'merge-by-adding': { ...SMALL, faults: { ...CALM.faults, duplicateShare: 0.02 } },
  'node-keeps-grant': { ...SMALL, faults: { ...CALM.faults, nodesKilledPerMinute: 0.1 } },
  'restore-grants-at-once': RESTORED,
  'restore-forgets-fences': RESTORED,
  'restore-forgets-honoured': RESTORED,
  'holds-forgotten': { ...SMALL, cpcShare: 0 },
  'holds-by-node-clock': { ...SMALL, cpcShare: 0, faults: { ...CALM.faults, clockSkewMs: 3_600_000 } },
  'holds-given-back': { ...SMALL, cpcShare: 1 },
  // A burst finds nodes with little granted by the new epoch, and much by the old one.
  'old-epoch-accepted': {
    ...SMALL,
    hours: 0.1,
    cpcShare: 0,
    requestsPerSecond: 1,
    eventsFrom: 2000,
    eventsTo: 4000,
    faults: { ...CALM.faults, workerCrashesPerHour: 1200, zombies: true, spike: { at: 0.02, times: 40 } },
  },
  'void-ignored': {
    ...SMALL,
    startHour: 23.9,
    eventsFrom: 2000,
    eventsTo: 4000,
    cpcShare: 0,
  },
  'refund-twice': { ...SMALL, refundShare: 0.1 },
  'decisions-forgotten': {
    ...SMALL,
    faults: { ...CALM.faults, workerCrashesPerHour: 60, replay: true },
  },
  // Clicks of a region that was given up find its money gone.
  'waiting-forgotten': {
    ...SMALL,
    cpcShare: 1,
    faults: { ...CALM.faults, cut: [{ from: 0.05, to: 0.3 }], fencedAt: 0.1 },
  },
}

const whole = new Map<Scenario, string | null>()

/** Nothing is to be found where nothing is broken: once for each world. */
function findWhole(scenario: Scenario): string | null {
  const known = whole.get(scenario)
  if (known !== undefined) return known
  const found = find(scenario, null, WHOLE_SEEDS)
  whole.set(scenario, found)
  return found
}

/** Runs until something is found, or until all is well. */
function find(scenario: Scenario, breakage: Breakage | null, seeds: number): string | null {
  for (let seed = 1; seed <= seeds; seed++) {
    const world = new World(scenario, seed, null, breakage)
    silenceNodes(world)
    try {
      world.runUntil(world.drained)
      world.auditor.checkDrained(world.workers)
    } catch (error) {
      if (!(error instanceof Breach)) throw error
      return error.message
    }
  }
  return null
}

/** Nodes that neither hear nor say anything for half a minute. */
function silenceNodes({ events, nodes, random }: World): void {
  const turn = () => {
    const node = random.pick(nodes)
    node.cutOff = true
    events.after(30_000, () => {
      node.cutOff = false
    })
    events.after(60_000, turn)
  }
  events.after(60_000, turn)
}

const FOUND: Readonly<Record<Breakage, RegExp>> = {
  'grant-unchecked': /out on a day/,
  'close-at-once': /while its nodes have/,
  'day-of-click': /another day/,
  'node-clock': /after its lease began/,
  'merge-by-adding': /out on a day/,
  'node-keeps-grant': /nothing granted/,
  'restore-grants-at-once': /out on a day|was billed/,
  'restore-forgets-fences': /out on a day|was billed/,
  'restore-forgets-honoured': /out on a day|was billed/,
  'holds-forgotten': /may still come of what they chose/,
  'holds-by-node-clock': /may still come of what they chose/,
  'holds-given-back': /may still come of what they chose/,
  'old-epoch-accepted': /granted/,
  'void-ignored': /after a stop, a fence or midnight/,
  'refund-twice': /were given back/,
  'decisions-forgotten': /was charged twice/,
  'waiting-forgotten': /neither charged nor refused/,
}

describe('budgets, broken on purpose', () => {
  for (const breakage of BREAKAGES) {
    test(`${breakage} is found within ${SEEDS_MAX} seeds, and nothing where it is whole`, () => {
      expect(find(WORLDS[breakage], breakage, SEEDS_MAX)).toMatch(FOUND[breakage])
      expect(findWhole(WORLDS[breakage])).toBeNull()
    }, 60_000)
  }
})
