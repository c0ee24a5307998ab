import type { EdgeColumns, SharedColumns } from '../campaigns/catalog-columns.ts'
import {
  AD_AMOUNT,
  AD_DOUBLES,
  AD_SECURE,
  AD_WORDS,
  AdWord,
  type CatalogSnapshot,
  OFFER_CPC,
  OFFER_WORDS,
  Offer,
} from '../campaigns/catalog-layout.ts'
import { findList, List } from '../campaigns/catalog-lists.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import { Dimension, listKey } from '../campaigns/targeting.ts'
import type { ClickRates } from './click-rate.ts'
import { passesPacing, type RequestView, SEGMENTS_MAX, SIZES_MAX, VALUES_MAX } from './request-view.ts'

/** What counts how often a person was shown a campaign: serving/frequency.ts. */
export interface FrequencyRules {
  allowed(person: number, campaignSlot: number, cap: number, perSeconds: number, nowMs: number): boolean
  record(person: number, campaignSlot: number, nowMs: number): void
}

/** More than one impression can meet: in base and delta, for each size, one for each value. */
const LISTS_MAX = 2 * SIZES_MAX * (4 + 2 * VALUES_MAX + SEGMENTS_MAX)

/**
 * The index: finds the two best bids for an impression. It merges the lists that the request meets in falling order
 * of highest possible score, and stops when the next one cannot beat the runner-up. No allocation per candidate.
 */
export class Candidates {
  winnerSlot = -1
  /** Rows of the winner's snapshot. */
  winnerOffer = -1
  winnerAd = -1
  winnerScore = 0
  winnerRatePpb = 0
  winner: CatalogSnapshot | null = null
  /** The best score of another campaign; 0 where there is none. */
  runnerUpScore = 0

  /** 1 for a list of the base. Not the snapshot itself: that would keep an old one alive. */
  private readonly listOfBase = new Uint8Array(LISTS_MAX)
  private readonly listNext = new Int32Array(LISTS_MAX)
  private readonly listEnd = new Int32Array(LISTS_MAX)
  private readonly listSize = new Int32Array(LISTS_MAX)
  /** Bound of the list's next entry; -1 once it is done with. */
  private readonly listBound = new Float64Array(LISTS_MAX)
  private listCount = 0

  /** Slots of campaigns that a frequency cap kept out, where someone asks for them. */
  cappedSlots: number[] | null = null

  // Of the best ad of the offer that was looked at last.
  private bestAd = -1
  private bestScore = 0
  private bestRatePpb = 0

  constructor(
    private readonly catalog: CatalogReader,
    private readonly shared: SharedColumns,
    private readonly edge: EdgeColumns,
    private readonly rates: ClickRates,
    private readonly frequency: FrequencyRules,
  ) {}

  /** False where nothing bids. The result stands in the fields until the next call. */
  find(view: RequestView): boolean {
    this.winner = null
    this.winnerSlot = -1
    this.winnerScore = 0
    this.runnerUpScore = 0
    this.listCount = 0
    const { base, delta } = this.catalog
    if (delta !== null) this.openLists(delta, view, 0)
    if (base !== null) this.openLists(base, view, 1)
    this.scan(view, base, delta)
    return this.winner !== null
  }

  private openLists(source: CatalogSnapshot, view: RequestView, ofBase: number): void {
    for (let i = 0; i < view.sizeCount; i++) {
      const size = view.sizes[i]!
      this.open(source, ofBase, size, Dimension.any, 0)
      if (view.country !== 0) this.open(source, ofBase, size, Dimension.country, view.country)
      if (view.region !== 0) this.open(source, ofBase, size, Dimension.region, view.region)
      if (view.placement !== 0) this.open(source, ofBase, size, Dimension.placement, view.placement)
      for (let d = 0; d < view.domainCount; d++)
        this.open(source, ofBase, size, Dimension.domain, view.domains[d]!)
      for (let c = 0; c < view.categoryCount; c++)
        this.open(source, ofBase, size, Dimension.category, view.categories[c]!)
      for (let s = 0; s < view.segmentCount; s++)
        this.open(source, ofBase, size, Dimension.segment, view.segments[s]!)
    }
  }

  private open(
    source: CatalogSnapshot,
    ofBase: number,
    size: number,
    dimension: Dimension,
    value: number,
  ): void {
    const place = findList(source.lists.table, listKey(size, dimension, value))
    if (place < 0) return
    const list = this.listCount++
    const next = source.lists.table[place + List.start]!
    this.listOfBase[list] = ofBase
    this.listNext[list] = next
    this.listEnd[list] = source.lists.table[place + List.end]!
    this.listSize[list] = size
    this.listBound[list] = source.lists.bounds[next]!
  }

  private scan(view: RequestView, base: CatalogSnapshot | null, delta: CatalogSnapshot | null): void {
    const { superseded, held } = this.catalog
    const { stopped } = this.shared
    const { allowanceThousandths: allowance, pacing } = this.edge
    const floor = Math.max(1, view.floorCpmMicros)
    for (;;) {
      let best = -1
      let bound = floor - 1
      let second = floor - 1
      for (let list = 0; list < this.listCount; list++) {
        const head = this.listBound[list]!
        if (head > bound) {
          second = bound
          bound = head
          best = list
        } else if (head > second) second = head
      }
      if (best < 0 || bound < this.runnerUpScore) return
      // What equals the runner-up can only win where the winner is no better, and then by age: see below.
      if (bound === this.runnerUpScore && bound < this.winnerScore) return
      const isBase = this.listOfBase[best] === 1
      const source = (isBase ? base : delta)!
      const { bounds, offers, slots } = source.lists
      const end = this.listEnd[best]!
      let at = this.listNext[best]!
      // Stays in this list for as long as it leads.
      do {
        if (bound <= this.runnerUpScore && (bound < this.winnerScore || !this.isOlder(source, offers[at]!))) {
          // Entries of one bound stand in order of age, and those behind have lower bounds: the list is done with.
          at = end
          break
        }
        const slot = slots[at]!
        // A node holds money of few campaigns of a fleet, and paced ones sit most requests out: most entries end
        // here, at about 3 ns each, before a row of the offers is touched. Pacing first, as it turns most away: each
        // column is a cache line of its own that is read from anywhere. What has no grant has no pacing.
        if (
          passesPacing(pacing[slot]!, slot, view.random) &&
          allowance[slot]! > 0 &&
          (stopped[slot]! | held[slot]!) === 0 &&
          !(isBase && superseded[slot] !== 0)
        ) {
          this.consider(view, source, offers[at]!, slot, this.listSize[best]!)
        }
        at++
        if (at === end) break
        bound = bounds[at]!
      } while (bound >= second && bound >= floor)
      this.listNext[best] = at
      this.listBound[best] = at < end ? bounds[at]! : -1
    }
  }

  /** Whether the offer's campaign is older than the winner's. */
  private isOlder(source: CatalogSnapshot, offer: number): boolean {
    const winner = this.winner!
    const createdAt = source.offerCreatedAt[offer]!
    const winnerCreatedAt = winner.offerCreatedAt[this.winnerOffer]!
    if (createdAt !== winnerCreatedAt) return createdAt < winnerCreatedAt
    const slot = source.offerWords[offer * OFFER_WORDS + Offer.campaignSlot]!
    return this.shared.campaignNumbers[slot]! < this.shared.campaignNumbers[this.winnerSlot]!
  }

  private consider(
    view: RequestView,
    source: CatalogSnapshot,
    offer: number,
    slot: number,
    size: number,
  ): void {
    const words = source.offerWords
    const at = offer * OFFER_WORDS
    if (words[at + Offer.size] !== size) return
    if (!matchesTargeting(view, source, at)) return
    if (view.takenCount > 0 && view.hasTaken(slot)) return
    if (!this.bestAdOf(view, source, offer, slot)) return
    const score = this.bestScore
    if (score < view.floorCpmMicros) return
    // The score is what the choice may cost, in thousandths of a micro, for a click price too.
    if (this.edge.allowanceThousandths[slot]! < score) return
    if (score < this.runnerUpScore) return
    const cap = words[at + Offer.capImpressions]!
    if (
      cap !== 0 &&
      !this.frequency.allowed(view.person, slot, cap, words[at + Offer.capSeconds]!, view.now)
    ) {
      this.cappedSlots?.push(slot)
      return
    }
    this.rank(source, offer, slot)
  }

  /** Takes an eligible bid into the order. A campaign met in two lists or sizes bids once, with its best. */
  private rank(source: CatalogSnapshot, offer: number, slot: number): void {
    const score = this.bestScore
    if (slot === this.winnerSlot) {
      if (score > this.winnerScore) this.crown(source, offer, slot)
    } else if (score > this.winnerScore || (score === this.winnerScore && this.isOlder(source, offer))) {
      this.runnerUpScore = this.winnerScore
      this.crown(source, offer, slot)
    } else if (score > this.runnerUpScore) {
      this.runnerUpScore = score
    }
  }

  private crown(source: CatalogSnapshot, offer: number, slot: number): void {
    this.winner = source
    this.winnerSlot = slot
    this.winnerOffer = offer
    this.winnerAd = this.bestAd
    this.winnerScore = this.bestScore
    this.winnerRatePpb = this.bestRatePpb
  }

  /** The campaign's best ad in this size that the request accepts. Equal ones take turns. */
  private bestAdOf(view: RequestView, source: CatalogSnapshot, offer: number, slot: number): boolean {
    const at = offer * OFFER_WORDS
    const first = source.offerWords[at + Offer.firstAd]!
    const end = first + source.offerWords[at + Offer.ads]!
    let equals = 0
    this.bestScore = 0
    for (let ad = first; ad < end; ad++) {
      if (!acceptsAd(view, source, ad)) continue
      const score = this.scoreOf(view, source, offer, ad)
      if (score > this.bestScore) {
        this.bestScore = score
        this.bestAd = ad
        equals = 1
      } else if (score === this.bestScore) equals++
    }
    if (this.bestScore === 0) return false
    if (equals > 1) this.takeTurn(view, source, offer, end, this.edge.turns[slot]! % equals)
    this.bestRatePpb = this.rateOf(view, source, this.bestAd)
    return true
  }

  private takeTurn(
    view: RequestView,
    source: CatalogSnapshot,
    offer: number,
    end: number,
    turn: number,
  ): void {
    let left = turn
    for (let ad = this.bestAd; ad < end; ad++) {
      if (!acceptsAd(view, source, ad) || this.scoreOf(view, source, offer, ad) !== this.bestScore) continue
      if (left-- === 0) {
        this.bestAd = ad
        return
      }
    }
  }

  /** Expected CPM, micros. As expectedCpm in exchange/auction.ts: the differential test holds them together. */
  private scoreOf(view: RequestView, source: CatalogSnapshot, offer: number, ad: number): number {
    const amount = source.adAmounts[ad * AD_DOUBLES + AD_AMOUNT]!
    if ((source.offerWords[offer * OFFER_WORDS + Offer.flags]! & OFFER_CPC) === 0) return amount
    return Math.floor((amount * this.rateOf(view, source, ad)) / 1_000_000)
  }

  /** Clipped to the bound that the ad's place in the lists stands on: else the scan could stop too early. */
  private rateOf(view: RequestView, source: CatalogSnapshot, ad: number): number {
    const at = ad * AD_WORDS
    const predicted = this.rates.predictPpb(source.adWords[at + AdWord.adSlot]!, view.placement)
    return Math.min(predicted, source.adWords[at + AdWord.boundPpb]!)
  }
}

function acceptsAd(view: RequestView, source: CatalogSnapshot, ad: number): boolean {
  const words = source.adWords
  const at = ad * AD_WORDS
  if (view.secure && (words[at + AdWord.flags]! & AD_SECURE) === 0) return false
  if ((words[at + AdWord.attributes]! & view.blockedAttributes) !== 0) return false
  const hashes = source.hashes
  const from = words[at + AdWord.hashes]!
  const domains = words[at + AdWord.domains]!
  if (view.blockedDomains.size > 0 && view.blockedDomains.hasAnyOf(hashes, from, domains)) return false
  if (view.impBlockedDomains.size > 0 && view.impBlockedDomains.hasAnyOf(hashes, from, domains)) return false
  const categories = words[at + AdWord.categories]!
  if (categories > 0) {
    const blocked = view.blockedCategories
    if (blocked.size > 0 && blocked.hasAnyOf(hashes, from + domains, categories)) return false
    const here = view.impBlockedCategories
    if (here.size > 0 && here.hasAnyOf(hashes, from + domains, categories)) return false
  }
  const allowed = view.allowedCategories
  if (allowed.size > 0 && !allowed.hasAnyOf(hashes, from + domains, categories)) return false
  return (
    view.takenDomains.size === 0 || !view.takenDomains.hasAnyOf(hashes, from, words[at + AdWord.ownDomains]!)
  )
}

function matchesTargeting(view: RequestView, source: CatalogSnapshot, at: number): boolean {
  const words = source.offerWords
  const devices = words[at + Offer.devices]!
  if (devices !== 0 && (devices & (1 << view.device)) === 0) return false
  const hashes = source.hashes
  let from = words[at + Offer.target]!
  const countries = words[at + Offer.countries]!
  if (countries !== 0 && !includes(hashes, from, countries, view.country)) return false
  from += countries
  const regions = words[at + Offer.regions]!
  if (regions !== 0 && !includes(hashes, from, regions, view.region)) return false
  from += regions
  const domains = words[at + Offer.domains]!
  if (domains !== 0 && !meets(hashes, from, domains, view.domains, view.domainCount)) return false
  from += domains
  const placements = words[at + Offer.placements]!
  if (placements !== 0 && !includes(hashes, from, placements, view.placement)) return false
  from += placements
  const categories = words[at + Offer.categories]!
  if (categories !== 0 && !meets(hashes, from, categories, view.categories, view.categoryCount)) return false
  from += categories
  const segments = words[at + Offer.segments]!
  return segments === 0 || meets(hashes, from, segments, view.segments, view.segmentCount)
}

/** Runs are sorted. Short ones are walked, long ones halved. */
const WALKED_MAX = 8

function includes(hashes: Float64Array, from: number, count: number, value: number): boolean {
  if (count <= WALKED_MAX) {
    for (let i = from; i < from + count; i++) if (hashes[i] === value) return true
    return false
  }
  let low = from
  let high = from + count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (hashes[middle]! < value) low = middle + 1
    else high = middle
  }
  return low < from + count && hashes[low] === value
}

function meets(
  hashes: Float64Array,
  from: number,
  count: number,
  values: Float64Array,
  valueCount: number,
): boolean {
  for (let i = 0; i < valueCount; i++) if (includes(hashes, from, count, values[i]!)) return true
  return false
}
