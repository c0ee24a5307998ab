import { describe, expect, test } from 'bun:test'
import { micros } from '../core/money.ts'
import { MINUTE_MS } from '../core/time.ts'
import { CLICK_LIFE_MS, LAST_CLICK_MS } from './click-delay.ts'
import { DRAIN_MS } from './lease-time.ts'
import { LAPSE_SLACK_MS, RENDER_LIFE_MS } from './render-holds.ts'
import {
  endLease,
  freeMicros,
  leaseFree,
  newShard,
  newShardDay,
  openEpoch,
  releaseLeases,
  reportChosen,
  reserveTarget,
} from './shard.ts'

const LAPSED_MS = DRAIN_MS + RENDER_LIFE_MS + LAPSE_SLACK_MS + MINUTE_MS
const MONEY = 1_000_000

/** A shard with money for a day, all of which its treasury has leased for `leased` micros. */
function open(model: 'cpc' | 'cpm', leased: number) {
  const shard = newShard({ model, amount: 10_000 })
  const day = newShardDay({ day: '2026-11-25', start: 0, end: 86_400_000 })
  day.link.granted = micros(MONEY)
  shard.days.push(day)
  openEpoch(shard, 1, 0, 0)
  expect(leaseFree(shard, day, leased, 0)).toBe(micros(leased))
  return { shard, day }
}

/** What is reserved while so much is leased, with the margin for its clicks. */
function reservedFor(model: 'cpc' | 'cpm', leased: number, now: number) {
  const { shard, day } = open(model, leased)
  return reserveTarget(shard, day, now)
}

describe.each(['cpm', 'cpc'] as const)('a treasury of a %s campaign that starts anew', model => {
  test('leaves reserved what nodes of the old epoch may have chosen with and did not tell', () => {
    const { shard, day } = open(model, 400_000)
    openEpoch(shard, 2, 0, DRAIN_MS)
    expect(reserveTarget(shard, day, DRAIN_MS - 1)).toBe(reservedFor(model, 400_000, DRAIN_MS - 1))
    expect(reserveTarget(shard, day, DRAIN_MS + 1)).toBeGreaterThanOrEqual(400_000)
    expect(freeMicros(shard, day, DRAIN_MS + 1)).toBeLessThanOrEqual(MONEY - 400_000)
  })

  test('twice within seconds leaves reserved what either had leased', () => {
    const { shard, day } = open(model, 400_000)
    openEpoch(shard, 2, 0, DRAIN_MS)
    leaseFree(shard, day, 100_000, 1000)
    openEpoch(shard, 3, 2000, DRAIN_MS)
    expect(reserveTarget(shard, day, 2000)).toBe(reservedFor(model, 500_000, 2000))
    expect(reserveTarget(shard, day, 2000 + DRAIN_MS + 1)).toBeGreaterThanOrEqual(500_000)
  })

  test('and a campaign that stops, or whose day is over, leave it reserved, too', () => {
    const stopped = open(model, 400_000)
    releaseLeases(stopped.shard, 0)
    const reserved = reservedFor(model, 400_000, DRAIN_MS - 1)
    expect(reserved).toBeGreaterThanOrEqual(400_000)
    expect(reserveTarget(stopped.shard, stopped.day, DRAIN_MS - 1)).toBe(reserved)
    const over = open(model, 400_000)
    expect(endLease(over.shard, over.day, over.day.end - 1)).toBe(0)
    expect(endLease(over.shard, over.day, over.day.end)).toBe(400_000_000)
    const late = over.day.end + DRAIN_MS - 1
    expect(reserveTarget(over.shard, over.day, late)).toBe(reservedFor(model, 400_000, late))
  })

  test('moves what is told as chosen with it to what is held, and holds it once', () => {
    const { shard, day } = open(model, 400_000)
    releaseLeases(shard, 0)
    leaseFree(shard, day, 50_000, 0)
    const report = { epoch: 1, chosenThousandths: 150_000_000, variance: 0 }
    reportChosen(shard, day, report, 1000)
    expect(day.leaseLeft).toBe(0)
    expect(day.draining).toBe(300_000_000)
  })

  test('has back what nodes say that they dropped with the old epoch', () => {
    const { shard, day } = open(model, 400_000)
    openEpoch(shard, 2, 0, DRAIN_MS)
    const dropped = (droppedThousandths: number, epoch = 2) =>
      reportChosen(shard, day, { epoch, chosenThousandths: 0, variance: 0, droppedThousandths }, 1000)
    dropped(300_000_000)
    dropped(300_000_000)
    dropped(350_000_000, 1)
    expect(reserveTarget(shard, day, 1000)).toBe(reservedFor(model, 100_000, 1000))
    dropped(900_000_000)
    expect(reserveTarget(shard, day, 1000)).toBe(micros(0))
  })
})

test('what was chosen with an older epoch may be rendered for as long as any choice, and is held for it', () => {
  const { shard, day } = open('cpm', 400_000)
  openEpoch(shard, 2, 0, DRAIN_MS)
  expect(reserveTarget(shard, day, DRAIN_MS + RENDER_LIFE_MS)).toBe(micros(400_000))
  expect(reserveTarget(shard, day, LAPSED_MS)).toBe(micros(0))
})

test('where the nodes ended with their treasury, all is free at once', () => {
  const { shard, day } = open('cpm', 400_000)
  openEpoch(shard, 2, 0, 0)
  expect(freeMicros(shard, day, 0)).toBe(MONEY)
})

test('nothing is held for clicks of a day once none of them can count any more', () => {
  const { shard, day } = open('cpc', 700_000)
  const report = { epoch: 1, chosenThousandths: 7e8, variance: 0 }
  reportChosen(shard, day, report, day.end - 1000)
  endLease(shard, day, day.end)
  expect(reserveTarget(shard, day, day.end + CLICK_LIFE_MS)).toBeGreaterThan(0)
  expect(reserveTarget(shard, day, day.end + LAST_CLICK_MS)).toBe(micros(0))
})

describe('a lease of a cpc campaign', () => {
  const PRICE = 10_000_000
  const choose = ({ shard, day }: ReturnType<typeof open>, thousandths: number, now: number) =>
    reportChosen(
      shard,
      day,
      {
        epoch: 1,
        chosenThousandths: shard.chosen + thousandths,
        variance: shard.variance + thousandths * PRICE,
      },
      now,
    )

  test('is no larger than that the clicks of all that is out fit with their margin once it is chosen with', () => {
    for (const money of [MONEY, 333_333, 25_000, 10_000, 7000, 1]) {
      for (const chosen of [0, 0.1, 0.5]) {
        const of = open('cpc', 0)
        const { shard, day } = of
        day.link.granted = micros(money)
        leaseFree(shard, day, money * chosen, 0)
        choose(of, day.leaseLeft, 0)
        leaseFree(shard, day, MONEY, 0)
        choose(of, day.leaseLeft, 0)
        expect(reserveTarget(shard, day, 0)).toBeLessThanOrEqual(money)
        expect(reserveTarget(shard, day, 0)).toBeGreaterThan(money * 0.99 - 10)
        expect(leaseFree(shard, day, MONEY, 0)).toBeLessThan(5)
      }
    }
  })

  test('of the last price is a small part of it, and of a large budget nearly all', () => {
    const leased = (prices: number) => {
      const { shard, day } = open('cpc', 0)
      day.link.granted = micros(10_000 * prices)
      return leaseFree(shard, day, MONEY * prices, 0) / 10_000 / prices
    }
    expect(leased(1)).toBeLessThan(0.3)
    expect(leased(100)).toBeGreaterThan(0.7)
    expect(leased(10_000)).toBeGreaterThan(0.97)
  })
})

describe('what was taken for chosen and never told', () => {
  const DAY_MS = 24 * 60 * MINUTE_MS
  const CHOSEN = 100_000_000
  /** Predictions that had to come true by a day later. */
  const dueAfterADay = ({ shard, day }: ReturnType<typeof open>) => {
    reserveTarget(shard, day, DAY_MS)
    return shard.calibration!.due
  }

  test('is held like it, and is no prediction that clicks are held against', () => {
    const told = open('cpc', 100_000)
    reportChosen(told.shard, told.day, { epoch: 1, chosenThousandths: CHOSEN, variance: 0 }, 0)
    const supposed = open('cpc', 200_000)
    const report = { epoch: 1, chosenThousandths: 2 * CHOSEN, variance: 0, supposedThousandths: CHOSEN }
    reportChosen(supposed.shard, supposed.day, report, 0)
    reportChosen(supposed.shard, supposed.day, report, 1000)
    const held = (of: typeof told) => reserveTarget(of.shard, of.day, 1000) * 1000 - of.day.leaseLeft
    expect(held(supposed)).toBe(2 * held(told))
    expect(dueAfterADay(supposed)).toBeCloseTo(dueAfterADay(told), -3)
  })

  test('where a lease drained, too', () => {
    const { shard, day } = open('cpc', 400_000)
    releaseLeases(shard, 0)
    expect(reserveTarget(shard, day, DRAIN_MS + 1)).toBeGreaterThanOrEqual(400_000)
    expect(dueAfterADay({ shard, day })).toBeCloseTo(0, 3)
  })
})
