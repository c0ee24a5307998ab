import { availableMicros } from '../budgets/balance.ts'
import {
  type CampaignBudget,
  type DayBudget,
  outOn,
  rebalance,
  reservedTotal,
  spentTotal,
} from '../budgets/budget.ts'
import { unspent } from '../budgets/link.ts'
import { unlease } from '../budgets/shard.ts'
import { MICROS_MAX } from '../core/money.ts'
import type { BudgetOf } from './money-of.ts'
import type { Turn } from './partition.ts'

/** Campaigns of a balance, the oldest, that leases are taken back from: a charge without money goes through all of them. */
const CAMPAIGNS_MAX = 1000

/**
 * For a charge that found too little money: takes back what nodes have leased for other campaigns of the balance and have
 * not said that they chose with. What has happened comes before what may. Nodes hear of it; what they choose until then may
 * find no money, and is given away. Returns whether the balance has the amount now: then the charge is to be tried again.
 */
export function takeBackLeases(turn: Turn, money: BudgetOf, day: DayBudget, amount: number): boolean {
  const { partition } = turn
  const { budget, balance, advertiser } = money
  const missing = amount - unspent(day.link)
  if (missing > Math.min(balance.balance + balance.credit, capRoom(budget, day))) return false
  for (const campaign of (partition.campaignsOf.get(advertiser) ?? []).slice(0, CAMPAIGNS_MAX)) {
    if (availableMicros(balance) >= missing) break
    const sibling = partition.budgets.get(campaign)
    if (sibling !== undefined && sibling !== budget) takeBack(turn, money, campaign, sibling)
  }
  return availableMicros(balance) >= missing
}

/** What the caps would still grant to the day, whatever the balance. */
function capRoom(budget: CampaignBudget, day: DayBudget): number {
  const { dailyCap, totalCap } = budget
  return Math.min(
    dailyCap === null ? MICROS_MAX : dailyCap - outOn(day),
    totalCap === null ? MICROS_MAX : totalCap - spentTotal(budget) - reservedTotal(budget),
  )
}

function takeBack(
  { partition, changes }: Turn,
  { balance, advertiser }: BudgetOf,
  campaign: number,
  budget: CampaignBudget,
): void {
  let thousandths = 0
  for (const day of budget.days) {
    thousandths += day.leaseLeft
    unlease(day, day.leaseLeft)
  }
  if (thousandths === 0) return
  rebalance(budget, balance, partition.head.time)
  changes.leases.push({ kind: 'released', partition: partition.number, campaign, thousandths })
  changes.touchBudget(partition, campaign)
  changes.touchBalance(partition.number, advertiser)
}
