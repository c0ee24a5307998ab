import type { Balance } from '../budgets/balance.ts'
import { type CampaignBudget, type DayBudget, dayAt, foldDays, openDay } from '../budgets/budget.ts'
import type { Partition } from './partition.ts'

/** A campaign's money with what stands above it. */
export interface BudgetOf {
  readonly budget: CampaignBudget
  readonly balance: Balance
  readonly advertiser: number
  readonly currency: string
}

export function budgetOf(partition: Partition, campaign: number): BudgetOf | null {
  const budget = partition.budgets.get(campaign)
  const entity = partition.entities.campaign.get(campaign)
  if (budget === undefined || entity === undefined) return null
  const advertiser = partition.advertiserOf(campaign)
  const balance = partition.balances.get(advertiser)
  if (balance === undefined) return null
  return { budget, balance, advertiser, currency: entity.currency }
}

/**
 * The day of a campaign that holds a time: open already, or opened now from the calendar of its zone. A time outside
 * of all known days falls to the campaign's newest.
 */
export function dayFor(partition: Partition, money: BudgetOf, at: number): DayBudget | null {
  const { budget } = money
  const open = dayAt(budget, at)
  if (open !== null) return open
  const last = budget.days.at(-1)
  if (last === undefined || at >= last.end) {
    for (const day of partition.head.calendars[budget.timeZone] ?? []) {
      if (at < day.start || at >= day.end) continue
      const opened = openDay(budget, day)
      foldDays(budget, money.balance)
      if (opened !== null) return opened
    }
  }
  return budget.days.at(-1) ?? null
}
