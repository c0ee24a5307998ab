import {
  attributeMask,
  currencyKey,
  hash53,
  hash53Lowered,
  SIDE_MAX,
  sizeKey,
} from '../campaigns/targeting.ts'
import { HashSet53 } from './hash-set.ts'

/** Values of one kind that a request may have and we look at; what lies beyond is not matched. */
export const VALUES_MAX = 64
export const SEGMENTS_MAX = 256
/** Sizes that one placement may accept. */
export const SIZES_MAX = 16

/**
 * One request as the index compares it: hashes and numbers in arrays that are made once and used again, so that a
 * request leaves no garbage. `begin` starts a request, `beginImp` one of its impressions.
 */
export class RequestView {
  now = 0
  /** A random 32-bit number that came with the request: what pacing draws its lot from. */
  random = 0
  private currency = 0
  /** Hash of the ISO 3166-1 alpha-3 code; 0 unknown, as are the others. */
  country = 0
  /** Hash of the ISO 3166-2 code. */
  region = 0
  /** As records/device.ts numbers them. */
  device = 0
  /** Whose frequency is counted. */
  person = 0
  readonly domains = new Float64Array(VALUES_MAX)
  domainCount = 0
  readonly categories = new Float64Array(VALUES_MAX)
  categoryCount = 0
  readonly segments = new Float64Array(SEGMENTS_MAX)
  segmentCount = 0
  readonly blockedDomains = new HashSet53()
  readonly blockedCategories = new HashSet53()
  /** Where there are any, an ad is of one of them. */
  readonly allowedCategories = new HashSet53()

  /** The placement's number; 0 unknown. */
  placement = 0
  readonly sizes = new Int32Array(SIZES_MAX)
  sizeCount = 0
  floorCpmMicros = 0
  /** 1 first price, else second. */
  at = 2
  secure = false
  blockedAttributes = 0
  /** Categories that the request has, without those of the placement of the current impression. */
  private requestCategoryCount = 0
  readonly impBlockedDomains = new HashSet53()
  readonly impBlockedCategories = new HashSet53()

  /** What other impressions of this request already show. */
  readonly takenCampaigns = new Int32Array(VALUES_MAX * 2)
  takenCount = 0
  readonly takenDomains = new HashSet53()

  begin(now: number, random: number): void {
    this.now = now
    this.random = random
    this.currency = 0
    this.country = 0
    this.region = 0
    this.device = 0
    this.person = 0
    this.domainCount = 0
    this.categoryCount = 0
    this.requestCategoryCount = -1
    this.segmentCount = 0
    this.blockedDomains.clear()
    this.blockedCategories.clear()
    this.allowedCategories.clear()
    this.takenCount = 0
    this.takenDomains.clear()
    this.at = 2
  }

  /** All that holds for the whole request has been said before. */
  beginImp(placement: number): void {
    if (this.requestCategoryCount < 0) this.requestCategoryCount = this.categoryCount
    this.categoryCount = this.requestCategoryCount
    this.placement = placement
    this.sizeCount = 0
    this.floorCpmMicros = 0
    this.secure = false
    this.blockedAttributes = 0
    this.impBlockedDomains.clear()
    this.impBlockedCategories.clear()
  }

  /** Before the first impression; USD where nothing is said. */
  setCurrency(currency: string): void {
    this.currency = currencyKey(currency)
  }

  setCountry(alpha3: string | null): void {
    this.country = alpha3 === null ? 0 : hash53(alpha3)
  }

  setRegion(iso: string | null): void {
    this.region = iso === null ? 0 : hash53(iso)
  }

  /** The page's host: campaigns that target a parent domain match. */
  addDomain(host: string): void {
    const domain = host.toLowerCase()
    let from = 0
    while (this.domainCount < VALUES_MAX) {
      this.domains[this.domainCount++] = hash53(domain, from)
      const dot = domain.indexOf('.', from)
      if (dot < 0) return
      from = dot + 1
    }
  }

  /** An app's bundle is targeted as a domain is, as a whole. */
  addBundle(bundle: string): void {
    if (this.domainCount < VALUES_MAX) this.domains[this.domainCount++] = hash53Lowered(bundle)
  }

  /** `IAB1-2` is in `IAB1` as well. */
  addCategory(category: string): void {
    this.addCategoryHash(hash53(category))
    const dash = category.indexOf('-')
    if (dash > 0) this.addCategoryHash(hash53(category.slice(0, dash)))
  }

  private addCategoryHash(hash: number): void {
    for (let i = 0; i < this.categoryCount; i++) if (this.categories[i] === hash) return
    if (this.categoryCount < VALUES_MAX) this.categories[this.categoryCount++] = hash
  }

  addSegment(id: string): void {
    if (this.segmentCount < SEGMENTS_MAX) this.segments[this.segmentCount++] = hash53(id)
  }

  blockAdvertiser(domain: string): void {
    this.blockedDomains.add(hash53Lowered(domain))
  }

  blockCategory(category: string): void {
    this.blockedCategories.add(hash53(category))
  }

  allowCategory(category: string): void {
    this.allowedCategories.add(hash53(category))
  }

  /** What the placement or its publisher blocks. */
  blockAdvertiserHere(domain: string): void {
    this.impBlockedDomains.add(hash53Lowered(domain))
  }

  blockCategoryHere(category: string): void {
    this.impBlockedCategories.add(hash53(category))
  }

  blockAttributes(attributes: readonly number[]): void {
    this.blockedAttributes |= attributeMask(attributes)
  }

  addSize(w: number, h: number): void {
    if (w > SIDE_MAX || h > SIDE_MAX) return
    const size = sizeKey(w, h) ^ this.currency
    for (let i = 0; i < this.sizeCount; i++) if (this.sizes[i] === size) return
    if (this.sizeCount < SIZES_MAX) this.sizes[this.sizeCount++] = size
  }

  /** No other impression of this request gets this campaign, or an ad of one of these advertiser domains. */
  take(campaignSlot: number, hashes: Float64Array, domainsFrom: number, domains: number): void {
    if (this.takenCount < this.takenCampaigns.length) this.takenCampaigns[this.takenCount++] = campaignSlot
    for (let i = domainsFrom; i < domainsFrom + domains; i++) this.takenDomains.add(hashes[i]!)
  }

  hasTaken(campaignSlot: number): boolean {
    for (let i = 0; i < this.takenCount; i++) if (this.takenCampaigns[i] === campaignSlot) return true
    return false
  }
}

/** Whether pacing lets the campaign bid on this request: a draw by campaign and request that anyone can repeat. */
export function passesPacing(share: number, campaignSlot: number, random: number): boolean {
  if (share >= 1) return true
  let hash = Math.imul(campaignSlot + 1, 0x9e3779b1) ^ random
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0 < share * 4_294_967_296
}
