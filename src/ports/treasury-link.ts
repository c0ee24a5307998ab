/**
 * Asks and grants between a serving node and the treasury of a partition. Messages may be lost, repeated, late and
 * reordered: they carry totals, and merging takes the maximum (DESIGN: "Budgets"). Money is in thousandths of a micro.
 */

/** What a node says, one message for each partition: totals since the node's boot under one term of an epoch. */
export interface LeaseAsk {
  /** The node's boot number: a node that was restarted is another node. */
  readonly node: number
  readonly partition: number
  readonly epoch: number
  /** Under which the treasury knows the node: totals of an older term were closed, and are not read. 0 where none is. */
  readonly term: number
  /** By the node's own timer: the lease that the answer renews starts here. */
  readonly sentAt: number
  /** The latest grant of this term that it has heard, by `sequence`; 0 where none. */
  readonly heard: number
  /** What changed since the last ask that was answered. */
  readonly shards: readonly {
    readonly campaign: number
    readonly shard: number
    /** Impressions chosen, and the money that they may cost, since the term began. */
    readonly impressions: number
    readonly chosenThousandths: number
    /** Of the clicks that are expected, in squared thousandths of a micro. */
    readonly variance: number
    /** What the node was granted and will not choose with. */
    readonly returnedThousandths: number
    /** What it had been granted under the epoch before, and had in hand when it heard of this one. */
    readonly droppedThousandths: number
  }[]
}

/** What the treasury answers: totals granted to this node under this term of its epoch. */
export interface LeaseGrant {
  readonly node: number
  readonly partition: number
  readonly epoch: number
  /**
   * Numbers the nodes of an epoch as the treasury comes to know them. One whose lease was closed while it was silent is
   * known anew, under a higher term: it drops what it had, and all totals start from nothing.
   */
  readonly term: number
  /** Counts the treasury's messages to this node. Each tells all that the node has not said to have heard. */
  readonly sequence: number
  /** Of the ask that it answers: the renewed lease starts there. Null where nobody asked: it renews nothing. */
  readonly askSentAt: number | null
  readonly validMs: number
  readonly shards: readonly {
    readonly campaign: number
    readonly shard: number
    readonly grantedThousandths: number
    /**
     * Of all that was granted, so much is not to be chosen with any more: the campaign stopped since, or a new day began.
     * The node gives back what it has in hand of it.
     */
    readonly voidThousandths: number
    /** Share of eligible requests that pacing lets the node bid on, 0 to 1. */
    readonly pacing: number
    readonly stopped: boolean
    /** The day whose money it is: what is chosen with it counts for that day, whatever the node's clock says. */
    readonly dayStart: number
    readonly dayEnd: number
    /** Money is short: what is not used within a second is to go back. */
    readonly scarce: boolean
    /** `whenAuthorityLost`: stop as soon as asks go unanswered, not when the lease ends. */
    readonly closed: boolean
  }[]
}
