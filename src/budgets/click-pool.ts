import { MINUTE_MS } from '../core/time.ts'
import { type Calibration, clickRateFactor, marginDeviations, observeDue } from './calibration.ts'
import { FAST_DECAY, FAST_SHARE, SLOW_DECAY, SLOW_SHARE } from './click-delay.ts'

/** A pool with less than this, in thousandths of a micro, is empty: its campaign needs no looking after. */
const LEAST_THOUSANDTHS = 1

/**
 * What the chosen impressions of a CPC campaign may still cost (H of the design), of one shard and day. Holding the price
 * of a click for each would strand nearly all of a budget, so the pool holds the clicks still to be expected and a
 * margin: sum(amount * rate * S(age)) + z * sqrt(sum(amount^2 * rate * S(age))).
 *
 * Money is in thousandths of a micro, variance in their square. Only + - * / and sqrt: the same on every engine.
 */
export interface ClickPool {
  /** Minutes since the epoch up to which the pool has decayed. */
  minute: number
  /** Chosen in that minute: it decays from the end of the next one on, so that nothing is given up early. */
  fresh: number
  freshVariance: number
  fast: number
  slow: number
  fastVariance: number
  slowVariance: number
  /** Of the sums above, what was taken for chosen and never told: held, and no prediction that may be found wrong. */
  supposed?: number
}

export function newClickPool(at: number): ClickPool {
  const minute = Math.floor(at / MINUTE_MS)
  return { minute, fresh: 0, freshVariance: 0, fast: 0, slow: 0, fastVariance: 0, slowVariance: 0 }
}

/** Money chosen at `at`, and its variance; of it, so much was taken for chosen and not told. */
export function addToPool(
  pool: ClickPool,
  at: number,
  chosen: number,
  variance: number,
  calibration: Calibration,
  supposed = 0,
): void {
  decayPool(pool, at, calibration)
  if (supposed > 0) pool.supposed = (pool.supposed ?? 0) + supposed
  pool.fresh += chosen
  pool.freshVariance += variance
}

/** Lets time pass, minute by minute, so that it does not matter how often it is called: a replay gives the same bits. */
export function decayPool(pool: ClickPool, now: number, calibration: Calibration): void {
  const minute = Math.floor(now / MINUTE_MS)
  if (minute <= pool.minute) return
  for (; pool.minute < minute; pool.minute++) {
    if (isEmptyPool(pool)) {
      pool.minute = minute
      return
    }
    const before = pool.fresh + pool.fast + pool.slow
    pool.fast = pool.fast * FAST_DECAY + pool.fresh * FAST_SHARE
    pool.slow = pool.slow * SLOW_DECAY + pool.fresh * SLOW_SHARE
    pool.fastVariance = pool.fastVariance * FAST_DECAY + pool.freshVariance * FAST_SHARE
    pool.slowVariance = pool.slowVariance * SLOW_DECAY + pool.freshVariance * SLOW_SHARE
    pool.fresh = 0
    pool.freshVariance = 0
    if (pool.fast + pool.slow < LEAST_THOUSANDTHS) {
      pool.fast = 0
      pool.slow = 0
      pool.fastVariance = 0
      pool.slowVariance = 0
    }
    const after = pool.fast + pool.slow
    // Old and new of it decay together, as if it was of the pool's mean age.
    const predicted = pool.supposed === undefined ? 1 : Math.max(0, 1 - pool.supposed / before)
    observeDue(calibration, (before - after) * predicted)
    if (pool.supposed !== undefined) pool.supposed *= after / before
  }
}

export function isEmptyPool(pool: ClickPool): boolean {
  return pool.fresh === 0 && pool.fast === 0 && pool.slow === 0
}

/** Clicks of a campaign and day that are out: those of chosen impressions, and those that what is leased may be chosen for. */
export interface ClicksOut {
  /** Undefined where nothing was chosen. */
  readonly pool: ClickPool | undefined
  readonly calibration: Calibration | undefined
  /** What nodes may choose with, at the predicted rate. */
  readonly leased: number
  readonly price: number
  /** 0 to 1, the part of the margin that is held: towards the end of its day, money held back is lost as surely as a click given away. */
  readonly caution: number
}

/** What the clicks may still cost. The rate is corrected by what came of earlier predictions. */
export function heldForClicks(out: ClicksOut): number {
  const { expected, variance } = expectedOf(out)
  return Math.ceil(expected + out.caution * marginDeviations(out.calibration) * Math.sqrt(variance))
}

/**
 * How much more may be leased of `money`, which is all that there is for what is out, so that the clicks of that still fit
 * with their margin. What is leased is chosen within seconds: were the margin held from then on, it would be gone already.
 */
export function leasableForClicks(out: ClicksOut, money: number): number {
  const { expected, variance } = expectedOf(out)
  const deviations = (out.caution * marginDeviations(out.calibration)) ** 2
  // With x more: expected + x + sqrt(deviations * (variance + x * price)) = money. A quadratic in what is then expected.
  const half = (deviations * out.price) / 2
  const root = Math.sqrt(Math.max(0, half ** 2 + deviations * (variance + out.price * (money - expected))))
  return Math.max(0, Math.floor((money - expected + half - root) / leaseFactor(out.calibration)))
}

function expectedOf({ pool, calibration, leased, price }: ClicksOut): {
  readonly expected: number
  readonly variance: number
} {
  const factor = clickRateFactor(calibration)
  const toChoose = leased * leaseFactor(calibration)
  if (pool === undefined) return { expected: toChoose, variance: toChoose * price }
  return {
    expected: factor * (pool.fresh + pool.fast + pool.slow) + toChoose,
    variance: factor * (pool.freshVariance + pool.fastVariance + pool.slowVariance) + toChoose * price,
  }
}

/** What is leased counts whole until it is chosen with, however few clicks came so far: nodes spend it by their own prediction. */
function leaseFactor(calibration: Calibration | undefined): number {
  return Math.max(1, clickRateFactor(calibration))
}
