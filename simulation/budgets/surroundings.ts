import type { NodeLeases } from '../../src/budgets/node-leases.ts'
import type { LeaseAsk, LeaseGrant } from '../../src/ports/treasury-link.ts'
import type { Random } from '../random.ts'
import type { Auditor } from './audit/auditor.ts'
import type { Breakage } from './breakages.ts'
import type { Events } from './events.ts'
import type { FaultCounts } from './faults.ts'
import type { Impression, TrackedEvent } from './impression.ts'
import type { CampaignFacts } from './market.ts'
import type { FromHome, FromWorker } from './messages.ts'
import type { Network } from './network.ts'
import type { NodePlace, WorkerPlace } from './places.ts'
import type { Scenario } from './scenarios.ts'

/** A node, as people's pixels and workers reach it. */
export interface ServingNode extends NodePlace {
  readonly alive: boolean
  readonly leases: NodeLeases
  timer(): number
  onGrant(grant: LeaseGrant): void
  track(event: TrackedEvent): void
}

/** A worker, as nodes reach it. */
export interface LoggingWorker extends WorkerPlace {
  onAsk(ask: LeaseAsk): void
  append(event: TrackedEvent, acknowledge: () => void): void
}

/** The world, as the home, workers and nodes see it: each other by name and by what they may be told, and no more. */
export interface Surroundings {
  readonly scenario: Scenario
  readonly breakage: Breakage | null
  readonly start: number
  readonly end: number
  readonly isDraining: boolean
  readonly events: Events
  readonly random: Random
  readonly network: Network
  readonly faults: FaultCounts
  readonly auditor: Auditor
  readonly campaigns: ReadonlyMap<number, CampaignFacts>
  readonly nodes: readonly ServingNode[]
  readonly workers: readonly WorkerPlace[]
  readonly workersPerRegion: number
  /** Asks and grants between nodes and treasuries. */
  leaseMessages: number
  /** When the home was up again after it was down last. */
  homeUpSince: number
  nextSerial(): number
  nodeOf(boot: number): ServingNode | undefined
  workerOf(region: number, index: number): LoggingWorker
  /** Where a campaign has shards. */
  workersFor(facts: CampaignFacts): readonly WorkerPlace[]
  serves(worker: WorkerPlace, facts: CampaignFacts): boolean
  toHome(from: WorkerPlace, message: FromWorker): void
  toWorker(to: WorkerPlace, message: FromHome): void
  /** What becomes of an impression that the node chose. */
  live(node: ServingNode, impression: Impression): void
}
