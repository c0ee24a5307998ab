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

/** Of a link that a fence has closed. */
export interface ClosedTotals extends DayTotals {
  readonly fence: number
  /** The incarnation of the campaign that has said last what stands of it; what does not is among `refunded`. */
  readonly settled: number | null
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
  /** By shard of the campaign: the highest fence that it has heard of, its own and others'. */
  readonly fences: Readonly<Record<number, number>>
  readonly days: readonly DayTotals[]
  /** All that was charged under older fences, of days that are kept. */
  readonly closed: readonly ClosedTotals[]
  readonly wanted: readonly Wanted[]
}

/** From the campaign. */
export interface ShardGrant {
  readonly campaign: number
  readonly shard: number
  readonly fence: number
  readonly incarnation: number
  /** Of all shards of the balance that were given up. Money that a fence has freed never travels without it. */
  readonly fences: Readonly<Record<number, number>>
  readonly days: readonly {
    readonly day: string
    readonly start: number
    readonly end: number
    readonly granted: number
    /** What charges at other shards wait for: money that is held for clicks that may come is to go back for it. */
    readonly shortMicros: number
  }[]
  /** Shards that have money of a day on which charges wait here have not been heard of since: they may give some back. */
  readonly awaitsOthers: boolean
  /** The campaign cannot grant yet, whatever it has: it was restored, and waits for its shards to tell. */
  readonly undecided: boolean
  /** Choose no more: paused, ended or out of money. */
  readonly stopped: boolean
  /** There is less than all would like: what is not needed is to go back. */
  readonly scarce: boolean
  /** Share of eligible requests that pacing lets nodes bid on, 0 to 1. */
  readonly pacing: number
  /** Of what pacing holds back, more is let out after so many ms: there is no use in asking before. 0 where it is unknown. */
  readonly waitMs: number
  /** What stands of the charges under an older fence, by day: the rest is to be reversed. */
  readonly honoured: readonly { readonly fence: number; readonly start: number; readonly charged: number }[]
}
