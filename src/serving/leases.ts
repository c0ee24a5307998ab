import type { EdgeColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'

/** What was chosen of one campaign since the edge's boot, under one epoch. */
interface Chosen {
  readonly campaign: number
  readonly partition: number
  impressions: number
  chosenThousandths: number
  variance: number
  granted: number
  changed: boolean
}

/**
 * The edge's side of its leases: adds grants to the allowances that serving spends from, and tells the treasury what was
 * chosen. Totals only grow, so a grant that comes twice or late adds nothing. A grant of another epoch than the
 * newest of its partition is refused.
 */
export class Leases {
  private readonly chosen = new Map<number, Chosen>()
  private readonly epochs = new Map<number, number>()
  /** Grants for campaigns that no snapshot has yet. */
  private waiting = new Map<number, number>()

  constructor(
    private readonly node: number,
    private readonly catalog: Pick<CatalogReader, 'slotOf'>,
    private readonly columns: EdgeColumns,
  ) {}

  onGrant(grant: LeaseGrant): void {
    if (grant.node !== this.node) return
    const epoch = this.epochs.get(grant.partition) ?? 0
    if (grant.epoch < epoch) return
    this.epochs.set(grant.partition, grant.epoch)
    for (const shard of grant.shards) {
      const of = this.of(shard.campaign, grant.partition)
      const more = shard.grantedThousandths - of.granted
      if (more > 0) {
        of.granted = shard.grantedThousandths
        this.waiting.set(shard.campaign, (this.waiting.get(shard.campaign) ?? 0) + more)
      }
      const slot = this.catalog.slotOf(shard.campaign)
      if (slot >= 0) this.columns.pacing[slot] = shard.pacing
      else if (!this.waiting.has(shard.campaign)) this.waiting.set(shard.campaign, 0)
    }
    this.settle()
  }

  /** Adds what waited for its campaign to appear. Called after each new snapshot. */
  settle(): void {
    for (const [campaign, more] of this.waiting) {
      const slot = this.catalog.slotOf(campaign)
      if (slot < 0) continue
      this.columns.allowanceThousandths[slot]! += more
      if (this.columns.pacing[slot] === 0) this.columns.pacing[slot] = 1
      this.waiting.delete(campaign)
    }
  }

  /** Adds what was chosen of a campaign: its money in thousandths of a micro, the variance in their square. */
  record(campaign: number, impressions: number, chosenThousandths: number, variance: number): void {
    const of = this.of(campaign, campaign % 256)
    of.impressions += impressions
    of.chosenThousandths += chosenThousandths
    of.variance += variance
    of.changed = true
  }

  /** What to tell the treasuries; a partition with nothing new is left out, unless `all` is asked for. */
  asks(sentAt: number, partitions: number, all: boolean): LeaseAsk[] {
    const shards = new Map<number, LeaseAsk['shards'][number][]>()
    for (const of of this.chosen.values()) {
      if (!of.changed) continue
      of.changed = false
      const { campaign, impressions, chosenThousandths, variance } = of
      const list = shards.get(of.partition) ?? []
      if (list.length === 0) shards.set(of.partition, list)
      list.push({ campaign, shard: 0, impressions, chosenThousandths, variance })
    }
    const asks: LeaseAsk[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const list = shards.get(partition)
      if (list === undefined && !all) continue
      asks.push({
        node: this.node,
        partition,
        epoch: this.epochs.get(partition) ?? 0,
        sentAt,
        shards: list ?? [],
      })
    }
    return asks
  }

  epochOf(partition: number): number {
    return this.epochs.get(partition) ?? 0
  }

  private of(campaign: number, partition: number): Chosen {
    let of = this.chosen.get(campaign)
    if (of === undefined) {
      of = {
        campaign,
        partition,
        impressions: 0,
        chosenThousandths: 0,
        variance: 0,
        granted: 0,
        changed: false,
      }
      this.chosen.set(campaign, of)
    }
    return of
  }
}
