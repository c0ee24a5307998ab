import { assert } from '../core/assert.ts'
import { parseId } from '../core/ids.ts'
import { DEVICE_TYPES } from '../records/device.ts'
import type { Ad, Campaign } from './campaign.ts'
import type { CatalogText, TextPlace } from './catalog-text.ts'
import {
  adCategories,
  advertiserDomains,
  attributeMask,
  currencyKey,
  Dimension,
  hash53,
  loadsSecurely,
  narrowestDimension,
  sizeKey,
} from './targeting.ts'

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

export interface CompiledAd {
  readonly number: number
  readonly slot: number
  readonly secure: boolean
  readonly attributes: number
  readonly size: number
  /** Its advertiser's domains and their parents, then its categories and theirs. */
  readonly hashes: readonly number[]
  readonly ownDomains: number
  readonly domains: number
  text: TextPlace
}

/** Active ads of one size: places `first` to `first + count` of the compiled ads. */
export interface CompiledOffer {
  /** With the currency mixed in. */
  readonly size: number
  readonly first: number
  count: number
}

/** A version of a campaign as numbers, made once, so that laying it out again is copying. */
export interface CompiledCampaign {
  readonly number: number
  readonly slot: number
  readonly version: number
  readonly advertiser: number
  readonly createdAt: number
  readonly cpc: boolean
  readonly amountMicros: number
  readonly devices: number
  readonly capImpressions: number
  readonly capSeconds: number
  /** Runs, each sorted: countries, regions, domains, placements, categories, segments. */
  readonly targets: readonly number[]
  readonly targetCounts: readonly number[]
  readonly dimension: Dimension
  /** Values of the dimension, each the key of a list. */
  readonly listedUnder: readonly number[]
  readonly ads: readonly CompiledAd[]
  readonly offers: readonly CompiledOffer[]
}

export function compileCampaign(
  campaign: Campaign,
  slots: { readonly campaign: number; readonly ads: readonly number[] },
  text: CatalogText,
): CompiledCampaign {
  const { targeting, bid, frequencyCap } = campaign
  let devices = 0
  for (const type of targeting.deviceTypes) devices |= 1 << DEVICE_TYPES.indexOf(type)
  const runs = [
    hashesOf(targeting.countries),
    hashesOf(targeting.regions),
    hashesOf(targeting.domains.map(domain => domain.toLowerCase())),
    sorted(targeting.placements.map(id => numberOf('placement', id))),
    hashesOf(targeting.categories),
    hashesOf(targeting.segments),
  ]
  const dimension = narrowestDimension(targeting)
  const advertiser = numberOf('advertiser', campaign.advertiserId)
  return {
    number: numberOf('campaign', campaign.id),
    slot: slots.campaign,
    version: campaign.version,
    advertiser,
    createdAt: Date.parse(campaign.createdAt),
    cpc: bid.model === 'cpc',
    amountMicros: bid.amountMicros,
    devices,
    capImpressions: frequencyCap?.impressions ?? 0,
    capSeconds: frequencyCap?.perSeconds ?? 0,
    targets: runs.flat(),
    targetCounts: runs.map(run => run.length),
    dimension,
    listedUnder: dimension === Dimension.any ? [0] : runs[RUN_OF[dimension]]!,
    ...compileAds(campaign, slots.ads, text),
  }
}

const RUN_OF = {
  [Dimension.country]: 0,
  [Dimension.region]: 1,
  [Dimension.domain]: 2,
  [Dimension.placement]: 3,
  [Dimension.category]: 4,
  [Dimension.segment]: 5,
} as const

/** Active ads first, those of one size side by side in the campaign's own order. */
function compileAds(
  campaign: Campaign,
  adSlots: readonly number[],
  text: CatalogText,
): { ads: CompiledAd[]; offers: CompiledOffer[] } {
  const compiled = campaign.ads.map((ad, i) => compileAd(campaign, ad, adSlots[i]!, text))
  const isActive = (i: number) => campaign.ads[i]!.status === 'active'
  const order = compiled.map((_, i) => i)
  if (order.length > 1) {
    order.sort((a, b) => {
      if (isActive(a) !== isActive(b)) return isActive(a) ? -1 : 1
      return compiled[a]!.size - compiled[b]!.size || a - b
    })
  }
  const currency = currencyKey(campaign.currency)
  const offers: CompiledOffer[] = []
  order.forEach((i, place) => {
    if (!isActive(i)) return
    const size = compiled[i]!.size ^ currency
    const last = offers.at(-1)
    if (last?.size === size) last.count++
    else offers.push({ size, first: place, count: 1 })
  })
  return { ads: order.map(i => compiled[i]!), offers }
}

function compileAd(campaign: Campaign, ad: Ad, slot: number, text: CatalogText): CompiledAd {
  const domains = advertiserDomains(ad)
  const hashes = domains.map(domain => hash53(domain))
  if (ad.cat.length > 0) for (const category of adCategories(ad)) hashes.push(hash53(category))
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
  return {
    number: numberOf('ad', ad.id),
    slot,
    secure: loadsSecurely(ad.creative),
    attributes: attributeMask(ad.attr),
    size: sizeKey(ad.creative.w, ad.creative.h),
    hashes,
    ownDomains: new Set(ad.adomain.map(domain => domain.toLowerCase())).size,
    domains: domains.length,
    text: text.add(ad.landingUrl, JSON.stringify(detail)),
  }
}

function hashesOf(texts: readonly string[]): number[] {
  return sorted([...new Set(texts)].map(text => hash53(text)))
}

function sorted(values: number[]): number[] {
  return values.length > 1 ? values.sort((a, b) => a - b) : values
}

function numberOf(kind: 'campaign' | 'ad' | 'placement' | 'advertiser', id: string): number {
  const number = parseId(kind, id)
  assert(number !== null, `not the id of a ${kind}: ${id}`)
  return number
}
