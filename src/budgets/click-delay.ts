import { DAY_MS, MINUTE_MS } from '../core/time.ts'

/**
 * When clicks come: of all that an impression will have, 70% with a half life of a minute, the rest of an hour. S(age),
 * the share still to come, is so a sum of two exponentials, and a pool of impressions decays in steps of a minute by
 * two products: no engine's `exp` is asked, and no list of minutes is kept.
 */
export const FAST_SHARE = 0.7
export const SLOW_SHARE = 0.3
export const FAST_DECAY = 0.5
export const SLOW_DECAY = 0.988514020352896
/** A click counts for a day after the choice. */
export const CLICK_LIFE_MS = DAY_MS
/** So long after its end nothing more can come of a day's impressions: the log's lag, and clocks that differ, included. */
export const LAST_CLICK_MS = CLICK_LIFE_MS + MINUTE_MS
