/**
 * How the clicks that come compare with those predicted, for one shard: predictions are of the edge, which has seen
 * other traffic and maybe none of this ad. Both sides are in money (price x clicks), thousandths of a micro, so that a
 * campaign whose price changes stays one series.
 */
export interface Calibration {
  /** Of clicks that should have come by now. */
  due: number
  /** Of clicks that came. */
  came: number
  /** Of one click, when last seen: weighs the prior. */
  price: number
}

/** The prediction counts as much as so many clicks seen. */
const PRIOR_CLICKS = 8
/** A factor beyond these is a fault of the counting, not of the prediction. */
const FACTOR_MIN = 0.25
const FACTOR_MAX = 4
/** Clicks after which what was seen is halved: an ad's rate changes over days. */
const MEMORY_CLICKS = 2000
/** Standard deviations above the expectation that a pool of clicks holds, of an ad whose rate is well known. */
const MARGIN_DEVIATIONS = 1.5
/** What a cold ad has in addition; it shrinks with the clicks seen. */
const COLD_DEVIATIONS = 1

export function newCalibration(): Calibration {
  return { due: 0, came: 0, price: 0 }
}

export function observeDue(calibration: Calibration, due: number): void {
  calibration.due += due
  if (calibration.price === 0 || calibration.due <= MEMORY_CLICKS * calibration.price) return
  calibration.due /= 2
  calibration.came /= 2
}

export function observeClick(calibration: Calibration, amountMicros: number): void {
  calibration.price = amountMicros * 1000
  calibration.came += amountMicros * 1000
}

/** What a prediction is to be multiplied by. 1 while nothing is known. */
export function clickRateFactor(calibration: Calibration | undefined): number {
  if (calibration === undefined || calibration.price === 0) return 1
  const prior = PRIOR_CLICKS * calibration.price
  const factor = (calibration.came + prior) / (calibration.due + prior)
  return Math.min(FACTOR_MAX, Math.max(FACTOR_MIN, factor))
}

/** How many standard deviations to hold above the expected clicks: more for an ad that has had few. */
export function marginDeviations(calibration: Calibration | undefined): number {
  if (calibration === undefined || calibration.price === 0) return MARGIN_DEVIATIONS + COLD_DEVIATIONS
  const clicks = calibration.came / calibration.price
  return MARGIN_DEVIATIONS + COLD_DEVIATIONS / Math.sqrt(1 + clicks)
}
