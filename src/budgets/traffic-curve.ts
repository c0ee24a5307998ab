import { HOUR_MS } from '../core/time.ts'

/**
 * How traffic is spread over the week, learned from the requests that came: what an even campaign plans by. Hours of the
 * week in UTC. An hour not seen yet is taken as the same hour of other days, else as the mean: with no history the
 * curve is flat.
 */
const HOURS = 7 * 24
/** Weight of the newest week. */
const NEWEST_WEIGHT = 0.3
/** Steps in which a stretch of time is added up. */
export const SLOT_MS = HOUR_MS / 4
const WEEK_MS = HOURS * HOUR_MS
/** No hour is planned with less than this share of the mean: a dead hour would never be tried again. */
const LEAST_WEIGHT = 0.02
/** The epoch was a Thursday; weeks are counted from Mondays. */
const MONDAY_MS = 4 * 24 * HOUR_MS

export class TrafficCurve {
  /** Requests of an hour of the week; -1 where it was never seen whole. */
  private readonly requests = new Float64Array(HOURS).fill(-1)
  private readonly weights = new Float64Array(HOURS).fill(1)
  private hour = -1
  private inHour = 0
  /** The first hour was not seen from its start. */
  private isFirst = true

  /** Requests that came at `at`. Times may come a little out of order; what is older than an hour is left out. */
  observe(at: number, requests: number): void {
    const hour = Math.floor(at / HOUR_MS)
    if (hour < this.hour) return
    if (hour > this.hour) this.closeHour(hour)
    this.inHour += requests
  }

  /** Relative to the mean of the week, which is 1. */
  weightAt(at: number): number {
    // Between the middles of two hours the curve is a line: an even campaign changes its pace without steps.
    const place = at / HOUR_MS - 0.5
    const before = Math.floor(place)
    const share = place - before
    return this.weightOf(before) * (1 - share) + this.weightOf(before + 1) * share
  }

  /** The weight of [from, to), in ms of the mean, of the slots that are open. */
  mass(from: number, to: number, isOpen: (at: number) => boolean): number {
    // Weeks are alike: of a long flight one is added up, not all.
    const weeks = Math.max(0, Math.floor((to - from) / WEEK_MS) - 1)
    if (weeks > 0) {
      return (
        (weeks + 1) * this.mass(from, from + WEEK_MS, isOpen) +
        this.mass(from + (weeks + 1) * WEEK_MS, to, isOpen)
      )
    }
    let mass = 0
    for (let at = from; at < to; ) {
      const end = Math.min(to, (Math.floor(at / SLOT_MS) + 1) * SLOT_MS)
      const middle = (at + end) / 2
      if (isOpen(middle)) mass += this.weightAt(middle) * (end - at)
      at = end
    }
    return mass
  }

  private weightOf(hour: number): number {
    return this.weights[hourOfWeek(hour)]!
  }

  private closeHour(next: number): void {
    if (this.hour >= 0 && !this.isFirst) this.learn(this.hour, this.inHour)
    // Hours without a single request count, too, as long as we were there to see them.
    for (let hour = this.hour + 1; this.hour >= 0 && hour < next && hour - this.hour < 24; hour++) {
      this.learn(hour, 0)
    }
    this.isFirst = this.hour < 0
    this.hour = next
    this.inHour = 0
  }

  private learn(hour: number, requests: number): void {
    const at = hourOfWeek(hour)
    const before = this.requests[at]!
    this.requests[at] = before < 0 ? requests : before + NEWEST_WEIGHT * (requests - before)
    this.weigh()
  }

  private weigh(): void {
    const filled = Array.from(this.requests, (requests, hour) =>
      requests >= 0 ? requests : this.ofDay(hour),
    )
    const known = filled.filter(requests => requests >= 0)
    const meanKnown = known.reduce((sum, requests) => sum + requests, 0) / known.length
    const whole = filled.map(requests => (requests >= 0 ? requests : meanKnown))
    const mean = whole.reduce((sum, requests) => sum + requests, 0) / HOURS
    for (let hour = 0; hour < HOURS; hour++) {
      this.weights[hour] = mean > 0 ? Math.max(LEAST_WEIGHT, whole[hour]! / mean) : 1
    }
  }

  /** The mean of the same hour on other days; -1 where none is known. */
  private ofDay(hour: number): number {
    let sum = 0
    let days = 0
    for (let at = hour % 24; at < HOURS; at += 24) {
      if (this.requests[at]! < 0) continue
      sum += this.requests[at]!
      days++
    }
    return days === 0 ? -1 : sum / days
  }
}

function hourOfWeek(hour: number): number {
  const of = (hour - MONDAY_MS / HOUR_MS) % HOURS
  return of < 0 ? of + HOURS : of
}
