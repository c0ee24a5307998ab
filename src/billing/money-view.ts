import type { Balance } from '../budgets/balance.ts'
import { type CampaignBudget, reservedTotal, spentOn, spentTotal } from '../budgets/budget.ts'
import { dayAt } from '../budgets/shard.ts'
import type { AdvertiserMoneyView, CampaignMoneyView } from '../campaigns/bodies.ts'

/** What readers are told of a campaign's money; `now` names the day that counts as today. */
export function campaignMoneyView(budget: CampaignBudget, now: number): CampaignMoneyView {
  const day = dayAt(budget, now) ?? budget.days.at(-1) ?? null
  return {
    spentTotalMicros: spentTotal(budget),
    day: day === null ? null : { name: day.day, start: day.start, end: day.end, spentMicros: spentOn(day) },
    heldMicros: reservedTotal(budget),
    stopped: budget.stopped,
  }
}

export function advertiserMoneyView(balance: Balance): AdvertiserMoneyView {
  return { balanceMicros: balance.balance, heldMicros: balance.reserved }
}
