import { type NodeLease, NodeLeases } from '../budgets/node-leases.ts'
import type { EdgeColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import { partitionOf } from '../core/ids.ts'
import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'

/**
 * The edge's leases, as serving sees them: a column of what may still be chosen with, by campaign slot. Serving takes
 * from the column at once; what it took is recorded here afterwards, in the same turn as anything else that happens to
 * the leases, so that between turns the column is exactly what is left.
 */
export class Leases {
  private readonly leases: NodeLeases
  /** Of campaigns that no snapshot has yet. */
  private readonly waiting = new Set<NodeLease>()
  /** By partition, how far its leases have ended. */
  private readonly ended: Uint8Array

  constructor(
    node: number,
    partitions: number,
    private readonly catalog: Pick<CatalogReader, 'slotOf'>,
    private readonly columns: EdgeColumns,
  ) {
    this.leases = new NodeLeases(node, partitions)
    this.ended = new Uint8Array(partitions)
  }

  /** Takes a grant in. What was chosen before must have been recorded. */
  onGrant(grant: LeaseGrant, now: number): void {
    for (const lease of this.leases.onGrant(grant, now)) this.show(lease, now)
    this.end(now)
  }

  /** Shows what waited for its campaign to appear. Called after each new snapshot. */
  settle(now: number): void {
    for (const lease of this.waiting) this.show(lease, now)
  }

  /** Adds what was chosen of a campaign: its money in thousandths of a micro, the variance in their square. */
  record(campaign: number, impressions: number, thousandths: number, variance: number, now: number): void {
    const lease = this.leases.leaseOf(partitionOf(campaign), campaign, 0)
    this.leases.record(lease, impressions, thousandths, variance, now)
  }

  /**
   * Lets leases end that were not renewed, gives idle ones back, and says what to ask the treasuries. What was chosen
   * before must have been recorded.
   */
  turn(now: number): LeaseAsk[] {
    for (const lease of this.leases.returnIdle(now)) this.show(lease, now)
    this.end(now)
    return this.leases.asks(now)
  }

  /** Ends and renews leases by this edge's own timer. */
  end(now: number): void {
    for (let partition = 0; partition < this.ended.length; partition++) {
      const ended = this.leases.endedOn(partition, now)
      if (ended === this.ended[partition]) continue
      this.ended[partition] = ended
      for (const lease of this.leases.leasesOf(partition)) this.show(lease, now)
    }
  }

  private show(lease: NodeLease, now: number): void {
    const slot = this.catalog.slotOf(lease.campaign)
    if (slot < 0) {
      this.waiting.add(lease)
      return
    }
    this.waiting.delete(lease)
    this.columns.allowanceThousandths[slot] = this.leases.left(lease, now)
    this.columns.pacing[slot] = lease.pacing
    this.columns.dayStart[slot] = lease.dayStart
    this.columns.dayEnd[slot] = lease.dayEnd
  }
}
