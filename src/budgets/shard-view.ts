import type { ShardAccount } from './shard-account.ts'

/** What the treasury must know of a campaign's money to size a lease. Asked afresh each time. */
export interface ShardView {
  readonly model: 'cpc' | 'cpm'
  /** What one more choice may cost at most. */
  readonly price: number
  /** What the shard could lease, micros, pacing applied. */
  readonly grantableMicros: number
  readonly stopped: boolean
  /** Other shards want what this one does not use. */
  readonly scarce: boolean
  /** Other campaigns on the same balance find no money at all. */
  readonly starving: boolean
  readonly pacing: number
  /** `whenAuthorityLost` */
  readonly closed: boolean
  readonly shard: number
  readonly dayStart: number
  readonly dayEnd: number
}

/** How much a treasury does unasked. */
export interface Habits {
  /** Campaigns whose nodes have too little are looked at again this often: money may have come free. */
  readonly hungryMs: number
  /** A node that has run dry hears at once of more; else with the answer to its next ask, as messages grow with nodes. */
  readonly pushes: boolean
}

/** For nodes in the same process, and money that comes free by time alone. */
export const NEAR: Habits = { hungryMs: 250, pushes: true }

/** What could be leased or is, and is not chosen: thousandths. */
export function freeOf(shard: ShardAccount, view: ShardView): number {
  return Math.max(0, view.grantableMicros) * 1000 + shard.leased - shard.chosen
}

/** Nodes that the money is enough for, at least one. */
export function affordable(shard: ShardAccount, view: ShardView): number {
  return Math.max(1, Math.floor(freeOf(shard, view) / (4 * view.price)))
}
