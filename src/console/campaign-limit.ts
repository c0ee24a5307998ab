/** A campaign as the API answers it: the fields that say how its money does. */
export interface CampaignMoney {
  readonly id: string
  readonly advertiserId: string
  readonly name: string
  readonly status: string
  readonly archived: boolean
  readonly currency: string
  readonly bid: { readonly model: 'cpc' | 'cpm'; readonly amountMicros: number }
  readonly spend: { readonly todayMicros: number; readonly totalMicros: number }
  readonly remaining: { readonly todayMicros: number | null; readonly totalMicros: number | null }
  /** Out in leases and for ads on their way: it may still be spent, or come back. */
  readonly mayStillSpendMicros: number
}

export interface AdvertiserMoney {
  readonly id: string
  readonly balanceMicros: number
  readonly creditLimitMicros: number
}

/** What ends a campaign's spending first. */
export interface Limit {
  readonly of: 'today' | 'in all' | 'on account'
  readonly spentMicros: number
  readonly limitMicros: number
  readonly leftMicros: number
  /** Of what is left. */
  readonly heldMicros: number
}

/** The limit with the least left, null where nothing is known to limit. An account is shared by its campaigns. */
export function tightestLimit(
  { spend, remaining, mayStillSpendMicros }: CampaignMoney,
  advertiser: AdvertiserMoney | undefined,
): Limit | null {
  const account =
    advertiser === undefined ? null : Math.max(0, advertiser.balanceMicros + advertiser.creditLimitMicros)
  const limits = [
    { of: 'today' as const, spentMicros: spend.todayMicros, leftMicros: remaining.todayMicros },
    { of: 'in all' as const, spentMicros: spend.totalMicros, leftMicros: remaining.totalMicros },
    { of: 'on account' as const, spentMicros: spend.totalMicros, leftMicros: account },
  ]
  let tightest: Limit | null = null
  for (const { of, spentMicros, leftMicros } of limits) {
    if (leftMicros === null || (tightest !== null && tightest.leftMicros < leftMicros)) continue
    const heldMicros = Math.min(leftMicros, mayStillSpendMicros)
    tightest = { of, spentMicros, leftMicros, heldMicros, limitMicros: spentMicros + leftMicros }
  }
  return tightest
}

export function moneyText(micros: number, currency = 'USD'): string {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(micros / 1_000_000)
}
