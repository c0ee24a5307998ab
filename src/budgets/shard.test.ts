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

describe.each(['cpm', 'cpc'] as const)('a treasury of a %s campaign that starts anew', model => {
  test('leaves reserved what nodes of the old epoch may have chosen with and did not tell', () => {
    const { shard, day } = open(model, 400_000)
    openEpoch(shard, 2, 0, DRAIN_MS)
    expect(reserveTarget(shard, day, DRAIN_MS - 1)).toBe(micros(400_000))
    expect(reserveTarget(shard, day, DRAIN_MS + 1)).toBeGreaterThanOrEqual(400_000)
    expect(freeMicros(shard, day, DRAIN_MS + 1)).toBeLessThanOrEqual(MONEY - 400_000)
  })

  test('twice within seconds leaves reserved what either had leased', () => {
    const { shard, day } = open(model, 400_000)
    openEpoch(shard, 2, 0, DRAIN_MS)
    leaseFree(shard, day, 100_000, 1000)
    openEpoch(shard, 3, 2000, DRAIN_MS)
    expect(reserveTarget(shard, day, 2000)).toBe(micros(500_000))
    expect(reserveTarget(shard, day, 2000 + DRAIN_MS + 1)).toBeGreaterThanOrEqual(500_000)
  })

  test('and a campaign that stops, or whose day is over, leave it reserved, too', () => {
    const stopped = open(model, 400_000)
    releaseLeases(stopped.shard, 0)
    expect(reserveTarget(stopped.shard, stopped.day, DRAIN_MS - 1)).toBe(micros(400_000))
    const over = open(model, 400_000)
    expect(endLease(over.shard, over.day, over.day.end - 1)).toBe(0)
    expect(endLease(over.shard, over.day, over.day.end)).toBe(400_000_000)
    expect(reserveTarget(over.shard, over.day, over.day.end + DRAIN_MS - 1)).toBe(micros(400_000))
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
    expect(reserveTarget(shard, day, 1000)).toBe(micros(100_000))
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
  const { shard, day } = open('cpc', 1_000_000)
  const report = { epoch: 1, chosenThousandths: 1e9, variance: 0 }
  reportChosen(shard, day, report, day.end - 1000)
  endLease(shard, day, day.end)
  expect(reserveTarget(shard, day, day.end + CLICK_LIFE_MS)).toBeGreaterThan(0)
  expect(reserveTarget(shard, day, day.end + LAST_CLICK_MS)).toBe(micros(0))
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
    const told = open('cpc', 400_000)
    reportChosen(told.shard, told.day, { epoch: 1, chosenThousandths: CHOSEN, variance: 0 }, 0)
    const supposed = open('cpc', 400_000)
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
