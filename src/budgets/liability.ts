import { MINUTE_MS } from '../core/time.ts'

/**
 * What chosen impressions may still cost (H of the design), kept by minute of the choice.
 *
 * cpm: the price of an impression until it is rendered or can no longer be (10 minutes, and a slack for the log's lag).
 * cpc: the clicks still to be expected. Holding each price would strand nearly all of a budget, so the pool is
 *   sum(amount * rate * S(age)) + z * sqrt(sum(amount^2 * rate * S(age))), S the share of clicks still to come.
 *
 * All of it is in thousandths of a micro. Only + - * / and sqrt: the same on every engine.
 */
export const RENDER_LIFE_MS = 10 * MINUTE_MS
export const LAPSE_SLACK_MS = MINUTE_MS
export const CLICK_LIFE_MS = 24 * 60 * MINUTE_MS
/** Standard deviations above the expectation that a pool of clicks holds. */
export const CLICK_MARGIN_DEVIATIONS = 2

/** Share of clicks still to come, by whole minutes of age: 70% come with a half life of a minute, the rest of an hour. */
const DECAY_FAST = 0.5
const DECAY_SLOW = 0.988514020352896
const STILL_TO_COME: Float64Array = (() => {
  const table = new Float64Array(CLICK_LIFE_MS / MINUTE_MS + 1)
  let fast = 0.7
  let slow = 0.3
  for (let minute = 0; minute < table.length; minute++) {
    table[minute] = fast + slow
    fast *= DECAY_FAST
    slow *= DECAY_SLOW
  }
  return table
})()

/** Choices of one minute: [minute, money chosen, money settled, variance]. A tuple keeps 100,000 of them small. */
export type ChoiceBucket = [minute: number, chosen: number, settled: number, variance: number]

export function addChoice(buckets: ChoiceBucket[], at: number, chosen: number, variance: number): void {
  const bucket = bucketOf(buckets, at)
  bucket[1] += chosen
  bucket[3] += variance
}

/** A charge has taken the place of what was held for it. A charge may come before its choice is reported. */
export function settleChoice(buckets: ChoiceBucket[], at: number, amount: number): void {
  bucketOf(buckets, at)[2] += amount
}

/** What the buckets may still cost at `now`. Drops those that can cost nothing any more. */
export function heldThousandths(buckets: ChoiceBucket[], model: 'cpc' | 'cpm', now: number): number {
  return model === 'cpm' ? heldForRenders(buckets, now) : heldForClicks(buckets, now)
}

function heldForRenders(buckets: ChoiceBucket[], now: number): number {
  let held = 0
  for (let i = buckets.length - 1; i >= 0; i--) {
    const bucket = buckets[i]!
    if ((bucket[0] + 1) * MINUTE_MS + RENDER_LIFE_MS + LAPSE_SLACK_MS <= now) buckets.splice(i, 1)
    else held += bucket[1] - bucket[2]
  }
  // Minutes offset each other: a choice is reported up to a second late, its charge carries the time of the choice.
  return Math.max(0, held)
}

function heldForClicks(buckets: ChoiceBucket[], now: number): number {
  let expected = 0
  let variance = 0
  const nowMinute = Math.floor(now / MINUTE_MS)
  for (let i = buckets.length - 1; i >= 0; i--) {
    const bucket = buckets[i]!
    const age = Math.max(0, nowMinute - bucket[0])
    if (age >= STILL_TO_COME.length) {
      buckets.splice(i, 1)
      continue
    }
    const share = STILL_TO_COME[age]!
    expected += bucket[1] * share
    variance += bucket[3] * share
  }
  return Math.ceil(expected + CLICK_MARGIN_DEVIATIONS * Math.sqrt(variance))
}

function bucketOf(buckets: ChoiceBucket[], at: number): ChoiceBucket {
  const minute = Math.floor(at / MINUTE_MS)
  for (let i = buckets.length - 1; i >= 0; i--) {
    if (buckets[i]![0] === minute) return buckets[i]!
  }
  const bucket: ChoiceBucket = [minute, 0, 0, 0]
  buckets.push(bucket)
  return bucket
}
