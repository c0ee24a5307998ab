import type { ShardGrant, ShardReport } from '../../../src/budgets/shard-messages.ts'
import type { LeaseAsk, LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { Impression, TrackedEvent } from '../impression.ts'
import type { CampaignFacts } from '../market.ts'
import type { NodePlace, WorkerPlace } from '../places.ts'
import { Auditor, type Charged } from './auditor.ts'
import type { GivenBack, Moved } from './charge-book.ts'

/** What a breach concerned: the run is done again, and what happens to it is kept. */
export interface Watch {
  readonly campaign: number | null
  readonly node: number | null
}

const HISTORY_MAX = 60

/** Keeps the latest that concerned a campaign or a node in a bounded ring, beside the audit. */
export class WatchingAuditor extends Auditor {
  private readonly kept: string[] = []
  /** By who says it to whom: what is said again and again is told once. */
  private readonly saidLast = new Map<string, string>()

  constructor(
    private readonly watch: Watch,
    private readonly clock: () => string,
    ...of: ConstructorParameters<typeof Auditor>
  ) {
    super(...of)
  }

  override history(): readonly string[] {
    return this.kept
  }

  override chosen(
    node: NodePlace,
    lease: { campaign: number; partition: number },
    impression: Impression,
    cost: number,
  ): void {
    if (this.concerns(lease.campaign, node.boot)) {
      this.keep(`node ${node.boot} chose ${cost} thousandths of campaign ${lease.campaign}`)
    }
    super.chosen(node, lease, impression, cost)
  }

  override asked(ask: LeaseAsk): void {
    for (const said of ask.shards) {
      if (!this.concerns(said.campaign, ask.node)) continue
      const { chosenThousandths, returnedThousandths } = said
      this.keep(
        `node ${ask.node} told treasury ${ask.partition} epoch ${ask.epoch}: chosen ${chosenThousandths}, returned ${returnedThousandths}`,
      )
    }
    super.asked(ask)
  }

  override granted(worker: WorkerPlace, epoch: number, grant: LeaseGrant): void {
    for (const said of grant.shards) {
      if (!this.concerns(said.campaign, grant.node)) continue
      const stopped = said.stopped ? ', stopped' : ''
      this.keep(
        `worker ${worker.shardNumber} epoch ${epoch} granted node ${grant.node} ${said.grantedThousandths} in all${stopped}`,
      )
    }
    super.granted(worker, epoch, grant)
  }

  override leased(worker: WorkerPlace, epoch: number, lease: Moved): void {
    if (this.concerns(lease.campaign, null)) {
      this.keep(`worker ${worker.shardNumber} leased ${lease.amountMicros} to epoch ${epoch}`)
    }
    super.leased(worker, epoch, lease)
  }

  override charged(worker: WorkerPlace, event: TrackedEvent, charge: Charged): void {
    const { campaign, serial } = event.impression
    if (this.concerns(campaign.number, null)) {
      const day = new Date(charge.dayStart).toISOString().slice(0, 16)
      this.keep(
        `worker ${worker.shardNumber} fence ${charge.fence} charged ${charge.amount} for impression ${serial} to the day of ${day}`,
      )
    }
    super.charged(worker, event, charge)
  }

  override refunded(worker: WorkerPlace, back: GivenBack): void {
    if (this.concerns(this.money.campaignOf(back), null)) {
      this.keep(`worker ${worker.shardNumber} refunded ${back.amount} of impression ${back.serial}`)
    }
    super.refunded(worker, back)
  }

  override reported(worker: WorkerPlace, report: ShardReport): void {
    if (this.concerns(report.campaign, null)) {
      this.keepNews(`worker ${worker.shardNumber} reported to the home`, totals(report))
    }
    super.reported(worker, report)
  }

  override told(worker: WorkerPlace, grants: readonly ShardGrant[]): void {
    for (const grant of grants) {
      if (!this.concerns(grant.campaign, null)) continue
      const granted = grant.days.map(said => `${said.day} granted ${said.granted}`).join('; ')
      this.keepNews(
        `the home told worker ${worker.shardNumber}`,
        `fence ${grant.fence}; ${granted}${grant.stopped ? ', stopped' : ''}`,
      )
    }
    super.told(worker, grants)
  }

  override fenced(worker: WorkerPlace, campaign: number): void {
    if (this.concerns(campaign, null)) this.keep(`the home gave worker ${worker.shardNumber} up`)
    super.fenced(worker, campaign)
  }

  override honoured(
    report: { readonly campaign: number; readonly shard: number },
    said: { readonly fence: number; readonly start: number; readonly charged: number },
  ): void {
    if (this.concerns(report.campaign, null)) {
      this.keep(`the home honoured ${said.charged} of worker ${report.shard} fence ${said.fence}`)
    }
    super.honoured(report, said)
  }

  override reversed(worker: WorkerPlace, back: GivenBack): void {
    if (this.concerns(this.money.campaignOf(back), null)) {
      this.keep(`worker ${worker.shardNumber} reversed ${back.amount} of impression ${back.serial}`)
    }
    super.reversed(worker, back)
  }

  override capChanged(facts: CampaignFacts, cap: number): void {
    if (this.concerns(facts.number, null)) this.keep(`the daily cap became ${cap}`)
    super.capChanged(facts, cap)
  }

  /** Of a node: what it did with the campaign. Of a campaign alone: all. */
  private concerns(campaign: number, node: number | null): boolean {
    if (this.watch.campaign !== null && this.watch.campaign !== campaign) return false
    return this.watch.node === null || node === null || node === this.watch.node
  }

  private keepNews(who: string, said: string): void {
    if (this.saidLast.get(who) === said) return
    this.saidLast.set(who, said)
    this.keep(`${who}: ${said}`)
  }

  private keep(line: string): void {
    if (this.kept.length === HISTORY_MAX) this.kept.shift()
    this.kept.push(`${this.clock()}  ${line}`)
  }
}

function totals(report: ShardReport): string {
  const days = report.days.map(
    said =>
      `${said.day} granted ${said.granted}, returned ${said.returned}, charged ${said.charged}, refunded ${said.refunded}`,
  )
  return `fence ${report.fence}; ${days.join('; ')}`
}
