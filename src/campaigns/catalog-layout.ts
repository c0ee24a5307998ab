import { assert } from '../core/assert.ts'
import { parseId } from '../core/ids.ts'
import { DEVICE_TYPES } from '../records/device.ts'
import type { Ad, Campaign } from './campaign.ts'
import { type KeyedLists, ListBuilder } from './catalog-lists.ts'
import { type NumberTable, newNumberTable } from './catalog-table.ts'
import {
  adCategories,
  advertiserDomains,
  attributeMask,
  currencyKey,
  Dimension,
  hash53,
  listKey,
  loadsSecurely,
  narrowestDimension,
  sizeKey,
} from './targeting.ts'

/**
 * A snapshot: campaigns and ads laid out in columns of shared memory, immutable, a plain object that crosses threads
 * without a copy. An **offer** is what a campaign has in one size: a row of OFFER_WORDS words (one cache line), whose
 * active ads lie side by side. Ads that are paused or archived have a row as well, as their links must lead on.
 */
export interface CatalogSnapshot {
  /** Counts up. A delta stands on the base of the number that it names; a base stands on itself. */
  readonly version: number
  readonly baseVersion: number
  readonly kind: 'base' | 'delta'
  /** Of the campaigns in it, by row. */
  readonly campaigns: NumberTable
  readonly campaignSlots: Int32Array<SharedArrayBuffer>
  readonly campaignVersions: Int32Array<SharedArrayBuffer>
  readonly advertiserNumbers: Float64Array<SharedArrayBuffer>
  readonly offerWords: Int32Array<SharedArrayBuffer>
  readonly offerAmounts: Float64Array<SharedArrayBuffer>
  readonly offerCreatedAt: Float64Array<SharedArrayBuffer>
  /** Hashes that offers target and ads are known by, as runs. */
  readonly hashes: Float64Array<SharedArrayBuffer>
  readonly lists: KeyedLists
  readonly ads: NumberTable
  readonly adNumbers: Float64Array<SharedArrayBuffer>
  readonly adWords: Int32Array<SharedArrayBuffer>
  readonly text: Uint8Array<SharedArrayBuffer>
}

export const OFFER_WORDS = 16
export const Offer = {
  campaignSlot: 0,
  size: 1,
  firstAd: 2,
  ads: 3,
  flags: 4,
  /** Bit d is set for device number d; 0 is no restriction. */
  devices: 5,
  /** Runs of `hashes`, one behind the other from `target` on: the counts are of each, sorted within. */
  target: 6,
  countries: 7,
  regions: 8,
  domains: 9,
  placements: 10,
  categories: 11,
  segments: 12,
  capImpressions: 13,
  capSeconds: 14,
  campaignRow: 15,
} as const
export const OFFER_CPC = 1

export const AD_WORDS = 13
export const AdWord = {
  adSlot: 0,
  campaignRow: 1,
  flags: 2,
  attributes: 3,
  /** In `hashes`: domains and their parents, then categories and theirs. */
  hashes: 4,
  domains: 5,
  categories: 6,
  /** The highest click rate that the ad may be scored with: what its place in the lists stands on. Billionths. */
  boundPpb: 7,
  size: 8,
  /** In `text`: the landing URL, and behind it the rest as JSON. */
  text: 9,
  landingBytes: 10,
  detailBytes: 11,
  /** How many of the domains are the advertiser's own: they come first, their parents behind them. */
  ownDomains: 12,
} as const
export const AD_SECURE = 1

/** What an answer carries of an ad, apart from its landing URL. */
export interface AdDetail {
  readonly campaignId: string
  readonly advertiserId: string
  readonly adId: string
  readonly currency: string
  readonly adomain: readonly string[]
  readonly cat: readonly string[]
  readonly attr: readonly number[]
  readonly creative: Ad['creative']
}

export interface LaidOutCampaign {
  readonly slot: number
  readonly campaign: Campaign
  /** False for one that may not be chosen now: its ads are known, and in no list. */
  readonly listed: boolean
  /** Slots of the campaign's ads, in their order. */
  readonly adSlots: readonly number[]
  /** The bounds on their click rates, billionths. */
  readonly boundsPpb: readonly number[]
}

export interface LayoutTerms {
  readonly kind: 'base' | 'delta'
  readonly version: number
  readonly baseVersion: number
}

export function layOut(campaigns: readonly LaidOutCampaign[], terms: LayoutTerms): CatalogSnapshot {
  return new Layout(terms).build(campaigns)
}

/** Active ads of one size, rows `first` to `first + count`. */
interface AdGroup {
  readonly size: number
  readonly first: number
  count: number
  boundPpb: number
}

class Layout {
  private readonly hashes: number[] = []
  private readonly adNumbers: number[] = []
  private readonly adWords: number[] = []
  private readonly offerWords: number[] = []
  private readonly offerAmounts: number[] = []
  private readonly offerCreatedAt: number[] = []
  private readonly offerBounds: number[] = []
  private readonly offerCampaign: number[] = []
  private readonly lists = new ListBuilder()
  private readonly text = new TextHeap()

  constructor(private readonly terms: LayoutTerms) {}

  build(campaigns: readonly LaidOutCampaign[]): CatalogSnapshot {
    const numbers = campaigns.map(({ campaign }) => numberOf('campaign', campaign.id))
    for (let row = 0; row < campaigns.length; row++) this.addCampaign(campaigns[row]!, row)
    const { rank, bound } = this.rankOffers(numbers)
    return {
      kind: this.terms.kind,
      version: this.terms.version,
      baseVersion: this.terms.baseVersion,
      campaigns: newNumberTable(numbers),
      campaignSlots: sharedInts(campaigns.map(entry => entry.slot)),
      campaignVersions: sharedInts(campaigns.map(entry => entry.campaign.version)),
      advertiserNumbers: sharedDoubles(
        campaigns.map(entry => parseId('advertiser', entry.campaign.advertiserId) ?? 0),
      ),
      offerWords: sharedInts(this.offerWords),
      offerAmounts: sharedDoubles(this.offerAmounts),
      offerCreatedAt: sharedDoubles(this.offerCreatedAt),
      hashes: sharedDoubles(this.hashes),
      lists: this.lists.build({
        rank,
        bound,
        slot: offer => this.offerWords[offer * OFFER_WORDS + Offer.campaignSlot]!,
      }),
      ads: newNumberTable(this.adNumbers),
      adNumbers: sharedDoubles(this.adNumbers),
      adWords: sharedInts(this.adWords),
      text: this.text.share(),
    }
  }

  private addCampaign(entry: LaidOutCampaign, row: number): void {
    const { campaign, adSlots } = entry
    const order = campaign.ads.map((_, i) => i)
    // Active ads of one size side by side, in the order in which the campaign names them.
    const currency = currencyKey(campaign.currency)
    const sizeOf = (i: number) => sizeKey(campaign.ads[i]!.creative.w, campaign.ads[i]!.creative.h) ^ currency
    if (order.length > 1) order.sort((a, b) => sizeOf(a) - sizeOf(b) || a - b)
    let group: AdGroup | null = null
    const offers: AdGroup[] = []
    for (const i of order) {
      const ad = campaign.ads[i]!
      if (ad.status !== 'active') continue
      const boundPpb = entry.boundsPpb[i]!
      const first = this.addAd(campaign, ad, adSlots[i]!, row, boundPpb)
      if (group?.size !== sizeOf(i)) {
        group = { size: sizeOf(i), first, count: 0, boundPpb: 0 }
        offers.push(group)
      }
      group.count++
      group.boundPpb = Math.max(group.boundPpb, boundPpb)
    }
    for (const i of order) {
      if (campaign.ads[i]!.status !== 'active') this.addAd(campaign, campaign.ads[i]!, adSlots[i]!, row, 0)
    }
    if (!entry.listed || offers.length === 0) return
    const target = this.addTargets(campaign)
    for (const offer of offers) this.addOffer(entry, row, offer, target)
  }

  private addAd(campaign: Campaign, ad: Ad, adSlot: number, row: number, boundPpb: number): number {
    const at = this.adNumbers.length
    const hashes = this.hashes.length
    const domains = advertiserDomains(ad)
    const categories = adCategories(ad)
    for (const domain of domains) this.hashes.push(hash53(domain))
    for (const category of categories) this.hashes.push(hash53(category))
    const detail: AdDetail = {
      campaignId: campaign.id,
      advertiserId: campaign.advertiserId,
      adId: ad.id,
      currency: campaign.currency,
      adomain: ad.adomain,
      cat: ad.cat,
      attr: ad.attr,
      creative: ad.creative,
    }
    const text = this.text.length
    const landingBytes = this.text.add(ad.landingUrl)
    const detailBytes = this.text.add(JSON.stringify(detail))
    this.adNumbers.push(numberOf('ad', ad.id))
    this.adWords.push(
      adSlot,
      row,
      loadsSecurely(ad.creative) ? AD_SECURE : 0,
      attributeMask(ad.attr),
      hashes,
      domains.length,
      categories.length,
      boundPpb,
      sizeKey(ad.creative.w, ad.creative.h),
      text,
      landingBytes,
      detailBytes,
      new Set(ad.adomain.map(domain => domain.toLowerCase())).size,
    )
    return at
  }

  private addTargets(campaign: Campaign): number {
    const { targeting } = campaign
    const at = this.hashes.length
    const run = (values: readonly number[]) => {
      const sorted = values.length > 1 ? [...values].sort((a, b) => a - b) : values
      for (const value of sorted) this.hashes.push(value)
    }
    run(targeting.countries.map(country => hash53(country)))
    run(targeting.regions.map(region => hash53(region)))
    run(targeting.domains.map(domain => hash53(domain.toLowerCase())))
    run(targeting.placements.map(id => numberOf('placement', id)))
    run(targeting.categories.map(category => hash53(category)))
    run(targeting.segments.map(segment => hash53(segment)))
    return at
  }

  private addOffer(entry: LaidOutCampaign, row: number, ads: AdGroup, target: number): void {
    const { campaign } = entry
    const { targeting, bid, frequencyCap } = campaign
    const offer = this.offerAmounts.length
    let devices = 0
    for (const type of targeting.deviceTypes) devices |= 1 << DEVICE_TYPES.indexOf(type)
    this.offerWords.push(
      entry.slot,
      ads.size,
      ads.first,
      ads.count,
      bid.model === 'cpc' ? OFFER_CPC : 0,
      devices,
      target,
      targeting.countries.length,
      targeting.regions.length,
      targeting.domains.length,
      targeting.placements.length,
      targeting.categories.length,
      targeting.segments.length,
      frequencyCap?.impressions ?? 0,
      frequencyCap?.perSeconds ?? 0,
      row,
    )
    this.offerAmounts.push(bid.amountMicros)
    this.offerCreatedAt.push(Date.parse(campaign.createdAt))
    this.offerCampaign.push(row)
    // As expectedCpm in exchange/auction.ts, rounding the same way: the bound is what the best rate would score.
    this.offerBounds.push(
      bid.model === 'cpc' ? Math.floor((bid.amountMicros * ads.boundPpb) / 1_000_000) : bid.amountMicros,
    )
    this.list(targeting, ads.size, offer, target)
  }

  private list(targeting: Campaign['targeting'], size: number, offer: number, target: number): void {
    const dimension = narrowestDimension(targeting)
    const { countries, regions, domains, placements, categories, segments } = targeting
    let from = target
    const under = (count: number) => {
      for (let i = 0; i < count; i++) this.lists.add(listKey(size, dimension, this.hashes[from + i]!), offer)
    }
    switch (dimension) {
      case Dimension.any:
        this.lists.add(listKey(size, dimension, 0), offer)
        return
      case Dimension.country:
        under(countries.length)
        return
      case Dimension.region:
        from += countries.length
        under(regions.length)
        return
      case Dimension.domain:
        from += countries.length + regions.length
        under(domains.length)
        return
      case Dimension.placement:
        from += countries.length + regions.length + domains.length
        under(placements.length)
        return
      case Dimension.category:
        from += countries.length + regions.length + domains.length + placements.length
        under(categories.length)
        return
      case Dimension.segment:
        from += countries.length + regions.length + domains.length + placements.length + categories.length
        under(segments.length)
    }
  }

  /** Falling order of the bound; of equal ones the older campaign first, then the lower number. */
  private rankOffers(numbers: readonly number[]): { rank: Int32Array; bound: Float64Array } {
    const bound = Float64Array.from(this.offerBounds)
    const createdAt = this.offerCreatedAt
    const order = Int32Array.from(bound, (_, i) => i)
    order.sort(
      (a, b) =>
        bound[b]! - bound[a]! ||
        createdAt[a]! - createdAt[b]! ||
        numbers[this.offerCampaign[a]!]! - numbers[this.offerCampaign[b]!]!,
    )
    const rank = new Int32Array(order.length)
    for (let i = 0; i < order.length; i++) rank[order[i]!] = i
    return { rank, bound }
  }
}

function numberOf(kind: 'campaign' | 'ad' | 'placement', id: string): number {
  const number = parseId(kind, id)
  assert(number !== null, `not the id of a ${kind}: ${id}`)
  return number
}

function sharedInts(values: readonly number[]): Int32Array<SharedArrayBuffer> {
  const column = new Int32Array(new SharedArrayBuffer(values.length * 4))
  column.set(values)
  return column
}

function sharedDoubles(values: readonly number[]): Float64Array<SharedArrayBuffer> {
  const column = new Float64Array(new SharedArrayBuffer(values.length * 8))
  column.set(values)
  return column
}

const encoder = new TextEncoder()
const TEXT_BYTES_START = 1 << 16

/** Texts as UTF-8, end to end. */
class TextHeap {
  private bytes = new Uint8Array(TEXT_BYTES_START)
  length = 0

  /** Returns how many bytes the text took. */
  add(text: string): number {
    const room = this.length + text.length * 3
    if (room > this.bytes.length) {
      const grown = new Uint8Array(Math.max(room, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.length))
      this.bytes = grown
    }
    const { written } = encoder.encodeInto(text, this.bytes.subarray(this.length))
    this.length += written
    return written
  }

  share(): Uint8Array<SharedArrayBuffer> {
    const shared = new Uint8Array(new SharedArrayBuffer(this.length))
    shared.set(this.bytes.subarray(0, this.length))
    return shared
  }
}
