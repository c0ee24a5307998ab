import { describe, expect, test } from 'bun:test'
import { MINUTE_MS } from '../core/time.ts'
import { clickRateFactor, marginDeviations, newCalibration, observeClick } from './calibration.ts'
import {
  addToPool,
  type ClickPool,
  decayPool,
  heldForClicks,
  isEmptyPool,
  newClickPool,
} from './click-pool.ts'

const NOON = Date.parse('2026-11-25T12:00:00.000Z')
const PRICE = 100_000
/** One click expected, thousandths of a micro. */
const CLICK = PRICE * 1000

const held = (pool: ClickPool, caution: number, leased = 0) =>
  heldForClicks({ pool, calibration: undefined, leased: leased * CLICK, price: CLICK, caution }) / CLICK

function pooled(clicks: number) {
  const calibration = newCalibration()
  const pool = newClickPool(NOON)
  addToPool(pool, NOON, clicks * CLICK, clicks * CLICK * CLICK, calibration)
  return { pool, calibration }
}

describe('a pool of clicks to come', () => {
  test('holds what is expected and a margin, and less with every minute', () => {
    const { pool, calibration } = pooled(100)
    const at = (minutes: number) => {
      decayPool(pool, NOON + minutes * MINUTE_MS, calibration)
      return held(pool, 0)
    }
    expect(at(0)).toBe(100)
    // All of the first minute still count at its end: half of the fast ones come in each one after.
    expect(at(1)).toBeCloseTo(100, 6)
    expect(at(2)).toBeCloseTo(35 + 29.7, 1)
    expect(at(61)).toBeCloseTo(15, 1)
    expect(held(pool, 1)).toBeGreaterThan(held(pool, 0))
    expect(at(24 * 60)).toBeLessThan(0.01)
    expect(at(3 * 24 * 60)).toBe(0)
    expect(isEmptyPool(pool)).toBe(true)
  })

  test('is the same to the bit however often it is looked at', () => {
    const often = pooled(7.3)
    const once = pooled(7.3)
    for (let minute = 1; minute <= 500; minute++)
      decayPool(often.pool, NOON + minute * MINUTE_MS, often.calibration)
    decayPool(once.pool, NOON + 500 * MINUTE_MS, once.calibration)
    expect(often).toEqual(once)
  })
})

describe('what came of predictions', () => {
  test('corrects the next ones, the more the more clicks were seen', () => {
    const { pool, calibration } = pooled(200)
    decayPool(pool, NOON + 24 * 60 * MINUTE_MS, calibration)
    expect(clickRateFactor(newCalibration())).toBe(1)
    for (let i = 0; i < 100; i++) observeClick(calibration, PRICE)
    expect(clickRateFactor(calibration)).toBeCloseTo(108 / 208, 2)
    expect(marginDeviations(calibration)).toBeLessThan(marginDeviations(undefined))
  })

  test('is held within bounds', () => {
    const { calibration } = pooled(0)
    for (let i = 0; i < 10_000; i++) observeClick(calibration, PRICE)
    expect(clickRateFactor(calibration)).toBe(4)
  })
})
