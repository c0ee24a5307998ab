import { expect, test } from 'bun:test'
import { clickRateBoundPpb, hasDrifted, PRIOR_PPB } from '../campaigns/catalog-bound.ts'
import { newSharedColumns } from '../campaigns/catalog-columns.ts'
import { ClickRates, PAIRS_MAX } from './click-rate.ts'

test('a rate begins at the prior, and follows what is seen', () => {
  const rates = new ClickRates(newSharedColumns())
  expect(rates.predictPpb(5, 0)).toBe(PRIOR_PPB)
  rates.observe({ adSlot: 5, placement: 0, impressions: 1000, clicks: 0 })
  expect(rates.predictPpb(5, 0)).toBe(PRIOR_PPB / 2)
  rates.observe({ adSlot: 5, placement: 0, impressions: 998_000, clicks: 5000 })
  expect(rates.predictPpb(5, 0)).toBeWithin(4_900_000, 5_100_000)
  expect(rates.predictPpb(6, 0)).toBe(PRIOR_PPB)
})

test('a placement draws away from the rate of the ad as it is seen there', () => {
  const rates = new ClickRates(newSharedColumns())
  rates.observe({ adSlot: 1, placement: 256, impressions: 200_000, clicks: 0 })
  rates.observe({ adSlot: 1, placement: 512, impressions: 200_000, clicks: 400 })
  expect(rates.predictPpb(1, 256)).toBeLessThan(20_000)
  expect(rates.predictPpb(1, 512)).toBeWithin(1_900_000, 2_000_000)
  expect(rates.predictPpb(1, 768)).toBe(rates.predictPpb(1, 0))
})

test('the pairs that are remembered are bounded, and one much seen outlives many little seen', () => {
  const rates = new ClickRates(newSharedColumns())
  rates.observe({ adSlot: 1, placement: 256, impressions: 1_000_000, clicks: 9000 })
  for (let i = 0; i < PAIRS_MAX * 2; i++) {
    rates.observe({ adSlot: 2 + (i % 1000), placement: 256 * i + 1, impressions: 1, clicks: 0 })
  }
  rates.observe({ adSlot: 1, placement: 0, impressions: 3_000_000, clicks: 0 })
  expect(rates.predictPpb(1, 256)).toBeGreaterThan(8_000_000)
})

test('a bound covers the rate, and is left when the rate moves away', () => {
  expect(clickRateBoundPpb(0)).toBe(clickRateBoundPpb(PRIOR_PPB))
  expect(clickRateBoundPpb(900_000_000)).toBe(1_000_000_000)
  const bound = clickRateBoundPpb(1_000_000)
  expect([700_000, 950_000, 1_000_000, 1_050_000, 1_300_000].map(rate => hasDrifted(bound, rate))).toEqual([
    true,
    false,
    false,
    false,
    true,
  ])
})
