import { clickRateBoundPpb } from './catalog-bound.ts'
import type { CompiledAd, CompiledCampaign, CompiledOffer } from './catalog-compiled.ts'
import { buildLists, type KeyedLists } from './catalog-lists.ts'
import { type NumberTable, newNumberTable } from './catalog-table.ts'
import { listKey } from './targeting.ts'

export type { AdDetail } from './catalog-compiled.ts'

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
  readonly offerCreatedAt: Float64Array<SharedArrayBuffer>
  /** Hashes that offers target and ads are known by, as runs. */
  readonly hashes: Float64Array<SharedArrayBuffer>
  readonly lists: KeyedLists
  readonly ads: NumberTable
  readonly adNumbers: Float64Array<SharedArrayBuffer>
  readonly adWords: Int32Array<SharedArrayBuffer>
  readonly adAmounts: Float64Array<SharedArrayBuffer>
  /** Texts lie in chunks that snapshots share. */
  readonly texts: readonly Uint8Array<SharedArrayBuffer>[]
  /** Of a base: the delta that goes with it, of what changed while it was laid out. */
  readonly follow: CatalogSnapshot | null
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

/** One cache line: a row of 14 lay across two of them more often than not. */
export const AD_WORDS = 16
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
  /** In a chunk of `texts`: the landing URL, and behind it the rest as JSON. */
  text: 9,
  landingBytes: 10,
  detailBytes: 11,
  /** How many of the domains are the advertiser's own: they come first, their parents behind them. */
  ownDomains: 12,
  chunk: 13,
} as const
/**
 * Behind the words of an ad's row: its campaign's price, as a double of `adAmounts`, which lies over the same memory. It
 * is read where the row is.
 */
export const AD_DOUBLES = AD_WORDS / 2
export const AD_AMOUNT = 7
export const AD_SECURE = 1

export interface LaidOutCampaign {
  readonly compiled: CompiledCampaign
  /** False for one that may not be chosen now: its ads are known, and in no list. */
  readonly listed: boolean
}

export interface LayoutTerms {
  readonly kind: 'base' | 'delta'
  readonly version: number
  readonly baseVersion: number
  /** Learned click rates by ad slot. */
  readonly clickRatePpb: Uint32Array
  /** Takes the bound that each ad was laid out with, by ad slot. */
  readonly boundsPpb: Uint32Array
}

export function layOut(campaigns: readonly LaidOutCampaign[], terms: LayoutTerms): CatalogSnapshot {
  const layout = new Layout(campaigns, terms)
  layout.write(campaigns.length)
  return layout.finish(null)
}

/** One snapshot in the making. A big one is written in portions, so that its thread has time for other work. */
export class Layout {
  private row = 0
  private offer = 0
  private ad = 0
  private hash = 0
  private key = 0
  private readonly texts: Uint8Array<SharedArrayBuffer>[] = []
  private readonly chunkOf = new Map<Uint8Array<SharedArrayBuffer>, number>()
  private readonly campaignNumbers: Float64Array
  private readonly campaignSlots: Int32Array<SharedArrayBuffer>
  private readonly campaignVersions: Int32Array<SharedArrayBuffer>
  private readonly advertiserNumbers: Float64Array<SharedArrayBuffer>
  private readonly offerWords: Int32Array<SharedArrayBuffer>
  private readonly offerCreatedAt: Float64Array<SharedArrayBuffer>
  private readonly offerBounds: Float64Array
  private readonly hashes: Float64Array<SharedArrayBuffer>
  private readonly adNumbers: Float64Array<SharedArrayBuffer>
  private readonly adWords: Int32Array<SharedArrayBuffer>
  private readonly adAmounts: Float64Array<SharedArrayBuffer>
  private readonly listKeys: Int32Array
  private readonly listKeyStarts: Int32Array

  constructor(
    private readonly campaigns: readonly LaidOutCampaign[],
    private readonly terms: LayoutTerms,
  ) {
    let offers = 0
    let ads = 0
    let hashes = 0
    let keys = 0
    for (const { compiled, listed } of campaigns) {
      ads += compiled.ads.length
      for (const ad of compiled.ads) hashes += ad.hashes.length
      if (!listed) continue
      offers += compiled.offers.length
      hashes += compiled.targets.length
      keys += compiled.offers.length * compiled.listedUnder.length
    }
    this.campaignNumbers = new Float64Array(campaigns.length)
    this.campaignSlots = sharedInts(campaigns.length)
    this.campaignVersions = sharedInts(campaigns.length)
    this.advertiserNumbers = sharedDoubles(campaigns.length)
    this.offerWords = sharedInts(offers * OFFER_WORDS)
    this.offerCreatedAt = sharedDoubles(offers)
    this.offerBounds = new Float64Array(offers)
    this.hashes = sharedDoubles(hashes)
    this.adNumbers = sharedDoubles(ads)
    this.adWords = sharedInts(ads * AD_WORDS)
    this.adAmounts = new Float64Array(this.adWords.buffer)
    this.listKeys = new Int32Array(keys)
    this.listKeyStarts = new Int32Array(offers + 1)
  }

  /** Writes up to so many more campaigns; true once all are written. */
  write(campaigns: number): boolean {
    const end = Math.min(this.campaigns.length, this.row + campaigns)
    for (; this.row < end; this.row++) this.addCampaign(this.campaigns[this.row]!)
    return end === this.campaigns.length
  }

  finish(follow: CatalogSnapshot | null): CatalogSnapshot {
    const { kind, version, baseVersion } = this.terms
    return {
      kind,
      version,
      baseVersion,
      campaigns: newNumberTable(this.campaignNumbers),
      campaignSlots: this.campaignSlots,
      campaignVersions: this.campaignVersions,
      advertiserNumbers: this.advertiserNumbers,
      offerWords: this.offerWords,
      offerCreatedAt: this.offerCreatedAt,
      hashes: this.hashes,
      lists: buildLists({
        keys: this.listKeys,
        keyStarts: this.listKeyStarts,
        order: this.orderOfOffers(),
        bounds: this.offerBounds,
        slotOf: offer => this.offerWords[offer * OFFER_WORDS + Offer.campaignSlot]!,
      }),
      ads: newNumberTable(this.adNumbers),
      adNumbers: this.adNumbers,
      adWords: this.adWords,
      adAmounts: this.adAmounts,
      texts: this.texts,
      follow,
    }
  }

  private addCampaign({ compiled, listed }: LaidOutCampaign): void {
    this.campaignNumbers[this.row] = compiled.number
    this.campaignSlots[this.row] = compiled.slot
    this.campaignVersions[this.row] = compiled.version
    this.advertiserNumbers[this.row] = compiled.advertiser
    const firstAd = this.ad
    for (const ad of compiled.ads) this.addAd(ad, compiled.amountMicros)
    if (!listed) return
    const target = this.addHashes(compiled.targets)
    for (const offer of compiled.offers) this.addOffer(compiled, offer, firstAd, target)
  }

  private addAd(ad: CompiledAd, amountMicros: number): void {
    const bound = clickRateBoundPpb(this.terms.clickRatePpb[ad.slot]!)
    this.terms.boundsPpb[ad.slot] = bound
    const words = this.adWords
    const at = this.ad * AD_WORDS
    words[at + AdWord.adSlot] = ad.slot
    words[at + AdWord.campaignRow] = this.row
    words[at + AdWord.flags] = ad.secure ? AD_SECURE : 0
    words[at + AdWord.attributes] = ad.attributes
    words[at + AdWord.hashes] = this.addHashes(ad.hashes)
    words[at + AdWord.domains] = ad.domains
    words[at + AdWord.categories] = ad.hashes.length - ad.domains
    words[at + AdWord.boundPpb] = bound
    words[at + AdWord.size] = ad.size
    words[at + AdWord.text] = ad.text.start
    words[at + AdWord.landingBytes] = ad.text.landingBytes
    words[at + AdWord.detailBytes] = ad.text.detailBytes
    words[at + AdWord.ownDomains] = ad.ownDomains
    words[at + AdWord.chunk] = this.chunkIndex(ad.text.chunk)
    this.adAmounts[this.ad * AD_DOUBLES + AD_AMOUNT] = amountMicros
    this.adNumbers[this.ad++] = ad.number
  }

  private addOffer(compiled: CompiledCampaign, offer: CompiledOffer, firstAd: number, target: number): void {
    const words = this.offerWords
    const at = this.offer * OFFER_WORDS
    words[at + Offer.campaignSlot] = compiled.slot
    words[at + Offer.size] = offer.size
    words[at + Offer.firstAd] = firstAd + offer.first
    words[at + Offer.ads] = offer.count
    words[at + Offer.flags] = compiled.cpc ? OFFER_CPC : 0
    words[at + Offer.devices] = compiled.devices
    words[at + Offer.target] = target
    for (let run = 0; run < compiled.targetCounts.length; run++) {
      words[at + Offer.countries + run] = compiled.targetCounts[run]!
    }
    words[at + Offer.capImpressions] = compiled.capImpressions
    words[at + Offer.capSeconds] = compiled.capSeconds
    words[at + Offer.campaignRow] = this.row
    this.offerCreatedAt[this.offer] = compiled.createdAt
    this.offerBounds[this.offer] = this.highestScore(compiled, firstAd + offer.first, offer.count)
    this.offer++
    for (const value of compiled.listedUnder) {
      this.listKeys[this.key++] = listKey(offer.size, compiled.dimension, value)
    }
    this.listKeyStarts[this.offer] = this.key
  }

  /** As expectedCpm in exchange/auction.ts, rounding the same way: what the best rate that is allowed would score. */
  private highestScore(compiled: CompiledCampaign, firstAd: number, ads: number): number {
    if (!compiled.cpc) return compiled.amountMicros
    let boundPpb = 0
    for (let ad = firstAd; ad < firstAd + ads; ad++) {
      boundPpb = Math.max(boundPpb, this.adWords[ad * AD_WORDS + AdWord.boundPpb]!)
    }
    return Math.floor((compiled.amountMicros * boundPpb) / 1_000_000)
  }

  private addHashes(hashes: readonly number[]): number {
    const at = this.hash
    for (const hash of hashes) this.hashes[this.hash++] = hash
    return at
  }

  private chunkIndex(chunk: Uint8Array<SharedArrayBuffer>): number {
    let index = this.chunkOf.get(chunk)
    if (index === undefined) {
      index = this.texts.length
      this.texts.push(chunk)
      this.chunkOf.set(chunk, index)
    }
    return index
  }

  /** Falling order of the bound; of equal ones the older campaign first, then the lower number. */
  private orderOfOffers(): Int32Array {
    const { offerBounds, offerCreatedAt, offerWords, campaignNumbers } = this
    const numberOf = (offer: number) => campaignNumbers[offerWords[offer * OFFER_WORDS + Offer.campaignRow]!]!
    const order = Int32Array.from(offerBounds, (_, offer) => offer)
    return order.sort(
      (a, b) =>
        offerBounds[b]! - offerBounds[a]! ||
        offerCreatedAt[a]! - offerCreatedAt[b]! ||
        numberOf(a) - numberOf(b),
    )
  }
}

function sharedInts(length: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(length * 4))
}

function sharedDoubles(length: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(length * 8))
}
