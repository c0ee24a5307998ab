import { PRIOR_PPB } from '../campaigns/catalog-bound.ts'
import { AD_SLOTS_MAX, type SharedColumns } from '../campaigns/catalog-columns.ts'

/** Impressions that the prior counts for. */
export const PRIOR_IMPRESSIONS = 1000
/** Impressions that the ad's own rate counts for where one placement is looked at. */
export const AD_IMPRESSIONS = 2000
/** Pairs of ad and placement that are remembered. The one with the fewest impressions of a bucket makes room. */
export const PAIRS_MAX = 1 << 17
const BUCKET = 4
/** Counts are halved here, so that a rate follows its time. */
export const IMPRESSIONS_KEPT = 4_000_000
const BILLION = 1_000_000_000

/** Click rates by ad, and by ad and placement, each drawn towards the wider one while little is known. */
export class ClickRates {
  private readonly impressions = new Float64Array(AD_SLOTS_MAX)
  private readonly clicks = new Float64Array(AD_SLOTS_MAX)
  private readonly pairAds = new Int32Array(PAIRS_MAX).fill(-1)
  private readonly pairPlacements = new Float64Array(PAIRS_MAX)
  private readonly pairImpressions = new Float64Array(PAIRS_MAX)
  private readonly pairClicks = new Float64Array(PAIRS_MAX)

  constructor(private readonly columns: Pick<SharedColumns, 'clickRatePpb'>) {}

  /** Takes in what was seen since the last call. `placement` 0: unknown. */
  observe(seen: {
    readonly adSlot: number
    readonly placement: number
    readonly impressions: number
    readonly clicks: number
  }): void {
    const { adSlot } = seen
    const impressions = this.impressions[adSlot]! + seen.impressions
    const clicks = this.clicks[adSlot]! + seen.clicks
    const share = impressions > IMPRESSIONS_KEPT ? 0.5 : 1
    this.impressions[adSlot] = impressions * share
    this.clicks[adSlot] = clicks * share
    this.columns.clickRatePpb[adSlot] = drawn(clicks, impressions, PRIOR_PPB, PRIOR_IMPRESSIONS)
    if (seen.placement !== 0) this.observePair(seen)
  }

  /** The rate to score with, before the clip to the ad's bound. */
  predictPpb(adSlot: number, placement: number): number {
    const learned = this.columns.clickRatePpb[adSlot]!
    const ppb = learned === 0 ? PRIOR_PPB : learned
    if (placement === 0) return ppb
    const at = this.findPair(adSlot, placement)
    return at < 0 ? ppb : drawn(this.pairClicks[at]!, this.pairImpressions[at]!, ppb, AD_IMPRESSIONS)
  }

  private observePair(seen: {
    readonly adSlot: number
    readonly placement: number
    readonly impressions: number
    readonly clicks: number
  }): void {
    let at = this.findPair(seen.adSlot, seen.placement)
    if (at < 0) {
      at = this.leastOf(bucketOf(seen.adSlot, seen.placement))
      this.pairAds[at] = seen.adSlot
      this.pairPlacements[at] = seen.placement
      this.pairImpressions[at] = 0
      this.pairClicks[at] = 0
    }
    this.pairImpressions[at]! += seen.impressions
    this.pairClicks[at]! += seen.clicks
  }

  private findPair(adSlot: number, placement: number): number {
    const bucket = bucketOf(adSlot, placement)
    for (let at = bucket; at < bucket + BUCKET; at++) {
      if (this.pairAds[at] === adSlot && this.pairPlacements[at] === placement) return at
    }
    return -1
  }

  private leastOf(bucket: number): number {
    let least = bucket
    for (let at = bucket; at < bucket + BUCKET; at++) {
      if (this.pairAds[at] === -1) return at
      if (this.pairImpressions[at]! < this.pairImpressions[least]!) least = at
    }
    return least
  }
}

function bucketOf(adSlot: number, placement: number): number {
  let hash =
    Math.imul(adSlot + 1, 0x9e3779b1) ^ Math.imul(placement >>> 0, 0x85ebca6b) ^ (placement / 4_294_967_296)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 13
  return (hash & (PAIRS_MAX / BUCKET - 1)) * BUCKET
}

/** At least 1: a rate of 0 in the column means "not yet learned". */
function drawn(clicks: number, impressions: number, towardsPpb: number, weight: number): number {
  const ppb = Math.round((clicks * BILLION + towardsPpb * weight) / (impressions + weight))
  return Math.max(1, Math.min(BILLION, ppb))
}
