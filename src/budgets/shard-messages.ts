/**
 * What a shard and its campaign say to each other where they do not share a partition. Both carry totals, so that
 * messages may be lost, repeated, late and reordered: merging takes the maximum.
 */

/** A day's totals, as the sender knows them. `start` names the day. */
export interface DayTotals {
  readonly day: string
  readonly start: number
  readonly end: number
  readonly granted: number
  readonly returned: number
  readonly charged: number
  readonly refunded: number
}

/** What a shard would like to have unspent of a day, and what charges wait for that find no money there. */
export interface Wanted {
  readonly start: number
  readonly micros: number
  readonly shortMicros: number
}

/** From the shard. */
export interface ShardReport {
  readonly campaign: number
  readonly shard: number
  /** Under which it speaks: a lower one than the parent's is late. */
  readonly fence: number
  /** The newest incarnation of the parent that it has heard: a restored parent waits for this echo. */
  readonly echoed: number
  readonly days: readonly DayTotals[]
  readonly wanted: readonly Wanted[]
}

/** From the campaign. */
export interface ShardGrant {
  readonly campaign: number
  readonly shard: number
  readonly fence: number
  readonly incarnation: number
  readonly days: readonly {
    readonly day: string
    readonly start: number
    readonly end: number
    readonly granted: number
  }[]
  /** The campaign cannot grant yet, whatever it has: it was restored, and waits for its shards to tell. */
  readonly undecided: boolean
  /** Choose no more: paused, ended or out of money. */
  readonly stopped: boolean
  /** There is less than all would like: what is not needed is to go back. */
  readonly scarce: boolean
  /** Share of eligible requests that pacing lets nodes bid on, 0 to 1. */
  readonly pacing: number
  /** What is honoured of the charges under an older fence, by day: the rest is to be reversed. */
  readonly honoured: readonly { readonly fence: number; readonly start: number; readonly charged: number }[]
}
