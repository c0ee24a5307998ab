import { DAY_MS, HOUR_MS } from '../../../src/core/time.ts'
import type { AdvertiserFacts } from '../market.ts'
import type { ChargeBook } from './charge-book.ts'
import { billedOn } from './days.ts'

/** What was billed of what could be: micros. */
export interface Delivery {
  readonly billed: number
  /** Caps and balances of the days that say something. */
  readonly target: number
  readonly stranded: number
  /** The most that one campaign has left on a day, in prices of its events. */
  readonly strandedPricesMax: number
}

/** A day that the run has less than this of says nothing of what can be delivered. */
const JUDGED_MS = 2 * HOUR_MS

/**
 * From the book of charges: what was left of caps and balances at the end. Of days that are over: one that the run breaks
 * off has money for the clicks that may still come, and for people who come later.
 */
export function deliveryOf(
  money: ChargeBook,
  advertisers: readonly AdvertiserFacts[],
  run: { readonly start: number; readonly end: number },
): Delivery {
  const isWhole = run.end - run.start >= DAY_MS
  let billed = 0
  let target = 0
  let stranded = 0
  let strandedPricesMax = 0
  for (const advertiser of advertisers) {
    let ofOthers = 0
    let mine = 0
    let caps = 0
    for (const { number } of advertiser.campaigns) {
      const { facts, days } = money.books.get(number)!
      for (const day of days.values()) {
        const of = billedOn(day)
        billed += of
        const end = day.end ?? day.start + DAY_MS
        const isJudged = end <= run.end && end - Math.max(run.start, day.start) >= JUDGED_MS
        if (!isJudged || (facts.pacing === 'even' && !isWhole)) {
          ofOthers += of
          continue
        }
        mine += of
        caps += day.capMost
        const price = facts.model === 'cpc' ? facts.amount : facts.amount / 1000
        strandedPricesMax = Math.max(strandedPricesMax, (day.capMost - of) / price)
      }
    }
    const able = Math.min(caps, Math.max(0, advertiser.deposit - ofOthers))
    target += able
    stranded += Math.max(0, able - mine)
  }
  return { billed, target, stranded, strandedPricesMax }
}
