import type { Ad, Campaign, CampaignMoney } from '../campaigns/campaign.ts'
import { scheduleState } from '../campaigns/schedule.ts'
import { adCategories, advertiserDomains, categoryAndParent, loadsSecurely } from '../campaigns/targeting.ts'
import { type CpmMicros, cpmMicros } from '../core/money.ts'
import { expectedCpm, isOlder, meetsFloor } from '../exchange/auction.ts'
import type { DeviceType } from '../records/device.ts'
import { passesPacing } from './request-view.ts'

/**
 * One impression of one request judged against every campaign, object by object, in the words of the API. It shares
 * no index, hash or column with the serving path: it explains that path, and the differential test holds the two
 * together.
 */
export interface FullRequest {
  readonly now: number
  readonly random: number
  /** ISO 4217: what the request is paid in. */
  readonly currency: string
  /** ISO 3166-1 alpha-3 and ISO 3166-2; null: unknown. */
  readonly country: string | null
  readonly region: string | null
  readonly device: DeviceType
  /** The placement's id. */
  readonly placement: string | null
  /** The page's host, or the app's bundle and domain. */
  readonly hosts: readonly string[]
  readonly bundle: string | null
  /** As the request has them. */
  readonly categories: readonly string[]
  readonly segments: readonly string[]
  /** Domains of advertisers, and apps of app stores. */
  readonly badv: readonly string[]
  readonly bcat: readonly string[]
  /** Empty: all. */
  readonly acat: readonly string[]
  readonly battr: readonly number[]
  readonly sizes: readonly { readonly w: number; readonly h: number }[]
  readonly floorCpmMicros: number
  readonly secure: boolean
  /** Slots of campaigns that this person has seen as often as they may: known to the serving thread alone. */
  readonly cappedSlots?: readonly number[]
}

/** What is known of a campaign beside its object. */
export interface FullCampaign {
  readonly campaign: Campaign
  /** Its entity number. */
  readonly number: number
  readonly slot: number
  readonly money: CampaignMoney
  readonly allowanceThousandths: number
  readonly pacing: number
  readonly allowedByFrequency: boolean
  /** The rate that an ad is scored with, billionths. */
  readonly clickRatePpb: (ad: Ad) => number
}

export const LOSS_CODES = [
  'paused',
  'scheduled',
  'ended',
  'daypart',
  'unfunded',
  'exhausted',
  'currency',
  'size',
  'country',
  'region',
  'deviceType',
  'placement',
  'category',
  'domain',
  'segment',
  'blockedAdvertiser',
  'blockedCategory',
  'blockedAttribute',
  'secure',
  'pacing',
  'frequency',
  'floor',
  'allowance',
] as const
export type LossCode = (typeof LOSS_CODES)[number]

export interface Verdict {
  readonly of: FullCampaign
  readonly code: 'wins' | 'lostAuction' | LossCode
  /** 0 for one that did not get as far as to bid. */
  readonly score: CpmMicros
  readonly ad: Ad | null
}

export interface FullResult {
  readonly verdicts: readonly Verdict[]
  readonly winner: Verdict | null
  readonly runnerUpScore: CpmMicros
}

export function evaluateFully(request: FullRequest, campaigns: Iterable<FullCampaign>): FullResult {
  const verdicts: Verdict[] = []
  let runnerUpScore = cpmMicros(0)
  judge(request, campaigns, (of, code, bid) => {
    const { score, ad } = bid ?? { score: cpmMicros(0), ad: null }
    verdicts.push({ of, code, score, ad })
    if (code === 'lostAuction' && score > runnerUpScore) runnerUpScore = score
  })
  return { verdicts, winner: verdicts.find(verdict => verdict.code === 'wins') ?? null, runnerUpScore }
}

/** Tells the verdict on each campaign: as they come, those that bid after the others. */
export function judge(
  request: FullRequest,
  campaigns: Iterable<FullCampaign>,
  tell: (of: FullCampaign, code: Verdict['code'], bid: AdBid | null) => void,
): void {
  const bids: { readonly of: FullCampaign; readonly bid: AdBid }[] = []
  for (const of of campaigns) {
    const bid = bidOf(request, of)
    if (typeof bid === 'string') tell(of, bid, null)
    else bids.push({ of, bid })
  }
  bids.sort((a, b) => b.bid.score - a.bid.score || (isOlder(ageOf(a.of), ageOf(b.of)) ? -1 : 1))
  bids.forEach(({ of, bid }, place) => {
    tell(of, place === 0 ? 'wins' : 'lostAuction', bid)
  })
}

interface AdBid {
  readonly ad: Ad
  readonly score: CpmMicros
}

function ageOf({ campaign, number }: FullCampaign): { createdAt: number; number: number } {
  return { createdAt: Date.parse(campaign.createdAt), number }
}

/** The campaign's bid, or the first reason why it makes none. */
function bidOf(request: FullRequest, of: FullCampaign): AdBid | LossCode {
  const refusal = refusalByState(request, of) ?? refusalByTargeting(request, of.campaign)
  if (refusal !== null) return refusal
  const bid = bestAdBid(request, of)
  if (typeof bid === 'string') return bid
  // Before the first grant there is no pace yet either.
  if (of.allowanceThousandths <= 0) return 'allowance'
  if (!passesPacing(of.pacing, of.slot, request.random)) return 'pacing'
  if (!of.allowedByFrequency) return 'frequency'
  if (!meetsFloor(bid.score, cpmMicros(request.floorCpmMicros))) return 'floor'
  if (of.allowanceThousandths < bid.score) return 'allowance'
  return bid
}

function refusalByState(request: FullRequest, { campaign, money }: FullCampaign): LossCode | null {
  if (campaign.paused || campaign.archived) return 'paused'
  switch (scheduleState(campaign.schedule, request.now)) {
    case 'scheduled':
      return 'scheduled'
    case 'ended':
      return 'ended'
    case 'closedByDaypart':
      return 'daypart'
    case 'open':
  }
  if (money.stopped === 'unfunded') return 'unfunded'
  return money.stopped === null ? null : 'exhausted'
}

function refusalByTargeting(request: FullRequest, { currency, targeting, ads }: Campaign): LossCode | null {
  if (currency !== request.currency) return 'currency'
  const fits = (ad: Ad) => request.sizes.some(size => size.w === ad.creative.w && size.h === ad.creative.h)
  if (!ads.some(ad => ad.status === 'active' && fits(ad))) return 'size'
  const { countries, regions, deviceTypes, placements, categories, domains, segments } = targeting
  if (countries.length > 0 && !includes(countries, request.country)) return 'country'
  if (regions.length > 0 && !includes(regions, request.region)) return 'region'
  if (deviceTypes.length > 0 && !includes(deviceTypes, request.device)) return 'deviceType'
  if (placements.length > 0 && !includes(placements, request.placement)) return 'placement'
  const inCategories = request.categories.flatMap(categoryAndParent)
  if (categories.length > 0 && !inCategories.some(category => categories.includes(category)))
    return 'category'
  if (domains.length > 0 && !isWithinDomains(request, domains)) return 'domain'
  if (segments.length > 0 && !request.segments.some(segment => segments.includes(segment))) return 'segment'
  return null
}

function isWithinDomains(request: FullRequest, domains: readonly string[]): boolean {
  const within = (host: string, domain: string) => host === domain || host.endsWith(`.${domain}`)
  return domains.some(target => {
    const domain = target.toLowerCase()
    return (
      request.bundle?.toLowerCase() === domain ||
      request.hosts.some(host => within(host.toLowerCase(), domain))
    )
  })
}

/** The best of the ads that the request accepts, or why it accepts none: the reason of the last one. */
function bestAdBid(request: FullRequest, of: FullCampaign): AdBid | LossCode {
  let best: AdBid | null = null
  let reason: LossCode = 'size'
  for (const ad of of.campaign.ads) {
    const { w, h } = ad.creative
    if (ad.status !== 'active' || !request.sizes.some(size => size.w === w && size.h === h)) continue
    const refusal = refusalOfAd(request, ad)
    if (refusal !== null) {
      reason = refusal
      continue
    }
    const score = scoreOf(of, ad)
    if (best === null || score > best.score) best = { ad, score }
  }
  return best ?? reason
}

function refusalOfAd(request: FullRequest, ad: Ad): LossCode | null {
  const blocked = new Set(request.badv.map(domain => domain.toLowerCase()))
  if (advertiserDomains(ad).some(domain => blocked.has(domain))) return 'blockedAdvertiser'
  const categories = adCategories(ad)
  if (categories.some(category => request.bcat.includes(category))) return 'blockedCategory'
  if (request.acat.length > 0 && !categories.some(category => request.acat.includes(category)))
    return 'blockedCategory'
  if (ad.attr.some(attribute => request.battr.includes(attribute))) return 'blockedAttribute'
  if (request.secure && !loadsSecurely(ad.creative)) return 'secure'
  return null
}

function scoreOf(of: FullCampaign, ad: Ad): CpmMicros {
  const { model, amountMicros } = of.campaign.bid
  return model === 'cpm' ? cpmMicros(amountMicros) : expectedCpm(amountMicros, of.clickRatePpb(ad))
}

function includes(list: readonly string[], value: string | null): boolean {
  return value !== null && list.includes(value)
}
