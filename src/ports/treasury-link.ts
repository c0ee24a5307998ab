/**
 * Asks and grants between a serving node and the treasury of a partition. Messages may be lost, repeated, late and
 * reordered: they carry totals, and merging takes the maximum (DESIGN: "Budgets").
 */

/** What a node says, one message for each partition: totals since the node's boot under one epoch. */
export interface LeaseAsk {
  readonly node: number
  readonly partition: number
  readonly epoch: number
  readonly sentAt: number
  readonly shards: readonly {
    readonly campaign: number
    readonly shard: number
    /** Impressions chosen, and the money that they may cost, thousandths of a micro, since the epoch began. */
    readonly impressions: number
    readonly chosenThousandths: number
    readonly variance: number
  }[]
}

/** What the treasury answers: totals granted to this node under this epoch, in thousandths of a micro. */
export interface LeaseGrant {
  readonly node: number
  readonly partition: number
  readonly epoch: number
  /** Of the ask that it answers: the node's timer starts there. 0 for a grant that nobody asked for. */
  readonly askSentAt: number
  readonly validMs: number
  readonly shards: readonly {
    readonly campaign: number
    readonly shard: number
    readonly grantedThousandths: number
    /** Share of eligible requests that pacing lets the node bid on, 0 to 1. */
    readonly pacing: number
    readonly stopped: boolean
    /** `whenAuthorityLost`: stop as soon as asks go unanswered, not when the lease ends. */
    readonly closed?: boolean
  }[]
}
