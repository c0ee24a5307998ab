import type { Balance } from '../budgets/balance.ts'
import { type CampaignBudget, type DayBudget, foldDays, newDay } from '../budgets/budget.ts'
import { dayAt } from '../budgets/shard.ts'
import type { Partition, Turn } from './partition.ts'

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
 * of all known days falls to the campaign's newest, or, where it has none yet, to the day that it is now.
 */
export function dayFor(turn: Turn, campaign: number, money: BudgetOf, at: number): DayBudget | null {
  const { partition } = turn
  const { budget } = money
  const day =
    dayAt(budget, at) ??
    comingDay(partition, budget, at) ??
    budget.days.at(-1) ??
    comingDay(partition, budget, partition.head.time)
  if (day === null || budget.days.includes(day)) return day
  budget.days.push(day)
  foldDays(budget, money.balance)
  turn.changes.touchBudget(partition, campaign)
  turn.changes.touchBalance(partition.number, money.advertiser)
  return day
}

/** A day that the calendar has and the campaign has not opened. Changes nothing. */
export function comingDay(partition: Partition, budget: CampaignBudget, at: number): DayBudget | null {
  const last = budget.days.at(-1)
  if (last !== undefined && at < last.end) return null
  for (const day of partition.head.calendars[budget.timeZone] ?? []) {
    if (at >= day.start && at < day.end) return newDay(budget, day)
  }
  return null
}
