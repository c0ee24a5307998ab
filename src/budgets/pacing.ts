/**
 * Even pacing: money is let out along a plan. What is not spent of the budget is spread over what is left of its time by
 * the traffic's own curve, anew at every look, so that the plan corrects itself: after an outage, or with a forecast that
 * was wrong, the rest is spread over the rest. The line that money may follow rises at that rate and is never more than
 * half a minute ahead of what is out: there is no burst to catch up with. What is out and not spent is ahead of the plan:
 * held for what was chosen, it is spent, or comes back and is let out again.
 *
 * The factor is a share of requests: where demand is more than the plan has money for, nodes bid on some requests only,
 * and so on all kinds of them, in place of the first of each second.
 */
export interface Pace {
  /** When the line was moved last; -1 before it was. */
  at: number
  /** Money that may be out by then, micros. */
  line: number
}

export interface PaceTerms {
  readonly now: number
  /** What is spent, or will be of what is out. */
  readonly spent: number
  /** Spent and reserved, micros. */
  readonly out: number
  /** What may be out by the end. */
  readonly cap: number
  /** What one more billable event costs. */
  readonly price: number
  /** The curve's weight now (0 where the schedule is closed), and its mass from now to the end, in ms of the mean. */
  readonly weight: number
  readonly massLeft: number
}

export interface Paced {
  /** What may go out now. */
  readonly allowance: number
  /** Share of eligible requests to bid on, 0 to 1. */
  readonly factor: number
  /** Ms until the plan lets out another price. */
  readonly waitMs: number
}

/**
 * The line may be so far ahead of what is out: two rounds of asks and the way of a lease, and a while in which no request
 * comes that the campaign may have. What the line loses there is missed now, and too much at the end of the day.
 */
const AHEAD_MS = 30_000
/** A level of the allowance below this, and nodes bid on a part of the requests. */
const EASE_MS = 4_000
const FACTOR_MIN = 0.05
/** Time for which the line does not rise at one look: nobody looked, or the clock jumped. */
const GAP_MS_MAX = 60_000

export function newPace(): Pace {
  return { at: -1, line: 0 }
}

export function paceTo(pace: Pace, terms: PaceTerms): Paced {
  const { now, spent, out, cap, price, weight, massLeft } = terms
  const perMs = massLeft > 0 ? (Math.max(0, cap - spent) * weight) / massLeft : 0
  const ahead = Math.max(perMs * AHEAD_MS, weight > 0 ? price : 0)
  if (pace.at < 0) pace.line = out + ahead / 2
  else pace.line += perMs * Math.min(GAP_MS_MAX, Math.max(0, now - pace.at))
  pace.at = now
  pace.line = Math.min(pace.line, out + ahead)
  const allowance = Math.floor(Math.min(pace.line - out, cap - out))
  // A campaign of few events a minute is let out one at a time: there is nothing to ease.
  const eased = perMs * EASE_MS
  const factor = eased <= price ? 1 : Math.min(1, Math.max(FACTOR_MIN, (pace.line - out) / eased))
  const untilNext = price - (Math.max(0, pace.line - out) % price)
  return { allowance, factor, waitMs: perMs > 0 ? untilNext / perMs : Number.POSITIVE_INFINITY }
}
