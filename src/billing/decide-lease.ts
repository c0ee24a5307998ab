import { type CampaignBudget, rebalance, takeLease } from '../budgets/budget.ts'
import { endLease, isReserving, openEpoch, reportChosen, settledUntil, unlease } from '../budgets/shard.ts'
import type { ChosenRecord, EpochOpenedRecord, LeaseTakenRecord } from '../records/events.ts'
import { type BudgetOf, budgetOf, dayFor } from './money-of.ts'
import type { Turn } from './partition.ts'

/** The treasury starts anew, with an epoch that was never used: what older epochs leased and did not choose is
 * free, at once or once no node can choose with it any more. */
export function decideEpochOpened(turn: Turn, opened: EpochOpenedRecord): void {
  const { epoch, holdMs, drainMs, blockSeconds, keptMs } = opened
  const { partition, changes } = turn
  if (epoch <= partition.head.treasuryEpoch) return
  partition.head.treasuryEpoch = epoch
  if (holdMs !== undefined) partition.head.holdMs = holdMs
  if (blockSeconds !== undefined) partition.head.blockSeconds = blockSeconds
  if (keptMs !== undefined) partition.head.keptMs = keptMs
  for (const campaign of inOrder(partition.reserving)) {
    const money = budgetOf(partition, campaign)
    // One that has nothing out any more is not found after a restart either.
    if (money === null || !isReserving(money.budget)) continue
    openEpoch(money.budget, epoch, partition.head.time, drainMs ?? 0)
    rebalance(money.budget, money.balance, partition.head.time)
    changes.touchBudget(partition, campaign)
    changes.touchBalance(partition.number, money.advertiser)
  }
}

/** Leases for nodes to choose with. What cannot be granted is granted in part, or not at all. */
export function decideLeaseTaken(turn: Turn, record: LeaseTakenRecord): void {
  const { partition, changes } = turn
  for (const lease of record.leases) {
    const money = budgetOf(partition, lease.campaign)
    const campaign = partition.entities.campaign.get(lease.campaign)
    if (money === null || campaign === undefined) continue
    let granted = 0
    const serves = !campaign.paused && !campaign.archived && money.budget.stopped === null
    if (serves && record.epoch === partition.head.treasuryEpoch) {
      const day = dayFor(turn, lease.campaign, money, partition.head.time)
      if (day !== null && lease.amountMicros < 0) unlease(day, Math.round(-lease.amountMicros * 1000))
      else if (day !== null && partition.head.time < day.end) {
        granted = takeLease(money.budget, day, money.balance, {
          epoch: record.epoch,
          amountMicros: lease.amountMicros,
          now: partition.head.time,
        })
      }
    }
    // Written even where nothing was granted: the epoch may have changed.
    changes.touchBudget(partition, lease.campaign)
    changes.touchBalance(partition.number, money.advertiser)
    if (granted > 0) partition.reserving.add(lease.campaign)
    if (lease.amountMicros < 0) continue
    changes.leases.push({
      kind: 'leased',
      partition: partition.number,
      campaign: lease.campaign,
      grantedMicros: granted,
    })
  }
}

/** Nodes have chosen: what was leased becomes what is held for the chosen impressions. */
export function decideChosen(turn: Turn, record: ChosenRecord): void {
  const { partition, changes } = turn
  for (const report of record.shards) {
    const money = budgetOf(partition, report.campaign)
    if (money === null) continue
    const day = dayFor(turn, report.campaign, money, partition.head.time)
    if (day === null) continue
    reportChosen(money.budget, day, { epoch: record.epoch, ...report }, partition.head.time)
    endLeases(turn, report.campaign, money)
    rebalance(money.budget, money.balance, partition.head.time)
    partition.reserving.add(report.campaign)
    changes.touchBudget(partition, report.campaign)
    changes.touchBalance(partition.number, money.advertiser)
  }
}

/**
 * Holds lapse with time, and days end. Campaigns with nothing reserved are left alone until they lease again; those with
 * leases alone, until the day ends: 100,000 of them took 40 ms a second. To go through one more changes nothing, so that
 * it does not matter to a replay which ones a restart takes in.
 */
export function sweepReserves(turn: Turn): void {
  const { partition, changes } = turn
  const { unsettled, reserving, head } = partition
  if (head.time >= partition.leasesEndAt) {
    partition.leasesEndAt = Number.POSITIVE_INFINITY
    for (const campaign of reserving) unsettled.add(campaign)
  }
  for (const campaign of inOrder(unsettled)) {
    const money = reserving.has(campaign) ? budgetOf(partition, campaign) : null
    if (money === null) {
      unsettled.delete(campaign)
      continue
    }
    const before = money.balance.reserved
    const heldBefore = holdsOf(money.budget)
    endLeases(turn, campaign, money)
    rebalance(money.budget, money.balance, partition.head.time)
    const isOver = !isReserving(money.budget)
    // Written where it is over, too, though no money moved: else a restart finds it reserving still, and a replay not.
    if (isOver || money.balance.reserved !== before || holdsOf(money.budget) !== heldBefore) {
      changes.touchBudget(partition, campaign)
      changes.touchBalance(partition.number, money.advertiser)
    }
    if (isOver) reserving.delete(campaign)
    const endsAt = isOver ? Number.POSITIVE_INFINITY : settledUntil(money.budget, head.time)
    if (endsAt <= head.time) continue
    unsettled.delete(campaign)
    partition.leasesEndAt = Math.min(partition.leasesEndAt, endsAt)
  }
}

/** What was leased of a day that is over cannot be chosen with any more: the treasury leases it anew, of the day that has begun. */
function endLeases(turn: Turn, campaign: number, { budget }: BudgetOf): void {
  const { partition, changes } = turn
  for (const day of budget.days) {
    const thousandths = endLease(budget, day, partition.head.time)
    if (thousandths === 0) continue
    changes.leases.push({ kind: 'released', partition: partition.number, campaign, thousandths })
  }
}

/** Changes whenever a hold lapses, or a lease drains or has drained: the row must be written then, or a restart would find another state than a replay. */
function holdsOf({ days }: CampaignBudget): number {
  let sum = 0
  for (const { renders, clicks, draining } of days) {
    sum += renders.length + (clicks?.minute ?? 0) + (draining ?? 0)
  }
  return sum
}

/** Who comes first gets scarce money: the order must be the same after a restart. */
export function inOrder(campaigns: ReadonlySet<number>): number[] {
  return [...campaigns].sort((a, b) => a - b)
}
