import { availableMicros } from '../budgets/balance.ts'
import { grantable, leasable } from '../budgets/budget.ts'
import { EvenPlans } from '../budgets/even-plans.ts'
import { unspent } from '../budgets/link.ts'
import { dayAt, unitPrice } from '../budgets/shard.ts'
import type { ShardView } from '../budgets/shard-view.ts'
import { TrafficCurve } from '../budgets/traffic-curve.ts'
import { Treasury } from '../budgets/treasury.ts'
import { parseId, partitionOf } from '../core/ids.ts'
import { type Clock, MINUTE_MS } from '../core/time.ts'
import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'
import { RecordKind } from '../records/record.ts'
import type { Changes } from './changes.ts'
import { budgetOf, comingDay } from './money-of.ts'
import type { Outgoing } from './outgoing.ts'
import type { Partition } from './partition.ts'

/** Leases of one record: it stays well below the limit of a record. */
const LEASES_PER_RECORD = 5000
/** For so long after a campaign found no money, the others on its balance give back what they do not use. */
const STARVED_MS = 10_000

/** The treasuries of a decider's partitions, with the money that decisions left and the plans of even campaigns. */
export class Treasuries {
  private readonly ofPartition: (Treasury | null)[]
  /** How requests are spread over the week: what even campaigns plan by. */
  private readonly curve = new TrafficCurve()
  private readonly plans = new EvenPlans(this.curve)
  /** By advertiser, when a campaign of it last found no money. */
  private readonly starvedAt = new Map<number, number>()

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly outgoing: Outgoing,
    private readonly clock: Clock,
    /** Ms that never jump, for the leases of nodes. */
    private readonly timer: Clock,
  ) {
    this.ofPartition = partitions.map(() => null)
  }

  open(partition: Partition, epoch: number): void {
    this.ofPartition[partition.number] = new Treasury(
      partition.number,
      epoch,
      campaign => this.viewOf(partition, campaign),
      campaign => this.onStarved(partition, campaign),
    )
  }

  wakeAll(): void {
    for (const partition of this.partitions) {
      for (const campaign of partition.budgets.keys()) this.wake(campaign)
    }
  }

  onAsk(ask: LeaseAsk): void {
    this.ofPartition[ask.partition]?.onAsk(ask, this.timer.now())
  }

  onCommit({ leases, calendars, catalog, requests }: Changes): void {
    for (const change of leases) {
      const treasury = this.ofPartition[change.partition]
      if (change.kind === 'leased') treasury?.onLeased(change.campaign, change.grantedMicros)
      else treasury?.onReleased(change.campaign, change.thousandths)
    }
    for (const partition of calendars) this.ofPartition[partition]?.wakeHungry()
    for (const change of catalog) {
      if (change.kind === 'campaign') this.wake(parseId('campaign', change.campaign.id)!)
      else if (change.kind === 'money') this.wake(parseId('campaign', change.campaignId)!)
    }
    for (const { row, requests: count } of requests.values()) this.curve.observe(row[0]! * MINUTE_MS, count)
  }

  /** Writes what nodes chose: each second, and at once where `decide` should know. */
  writeChosen(now: number, isSecond: boolean): void {
    for (const treasury of this.ofPartition) {
      if (treasury === null || !(isSecond || treasury.overdue)) continue
      const chosen = treasury.chosenSince(this.timer.now())
      if (chosen !== null) this.outgoing.buffer.json(RecordKind.chosen, treasury.partition, now, chosen)
    }
  }

  /** Writes the leases that are wanted; what nodes are granted of those that were decided. */
  grantRound(now: number): LeaseGrant[] {
    const grants: LeaseGrant[] = []
    for (const treasury of this.ofPartition) {
      if (treasury === null) continue
      const round = treasury.round(this.timer.now())
      grants.push(...round.grants)
      const leases = round.leases?.leases ?? []
      for (let i = 0; i < leases.length; i += LEASES_PER_RECORD) {
        this.outgoing.buffer.json(RecordKind.leaseTaken, treasury.partition, now, {
          epoch: treasury.epoch,
          leases: leases.slice(i, i + LEASES_PER_RECORD),
        })
      }
    }
    return grants
  }

  private wake(campaign: number): void {
    this.ofPartition[partitionOf(campaign)]?.wake(campaign)
  }

  /** A campaign found no money. Where its balance is what is short, its siblings are to give back what they do not use. */
  private onStarved(partition: Partition, campaign: number): void {
    const money = budgetOf(partition, campaign)
    if (money === null || availableMicros(money.balance) >= unitPrice(money.budget)) return
    const now = this.timer.now()
    const isNew = now - (this.starvedAt.get(money.advertiser) ?? Number.NEGATIVE_INFINITY) >= STARVED_MS / 2
    if (!isNew) return
    this.starvedAt.set(money.advertiser, now)
    for (const sibling of partition.campaignsOf.get(money.advertiser) ?? []) {
      this.ofPartition[partition.number]?.lookAt(sibling)
    }
  }

  private viewOf(partition: Partition, number: number): ShardView | null {
    const campaign = partition.entities.campaign.get(number)
    const money = budgetOf(partition, number)
    if (campaign === undefined || money === null) return null
    const now = this.clock.now()
    const { budget, balance } = money
    const { model } = budget
    const view = {
      model,
      price: model === 'cpc' ? budget.amount * 1000 : budget.amount,
      stopped: campaign.paused || campaign.archived || budget.stopped !== null,
      closed: campaign.whenAuthorityLost === 'closed',
      scarce: false,
      starving:
        this.timer.now() - (this.starvedAt.get(money.advertiser) ?? Number.NEGATIVE_INFINITY) < STARVED_MS,
      shard: 0,
    }
    const day = dayAt(budget, now) ?? comingDay(partition, budget, now)
    if (day === null || now >= day.end) {
      return { ...view, grantableMicros: 0, pacing: 1, dayStart: now, dayEnd: Number.POSITIVE_INFINITY }
    }
    const { allowance, factor } = this.plans.paceOf(number, campaign, budget, day, now)
    const room = leasable(budget, day, balance, now)
    // What pays for no further event is not worth choosing for.
    const pays = unspent(day.link) + grantable(budget, day, balance) >= unitPrice(budget)
    return {
      ...view,
      grantableMicros: pays ? Math.min(room, allowance) : 0,
      pacing: factor,
      dayStart: day.start,
      dayEnd: day.end,
    }
  }
}
