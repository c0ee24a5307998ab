/** Click rates are in billionths. What an ad is assumed to get before anything is known: one click in a thousand. */
export const PRIOR_PPB = 1_000_000
/**
 * How far above the rate at which it was laid out an ad may be scored, until it is laid out again. The scan looks at
 * every click campaign within so much of the price to beat, so this is what a decision costs.
 */
export const HEADROOM = 1.2
/** An ad is laid out anew once the bound that its rate calls for is off by this factor, either way. */
export const BOUND_DRIFT = 1.1
const BILLION = 1_000_000_000

/** The rate that an ad is indexed under, given its learned one (0: none yet). Scores are clipped to it. */
export function clickRateBoundPpb(learnedPpb: number): number {
  return Math.min(BILLION, Math.ceil((learnedPpb === 0 ? PRIOR_PPB : learnedPpb) * HEADROOM))
}

export function hasDrifted(boundPpb: number, learnedPpb: number): boolean {
  const called = clickRateBoundPpb(learnedPpb)
  return called > boundPpb * BOUND_DRIFT || called * BOUND_DRIFT < boundPpb
}
