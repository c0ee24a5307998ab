import type { Campaign } from '../campaigns/campaign.ts'
import type { Balance } from './balance.ts'
import { type CampaignBudget, type DayBudget, grantable, reservedTotal, spentTotal } from './budget.ts'
import { netCharged, unspent } from './link.ts'

/** A paced campaign may be this far ahead of its plan: a lease covers the coming seconds. */
const LOOK_AHEAD_MS = 2000

/**
 * What may be granted now: all that the parents would grant for `asap`; for `even`, no more than the plan has by now.
 * The plan is a straight line over the day's cap, or over the total where the campaign has an end and no daily cap.
 * Micros.
 */
export function pacedGrantable(
  campaign: Pick<Campaign, 'pacing' | 'schedule' | 'createdAt'>,
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  now: number,
): number {
  const room = grantable(budget, day, balance)
  if (campaign.pacing !== 'even') return room
  const starts = Date.parse(campaign.schedule.startAt ?? campaign.createdAt)
  const ends = campaign.schedule.endAt === null ? null : Date.parse(campaign.schedule.endAt)
  if (budget.dailyCap !== null) {
    const planned = plan(
      budget.dailyCap,
      Math.max(day.start, starts),
      Math.min(day.end, ends ?? day.end),
      now,
    )
    return Math.min(room, Math.floor(planned - netCharged(day.link) - unspent(day.link)))
  }
  if (budget.totalCap !== null && ends !== null) {
    const planned = plan(budget.totalCap, starts, ends, now)
    return Math.min(room, Math.floor(planned - spentTotal(budget) - reservedTotal(budget)))
  }
  return room
}

function plan(cap: number, start: number, end: number, now: number): number {
  if (end <= start) return cap
  const share = (now + LOOK_AHEAD_MS - start) / (end - start)
  return cap * Math.min(1, Math.max(0, share))
}
