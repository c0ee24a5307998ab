import { describe, expect, test } from 'bun:test'
import { type CampaignMoney, tightestLimit } from './campaign-limit.ts'

const campaign: CampaignMoney = {
  id: 'cmp_1',
  advertiserId: 'adv_1',
  name: 'Autumn',
  status: 'active',
  archived: false,
  currency: 'USD',
  bid: { model: 'cpc', amountMicros: 250_000 },
  spend: { todayMicros: 2_000_000, totalMicros: 5_000_000 },
  remaining: { todayMicros: null, totalMicros: null },
  mayStillSpendMicros: 750_000,
}
const account = (balanceMicros: number, creditLimitMicros = 0) => ({
  id: 'adv_1',
  balanceMicros,
  creditLimitMicros,
})

describe('the limit that ends a campaign first', () => {
  test.each([
    ['the day', { todayMicros: 1_000_000, totalMicros: 9_000_000 }, account(50_000_000), 'today', 2_000_000],
    ['the total', { todayMicros: 4_000_000, totalMicros: 4_000_000 }, account(9e6), 'in all', 5_000_000],
    ['the account', { todayMicros: 4_000_000, totalMicros: null }, account(3e6), 'on account', 5_000_000],
  ] as const)('is %s where it has the least left', (_name, remaining, advertiser, of, spentMicros) => {
    const limit = tightestLimit({ ...campaign, remaining }, advertiser)
    expect(limit).toMatchObject({ of, spentMicros })
    expect(limit!.limitMicros).toBe(limit!.spentMicros + limit!.leftMicros)
  })

  test('is none where nothing limits', () => {
    expect(tightestLimit(campaign, undefined)).toBeNull()
  })

  test('counts credit, and never holds more than is left', () => {
    const limit = tightestLimit(campaign, account(-900_000, 1_000_000))
    expect(limit).toMatchObject({ leftMicros: 100_000, heldMicros: 100_000 })
  })
})
