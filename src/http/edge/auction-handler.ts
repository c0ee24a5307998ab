import type { Placement, Publisher } from '../../campaigns/campaign.ts'
import { AD_WORDS, AdWord } from '../../campaigns/catalog-layout.ts'
import { hash53 } from '../../campaigns/targeting.ts'
import { alpha2Of, countryIndex } from '../../core/country.ts'
import { parseId } from '../../core/ids.ts'
import { decimalFromCpmMicros } from '../../openrtb/price.ts'
import type { BidRequest, Imp } from '../../openrtb/types.ts'
import { jsonDepthWithin, validateBidRequest } from '../../openrtb/validate.ts'
import { deviceAt, deviceNumber } from '../../records/device.ts'
import type { FullRequest } from '../../serving/full-evaluation.ts'
import { hostOf, readImp, readRequest } from '../../serving/read-request.ts'
import { RequestView } from '../../serving/request-view.ts'
import { Choice, type Serving } from '../../serving/serve.ts'
import type { ImpressionIds } from '../../tracking/impression-ids.ts'
import { problemResponse } from '../problem.ts'
import type { EdgeDependencies } from './dependencies.ts'
import { UNKNOWN_SHARE_PPM } from './ingest-handler.ts'
import { type OfferedAd, offerAd } from './offer.ts'
import { readBody } from './read-body.ts'
import type { RequestCounts } from './request-counts.ts'
import type { Sampler } from './sampler.ts'

export const AUCTION_BYTES_MAX = 512 * 1024
/** Seconds within which a bid may be shown. */
const BID_LIFE_SECONDS = 600
const DEFAULT_CURRENCY = 'USD'
/** Currencies of a request that are tried; each takes an auction. */
const CURRENCIES_MAX = 4
/** OpenRTB 2.6 List: Markup Types. */
const BANNER_MARKUP = 1
/** What a device sends whose owner limits tracking: nobody's in particular. */
const NO_ADVERTISING_ID = /^[0-]*$/

export interface AuctionDependencies {
  readonly edge: EdgeDependencies
  readonly serving: Serving
  readonly ids: ImpressionIds
  readonly requestCounts: RequestCounts
  readonly sampler: Sampler
}

// One request at a time: nothing below waits for anything, so the view and the choice are made once.
const view = new RequestView()
const choice = new Choice()
const JSON_HEADERS = { 'Content-Type': 'application/json' }

/** `POST /openrtb2/auction`. */
export async function handleAuction(deps: AuctionDependencies, request: Request): Promise<Response> {
  const { counters } = deps.edge
  const read = await readBody(request, AUCTION_BYTES_MAX)
  counters.add('requests')
  if (!('text' in read)) {
    counters.add('badRequests')
    return problemResponse(read.status, read.detail)
  }
  const parsed = parse(read.text)
  if (parsed === undefined) {
    counters.add('badRequests')
    return problemResponse(400, 'The body is not JSON, or too deep.')
  }
  const checked = validateBidRequest(parsed)
  if (!checked.ok) {
    counters.add('badRequests')
    return problemResponse(400, 'The bid request breaks OpenRTB 2.6.', checked.errors)
  }
  const answer = bid(deps, checked.request)
  if (answer === null) {
    counters.add('noBids')
    return new Response(null, { status: 204 })
  }
  counters.add('bids')
  return new Response(answer, { headers: JSON_HEADERS })
}

function parse(text: string): unknown {
  if (!jsonDepthWithin(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The bid response, or null where nothing bids. */
export function bid(deps: AuctionDependencies, request: BidRequest): string | null {
  const { edge } = deps
  const { device, user } = request
  const ua = device?.ua ?? ''
  const agent = edge.agents.classify(ua)
  // An absent user agent says nothing of who asks: servers of apps leave it out.
  if (ua !== '' && agent.robot) {
    edge.counters.add('robotsRefused')
    return null
  }
  const now = edge.clock.now()
  const address = device?.ip ?? device?.ipv6 ?? ''
  const alpha3 = device?.geo?.country?.toUpperCase() || edge.countryOf(address)
  const region = regionOf(alpha3, device?.geo?.region)
  const kind = deviceOf(device?.devicetype, agent.device) ?? agent.device
  readRequest(view, request, now, (Math.random() * 0x1_0000_0000) >>> 0)
  view.setCountry(alpha3)
  view.setRegion(region)
  view.device = kind
  view.person = hash53(user?.id || advertisingIdOf(device?.ifa) || `${address}\n${ua}`)
  const viewer: Viewer = { now, alpha3, region, country: alpha3 === null ? 0 : countryIndex(alpha3), kind }
  if (request.test !== 1) countRequests(deps, request, viewer)
  // An answer is in one currency: the first of those asked for in which anything bids.
  const currencies = currenciesOf(request)
  for (const currency of currencies) {
    const bids = bidsIn(deps, request, viewer, currency, currency === currencies[0])
    if (bids === '') continue
    return `{"id":${JSON.stringify(request.id)},"cur":"${currency}","seatbid":[{"seat":"farthing","bid":[${bids}]}]}`
  }
  return null
}

interface Viewer {
  readonly now: number
  readonly alpha3: string | null
  readonly region: string | null
  /** core/country.ts */
  readonly country: number
  /** records/device.ts */
  readonly kind: number
}

function currenciesOf(request: BidRequest): readonly string[] {
  const { cur } = request
  if (cur === undefined || cur.length === 0) return [DEFAULT_CURRENCY]
  return [...new Set(cur.slice(0, CURRENCIES_MAX).map(currency => currency.toUpperCase()))]
}

function countRequests(deps: AuctionDependencies, request: BidRequest, viewer: Viewer): void {
  for (const imp of request.imp) {
    const { placement, publisher } = inventoryOf(deps.edge, request, imp)
    deps.requestCounts.add(
      viewer.now,
      placement === null ? 0 : (parseId('placement', placement.id) ?? 0),
      publisher === null ? 0 : (parseId('publisher', publisher.id) ?? 0),
      viewer.country,
      viewer.kind,
    )
  }
}

/** The bids of one currency, as JSON with commas between; '' where there is none. */
function bidsIn(
  deps: AuctionDependencies,
  request: BidRequest,
  viewer: Viewer,
  currency: string,
  isFirst: boolean,
): string {
  const { edge } = deps
  const test = request.test === 1
  view.setCurrency(currency)
  let bids = ''
  for (const imp of request.imp) {
    // Only the deals that it names may bid there, and we have none.
    if (imp.pmp?.private_auction === 1) continue
    if ((imp.bidfloor ?? 0) > 0 && (imp.bidfloorcur ?? DEFAULT_CURRENCY).toUpperCase() !== currency) continue
    const { placement, publisher } = inventoryOf(edge, request, imp)
    const placementNumber = placement === null ? 0 : (parseId('placement', placement.id) ?? 0)
    const publisherNumber = publisher === null ? 0 : (parseId('publisher', publisher.id) ?? 0)
    readImp(view, imp, placementNumber)
    // A banner that gives no size has the placement's.
    if (imp.banner !== undefined && view.sizeCount === 0 && placement !== null) {
      view.addSize(placement.format.w, placement.format.h)
    }
    applyInventory(placement, publisher)
    if (isFirst && deps.sampler.due(viewer.now)) {
      deps.sampler.sample(
        fullRequest(request, imp, {
          now: viewer.now,
          currency,
          country: viewer.alpha3,
          region: viewer.region,
          device: viewer.kind,
          placement,
          publisher,
        }),
      )
    }
    if (!(test ? findForTest(deps.serving) : deps.serving.chooseForImp(view, choice))) continue
    const ad = offerAd(edge, deps.ids, choice, {
      placement: placementNumber,
      publisher: publisherNumber,
      sharePpm: publisher === null ? UNKNOWN_SHARE_PPM : Math.round(publisher.revenueShare * 1_000_000),
      country: viewer.country,
      device: viewer.kind,
      test,
    })
    if (bids !== '') bids += ','
    bids += bidText(imp, ad)
  }
  return bids
}

/** A test never counts: neither against a budget nor for the frequency of whoever it names. */
function findForTest(serving: Serving): boolean {
  if (!serving.findForImp(view, choice)) return false
  const { adWords, hashes } = choice.snapshot!
  const ad = choice.adRow * AD_WORDS
  view.take(choice.campaignSlot, hashes, adWords[ad + AdWord.hashes]!, adWords[ad + AdWord.ownDomains]!)
  return true
}

function bidText(imp: Imp, ad: OfferedAd): string {
  const { detail } = ad
  return (
    `{"id":"${ad.impressionId}","impid":${JSON.stringify(imp.id)},"price":${decimalFromCpmMicros(choice.price)},` +
    `"adm":${JSON.stringify(ad.adm)},"w":${detail.creative.w},"h":${detail.creative.h},"mtype":${BANNER_MARKUP},` +
    `"burl":${JSON.stringify(`${ad.impressionUrl}&b=1`)},` +
    `"crid":"${detail.adId}","cid":"${detail.campaignId}","adomain":${JSON.stringify(detail.adomain)},` +
    `${detail.cat.length > 0 ? `"cat":${JSON.stringify(detail.cat)},` : ''}` +
    `${detail.attr.length > 0 ? `"attr":${JSON.stringify(detail.attr)},` : ''}` +
    `"exp":${BID_LIFE_SECONDS},"ext":{"farthing":{"impressionId":"${ad.impressionId}","campaignId":"${detail.campaignId}",` +
    `"adId":"${detail.adId}","impressionUrl":${JSON.stringify(ad.impressionUrl)},"clickUrl":${JSON.stringify(ad.clickUrl)}}}}`
  )
}

/** The request in words, as the full evaluation takes it. */
function fullRequest(
  request: BidRequest,
  imp: Imp,
  known: {
    readonly now: number
    readonly currency: string
    readonly country: string | null
    readonly region: string | null
    readonly device: number
    readonly placement: Placement | null
    readonly publisher: Publisher | null
  },
): FullRequest {
  const { placement, publisher } = known
  const { site, app, user } = request
  const banner = imp.banner
  const sizes = [...(banner?.format ?? []), ...(banner === undefined ? [] : [banner])]
  const categories = [site?.cat, site?.sectioncat, site?.pagecat, app?.cat, app?.sectioncat, app?.pagecat]
  return {
    now: known.now,
    random: view.random,
    currency: known.currency,
    country: known.country,
    region: known.region,
    device: deviceAt(known.device),
    placement: placement?.id ?? null,
    hosts: [site === undefined ? (app?.domain ?? '') : site.domain || hostOf(site.page)].filter(
      host => host !== '',
    ),
    bundle: app?.bundle ?? null,
    categories: [...categories.flatMap(list => list ?? []), ...(placement?.categories ?? [])],
    segments: (user?.data ?? []).flatMap(({ segment }) => (segment ?? []).map(({ id }) => id ?? '')),
    badv: [...(request.badv ?? []), ...(placement?.badv ?? []), ...(publisher?.badv ?? [])],
    bcat: [...(request.bcat ?? []), ...(placement?.bcat ?? []), ...(publisher?.bcat ?? [])],
    battr: banner?.battr ?? [],
    sizes: sizes.flatMap(({ w, h }) => (w === undefined || h === undefined ? [] : [{ w, h }])),
    floorCpmMicros: view.floorCpmMicros,
    secure: imp.secure === 1,
  }
}

/** Whose impression it is: the placement's publisher, else the one that the request or its domain names. */
function inventoryOf(
  edge: EdgeDependencies,
  request: BidRequest,
  imp: Imp,
): { placement: Placement | null; publisher: Publisher | null } {
  const number = imp.tagid === undefined ? null : parseId('placement', imp.tagid)
  const placement = number === null ? null : edge.placement(number)
  if (placement !== null)
    return { placement, publisher: edge.publisher(parseId('publisher', placement.publisherId) ?? 0) }
  const { site, app } = request
  const named = parseId('publisher', site?.publisher?.id ?? app?.publisher?.id ?? '')
  const publisher =
    (named === null ? null : edge.publisher(named)) ??
    edge.publisherByDomain(site === undefined ? (app?.domain ?? '') : site.domain || hostOf(site.page))
  return { placement: null, publisher }
}

function applyInventory(placement: Placement | null, publisher: Publisher | null): void {
  if (placement !== null) {
    if (placement.floorCpmMicros > view.floorCpmMicros) view.floorCpmMicros = placement.floorCpmMicros
    for (const category of placement.categories) view.addCategory(category)
    for (const domain of placement.badv) view.blockAdvertiserHere(domain)
    for (const category of placement.bcat) view.blockCategoryHere(category)
  }
  if (publisher === null) return
  for (const domain of publisher.badv) view.blockAdvertiserHere(domain)
  for (const category of publisher.bcat) view.blockCategoryHere(category)
}

function advertisingIdOf(ifa: string | undefined): string {
  return ifa === undefined || NO_ADVERTISING_ID.test(ifa) ? '' : ifa
}

/** AdCOM List: Device Types. 1 is a phone or a tablet: the user agent tells which. */
function deviceOf(type: number | undefined, byAgent: number): number | null {
  switch (type) {
    case 1:
      return byAgent === deviceNumber('tablet') ? byAgent : deviceNumber('mobile')
    case 4:
      return deviceNumber('mobile')
    case 2:
      return deviceNumber('desktop')
    case 5:
      return deviceNumber('tablet')
    case 3:
    case 6:
    case 7:
      return deviceNumber('ctv')
    default:
      return null
  }
}

/** ISO 3166-2: `WI` in the USA is `US-WI`; a code that has its country is taken as it is. */
function regionOf(alpha3: string | null, region: string | undefined): string | null {
  if (region === undefined || region === '') return null
  if (region.includes('-')) return region.toUpperCase()
  const alpha2 = alpha3 === null ? null : alpha2Of(alpha3)
  return alpha2 === null ? null : `${alpha2}-${region.toUpperCase()}`
}
