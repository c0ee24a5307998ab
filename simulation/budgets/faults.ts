import type { Random } from '../random.ts'
import type { Scenario } from './scenarios.ts'

/** What goes wrong, by kind: messages, nodes, workers and their treasuries, stores, clocks, the home, regions. */
export const FAULT_KINDS = [
  'messageDelayed',
  'messageLost',
  'messageDuplicated',
  'messageReordered',
  'messageCutOff',
  'messageCutOffOneWay',
  'nodeCutOff',
  'nodeKilled',
  'nodeKilledWithSpool',
  'workerCrashedUnflushed',
  'workerCrashedBeforeCommit',
  'workerCrashedAfterCommit',
  'treasuryCrashed',
  'zombieGranted',
  'zombieWoke',
  'commitSlow',
  'commitFailed',
  'clockSkewed',
  'clockSkewedHours',
  'timerDrifted',
  'homeCrashed',
  'homeRestored',
  'regionGivenUp',
  'eventReplayed',
] as const

export type FaultKind = (typeof FAULT_KINDS)[number]

/** How often each happened in a run. */
export type FaultCounts = Record<FaultKind, number>

export function noFaults(): FaultCounts {
  const counts: Partial<FaultCounts> = {}
  for (const kind of FAULT_KINDS) counts[kind] = 0
  return counts as FaultCounts
}

/** `messageCutOffOneWay` as people read it. */
export function faultText(kind: FaultKind): string {
  return kind.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}

/** Those that happened, the most frequent first. */
export function faultsText(counts: FaultCounts): string {
  const seen = FAULT_KINDS.filter(kind => counts[kind] > 0).sort((a, b) => counts[b] - counts[a])
  return seen.map(kind => `${faultText(kind)} ${counts[kind].toLocaleString('en')}`).join(', ')
}

/**
 * Where a worker dies: with records that are not on disk yet, once they are and before they are decided, or after the
 * commit and before anybody hears of it. Or its treasury alone, which has nothing but memory.
 */
export const CRASH_STEPS = ['unflushed', 'beforeCommit', 'afterCommit', 'treasury'] as const

export type CrashStep = (typeof CRASH_STEPS)[number]

export const CRASH_KINDS: Readonly<Record<CrashStep, FaultKind>> = {
  unflushed: 'workerCrashedUnflushed',
  beforeCommit: 'workerCrashedBeforeCommit',
  afterCommit: 'workerCrashedAfterCommit',
  treasury: 'treasuryCrashed',
}

/** What becomes of a commit. */
export function storeFaults({
  scenario,
  random,
  faults,
}: {
  readonly scenario: Scenario
  readonly random: Random
  readonly faults: FaultCounts
}): {
  readonly slow: boolean
  readonly fails: boolean
} {
  const slow = scenario.faults.slowStore && random.chance(0.0005)
  const fails = scenario.faults.failingStore && random.chance(0.001)
  if (slow) faults.commitSlow++
  if (fails) faults.commitFailed++
  return { slow, fails }
}
