import type { CampaignFacts } from './market.ts'
import type { WorkerPlace } from './places.ts'

/** A choice, as it travels in the token. */
export interface Impression {
  readonly serial: number
  readonly campaign: CampaignFacts
  /** The worker whose shard decides its events. */
  readonly worker: WorkerPlace
  /** By the wall clock of the node: tells the day. */
  readonly chosenAt: number
}

export interface TrackedEvent {
  readonly kind: 'render' | 'click'
  readonly impression: Impression
}

/** Of an event: the same, however often it is told. */
export function keyOf({ kind, impression }: TrackedEvent): number {
  return impression.serial * 2 + (kind === 'click' ? 1 : 0)
}
