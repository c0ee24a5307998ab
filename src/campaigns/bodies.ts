import { rfc3339 } from '../core/time.ts'
import type { Advertiser, ApiKey, Campaign, Placement, Publisher } from './campaign.ts'
import { campaignStatus } from './schedule.ts'

/** A campaign's money as the store keeps it for readers, beside the state that decides. */
export interface CampaignMoneyView {
  readonly spentTotalMicros: number
  readonly day: {
    readonly name: string
    readonly start: number
    readonly end: number
    readonly spentMicros: number
  } | null
  readonly heldMicros: number
  readonly stopped: 'unfunded' | 'exhaustedDaily' | 'exhausted' | null
}

export interface AdvertiserMoneyView {
  readonly balanceMicros: number
  readonly heldMicros: number
}

/** A campaign as the API shows it: what its advertiser said, and what has become of it by `now`. */
export function campaignBody(campaign: Campaign, money: CampaignMoneyView, now: number) {
  const { paused: _paused, archived, ...said } = campaign
  const today =
    money.day !== null && now >= money.day.start && now < money.day.end ? money.day.spentMicros : 0
  const { totalMicros, dailyMicros } = campaign.budget
  const remainingTotal = totalMicros === null ? null : Math.max(0, totalMicros - money.spentTotalMicros)
  const remainingDay = dailyMicros === null ? null : Math.max(0, dailyMicros - today)
  return {
    ...said,
    archived,
    status: campaignStatus(campaign, { stopped: money.stopped }, now),
    spend: { todayMicros: today, totalMicros: money.spentTotalMicros },
    remaining: {
      todayMicros:
        remainingDay === null || remainingTotal === null
          ? remainingDay
          : Math.min(remainingDay, remainingTotal),
      totalMicros: remainingTotal,
    },
    mayStillSpendMicros: money.heldMicros,
    asOf: rfc3339(now),
  }
}

export function advertiserBody(advertiser: Advertiser, money: AdvertiserMoneyView, now: number) {
  return {
    ...advertiser,
    balanceMicros: money.balanceMicros,
    heldMicros: money.heldMicros,
    availableMicros: money.balanceMicros + advertiser.creditLimitMicros - money.heldMicros,
    asOf: rfc3339(now),
  }
}

/** Publishers and placements are shown as they are kept; a key never shows what it could be checked with. */
export function plainBody(entity: Publisher | Placement | ApiKey): object {
  if (!('secretHash' in entity)) return entity
  const { secretHash: _secretHash, ...shown } = entity
  return shown
}
