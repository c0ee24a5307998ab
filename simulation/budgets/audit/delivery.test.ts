import { expect, test } from 'bun:test'
import { DAY_MS, HOUR_MS } from '../../../src/core/time.ts'
import { SCENARIOS } from '../scenarios.ts'
import { World } from '../world.ts'
import { ChargeBook } from './charge-book.ts'
import { dayOf, slipOf } from './days.ts'
import { deliveryOf } from './delivery.ts'

const CAP = 1000
const MIDNIGHT = Date.parse('2026-11-02T00:00:00.000Z')

/** One campaign with days of `CAP`, of each of which so much was billed. */
function billedOf(billed: Readonly<Record<number, number>>, deposit = 10 * CAP) {
  const world = new World(SCENARIOS[0]!, 1, null)
  const campaign = { ...world.market.campaigns[0]!, pacing: 'asap' as const, dailyCap: CAP, amount: 100 }
  const advertiser = { number: campaign.advertiser, deposit, campaigns: [campaign] }
  const book = new ChargeBook(
    [advertiser],
    () => MIDNIGHT,
    false,
    () => 'regionCutOff',
  )
  for (const start in billed) {
    const day = dayOf(book.books.get(campaign.number)!, Number(start))
    day.end = day.start + DAY_MS
    slipOf(day, world.workers[0]!, 0).local = billed[start]!
  }
  return (run: { readonly start: number; readonly end: number }) => deliveryOf(book, [advertiser], run)
}

test('what is left of a day counts once the day is over, and the run had two hours of it', () => {
  const delivered = billedOf({ [MIDNIGHT - DAY_MS]: 900, [MIDNIGHT]: 100 })
  const at = (from: number, to: number) =>
    delivered({ start: MIDNIGHT + from * HOUR_MS, end: MIDNIGHT + to * HOUR_MS })
  expect(at(-4, 4)).toMatchObject({ billed: 1000, target: CAP, stranded: 100 })
  expect(at(-1, 4)).toMatchObject({ billed: 1000, target: 0, stranded: 0 })
  expect(at(-4, -1)).toMatchObject({ target: 0 })
  expect(at(-4, 24)).toMatchObject({ target: 2 * CAP, stranded: 1000 })
})

test('money of the balance that was billed on other days is not missed on those that are over', () => {
  const delivered = billedOf({ [MIDNIGHT - DAY_MS]: 900, [MIDNIGHT]: 100 }, CAP)
  const run = { start: MIDNIGHT - 4 * HOUR_MS, end: MIDNIGHT + 4 * HOUR_MS }
  expect(delivered(run)).toMatchObject({ target: 900, stranded: 0 })
})
