import { expect, test } from 'bun:test'
import type { ClosedTotals, DayTotals, ShardReport } from '../../../src/budgets/shard-messages.ts'
import { SCENARIOS } from '../scenarios.ts'
import { World } from '../world.ts'
import { Breach } from './breach.ts'
import { ChargeBook } from './charge-book.ts'

const DAY = {
  day: '2026-11-01',
  start: Date.parse('2026-11-01T00:00:00.000Z'),
  end: Date.parse('2026-11-02T00:00:00.000Z'),
}
const TOTALS = { ...DAY, granted: 0, returned: 0, charged: 0, refunded: 0 }
const CAP = 100

/** A day of 100, of which a region was given up with 40 known to be charged, 20 more not told, and 30 refunded since. */
function givenUp() {
  const world = new World(SCENARIOS[0]!, 1, null)
  const [cut, other] = world.workers
  const campaign = { ...world.market.campaigns[0]!, dailyCap: CAP }
  const advertiser = { number: campaign.advertiser, deposit: 10 * CAP, campaigns: [campaign] }
  const book = new ChargeBook(
    [advertiser],
    () => DAY.start,
    false,
    () => 'regionCutOff',
  )
  const of = { campaign: campaign.number, shard: cut!.shardNumber }
  const report: ShardReport = { ...of, fence: 0, echoed: 0, fences: {}, days: [], closed: [], wanted: [] }
  const grant = (worker: typeof cut, granted: number) =>
    book.told(worker!, [
      {
        campaign: campaign.number,
        shard: worker!.shardNumber,
        fence: 0,
        incarnation: 0,
        fences: {},
        days: [{ ...DAY, granted, shortMicros: 0 }],
        awaitsOthers: false,
        undecided: false,
        stopped: false,
        scarce: false,
        pacing: 1,
        waitMs: 0,
        honoured: [],
      },
    ])
  const charge = (serial: number, amount: number) => {
    const impression = { serial, campaign, worker: cut!, chosenAt: DAY.start }
    book.charged(cut!, { kind: 'click', impression }, { fence: 0, dayStart: DAY.start, amount })
  }
  grant(cut, 60)
  charge(1, 40)
  book.reported(cut!, { ...report, days: [{ ...TOTALS, charged: 40 }] })
  charge(2, 20)
  book.fenced(cut!, campaign.number)
  book.refunded(cut!, { serial: 1, fence: 0, start: DAY.start, amount: 30 })
  return {
    grantCut: (granted: number) => grant(cut, granted),
    grantOther: (granted: number) => grant(other, granted),
    tellOpen: (said: Pick<DayTotals, 'granted' | 'charged' | 'returned'>) =>
      book.reported(cut!, { ...report, days: [{ ...TOTALS, ...said }] }),
    tellClosed: (said: Pick<ClosedTotals, 'charged' | 'refunded' | 'settled'>) =>
      book.reported(cut!, { ...report, fence: 1, closed: [{ ...TOTALS, ...said, fence: 0 }] }),
    honour: (charged: number) => book.honoured(of, { fence: 0, start: DAY.start, charged }),
  }
}

test('what was charged before a region was given up is out until its refund is heard of', () => {
  const { grantOther } = givenUp()
  grantOther(60)
  expect(() => grantOther(61)).toThrow(Breach)
})

test('what a region has refunded since may be granted before it is said what stands of its charges, and no more', () => {
  const { grantOther, tellClosed } = givenUp()
  tellClosed({ charged: 60, refunded: 30, settled: null })
  grantOther(90)
  expect(() => grantOther(91)).toThrow(Breach)
})

test('what was given back to a restored home before it took up a link that it had given up is free', () => {
  const { grantCut, grantOther, tellOpen } = givenUp()
  tellOpen({ granted: 60, charged: 40, returned: 20 })
  grantCut(60)
  grantOther(60)
  expect(() => grantOther(61)).toThrow(Breach)
})

test('a refund that is told and was never given back frees nothing', () => {
  const { grantOther, tellClosed } = givenUp()
  tellClosed({ charged: 60, refunded: 40, settled: null })
  expect(() => grantOther(91)).toThrow(Breach)
})

test('a refund that is heard of again and again frees its money once, after it was said what stands, too', () => {
  const { grantOther, tellClosed, honour } = givenUp()
  honour(40)
  for (let told = 0; told < 3; told++) tellClosed({ charged: 60, refunded: 30, settled: 0 })
  grantOther(70)
  expect(() => grantOther(71)).toThrow(Breach)
})
