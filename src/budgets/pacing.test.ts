import { describe, expect, test } from 'bun:test'
import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { newPace, paceTo } from './pacing.ts'
import { TrafficCurve } from './traffic-curve.ts'

const MONDAY = Date.parse('2026-11-23T00:00:00.000Z')
const CAP = 1_000_000
const PRICE = 100

/** A day of a campaign that spends all it may, but in `idle`. Returns what was out at the end of each hour. */
function day(
  curve: TrafficCurve,
  idle: (at: number) => boolean = () => false,
): { hours: number[]; most: number; least: number } {
  const pace = newPace()
  const hours: number[] = []
  let out = 0
  let most = 0
  let least = 1
  for (let now = MONDAY; now < MONDAY + 24 * HOUR_MS; now += 1000) {
    const end = MONDAY + 24 * HOUR_MS
    const weight = curve.weightAt(now)
    const massLeft = curve.mass(now, end, () => true)
    const { allowance, factor } = paceTo(pace, {
      now,
      spent: out,
      out,
      cap: CAP,
      price: PRICE,
      weight,
      massLeft,
    })
    least = Math.min(least, factor)
    if (!idle(now)) {
      const spent = Math.max(0, Math.floor(allowance / PRICE) * PRICE)
      most = Math.max(most, spent)
      out += spent
    }
    if ((now + 1000 - MONDAY) % HOUR_MS === 0) hours.push(out)
  }
  return { hours, most, least }
}

/** A day on which requests come every so often, and of what is chosen a share is spent at once, and the rest comes back. */
function daySpent(of: {
  readonly heldMs: number
  readonly spentShare: number
  readonly everyMs: number
}): number[] {
  const pace = newPace()
  const end = MONDAY + 24 * HOUR_MS
  const hours: number[] = []
  const held: { readonly until: number; readonly amount: number }[] = []
  let spent = 0
  let out = 0
  for (let now = MONDAY; now < end; now += 1000) {
    while (held.length > 0 && held[0]!.until <= now) out -= held.shift()!.amount
    const { allowance } = paceTo(pace, {
      now,
      spent,
      out,
      cap: CAP,
      price: 1,
      weight: 1,
      massLeft: end - now,
    })
    if (now % of.everyMs === 0 && allowance > 0) {
      spent += allowance * of.spentShare
      out += allowance
      held.push({ until: now + of.heldMs, amount: allowance * (1 - of.spentShare) })
    }
    if ((now + 1000 - MONDAY) % HOUR_MS === 0) hours.push(spent)
  }
  return hours
}

/** Twice the traffic in the second half of each day. */
function learned(days: number): TrafficCurve {
  const curve = new TrafficCurve()
  for (let at = MONDAY - days * 24 * HOUR_MS; at < MONDAY; at += 15 * MINUTE_MS) {
    curve.observe(at, new Date(at).getUTCHours() < 12 ? 100 : 200)
  }
  curve.observe(MONDAY, 0)
  return curve
}

describe('an even campaign', () => {
  test('spends its day evenly where nothing is known of the traffic, and all of it', () => {
    const { hours } = day(new TrafficCurve())
    expect(hours[11]! / CAP).toBeCloseTo(0.5, 2)
    expect(hours[23]! / CAP).toBeGreaterThan(0.998)
    expect(hours[23]).toBeLessThanOrEqual(CAP)
  })

  test('follows the traffic that it has learned', () => {
    const { hours } = day(learned(8))
    expect(hours[11]! / CAP).toBeCloseTo(1 / 3, 1)
    expect(hours[23]! / CAP).toBeGreaterThan(0.998)
  })

  test('makes an outage up over the rest of the day, without a burst', () => {
    const outage = (now: number) => now >= MONDAY + 6 * HOUR_MS && now < MONDAY + 10 * HOUR_MS
    const calm = day(new TrafficCurve())
    const { hours, most } = day(new TrafficCurve(), outage)
    expect(hours[9]).toBe(hours[5])
    // Four of twenty hours' money over the fourteen that are left.
    expect((hours[10]! - hours[9]!) / (calm.hours[10]! - calm.hours[9]!)).toBeCloseTo(18 / 14, 1)
    expect(hours[23]! / CAP).toBeGreaterThan(0.998)
    // Half a minute's money, at the rate that makes up for the outage.
    expect(most).toBeLessThan(40 * (CAP / 86_400))
  })

  test('catches up with its plan over the day, though half of what is out comes back after an hour', () => {
    const spent = daySpent({ heldMs: HOUR_MS, spentShare: 0.5, everyMs: 1000 })
    for (const hour of [20, 21, 22]) expect(spent[hour]! / CAP).toBeGreaterThan((hour + 1) / 24 - 0.007)
    expect(spent[23]! / CAP).toBeGreaterThan(0.97)
  })

  test('spends by the plan where a request comes but now and then', () => {
    const spent = daySpent({ heldMs: 1000, spentShare: 1, everyMs: 25_000 })
    for (const hour of [1, 6, 12, 18, 23]) expect(spent[hour]! / CAP).toBeCloseTo((hour + 1) / 24, 2)
  })

  test('bids on a part of the requests only where its money is all but out', () => {
    const pace = newPace()
    const terms = { spent: 0, cap: CAP, price: 1, weight: 1, massLeft: 1_000_000 }
    expect(paceTo(pace, { ...terms, now: 0, out: 0 }).factor).toBe(1)
    expect(paceTo(pace, { ...terms, now: 1, out: 15_000 }).factor).toBeLessThan(0.1)
  })
})

describe('a traffic curve', () => {
  test('takes an hour that it has not seen for the same hour of other days', () => {
    const curve = new TrafficCurve()
    for (let at = MONDAY; at <= MONDAY + 48 * HOUR_MS; at += HOUR_MS) {
      curve.observe(at, new Date(at).getUTCHours() === 20 ? 500 : 100)
    }
    const evening = MONDAY + 5 * 24 * HOUR_MS + 20.5 * HOUR_MS
    expect(curve.weightAt(evening) / curve.weightAt(evening + 4 * HOUR_MS)).toBeCloseTo(5, 1)
  })

  test('has a mass of its weights, of the times that are open', () => {
    const curve = learned(8)
    const end = MONDAY + 7 * 24 * HOUR_MS
    expect(curve.mass(MONDAY, end, () => true) / (end - MONDAY)).toBeCloseTo(1, 2)
    const mornings = curve.mass(MONDAY, end, at => new Date(at).getUTCHours() < 12)
    expect(mornings / (end - MONDAY)).toBeCloseTo(1 / 3, 1)
  })

  test('plans nothing to the hours in which it was not there to see', () => {
    const curve = new TrafficCurve()
    curve.observe(MONDAY + 30 * MINUTE_MS, 1_000_000)
    curve.observe(MONDAY + HOUR_MS, 1)
    expect(curve.weightAt(MONDAY + 30 * MINUTE_MS)).toBe(1)
  })
})
