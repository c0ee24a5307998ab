import { AD_WORDS, AdWord } from '../../campaigns/catalog-layout.ts'
import { hash53 } from '../../campaigns/targeting.ts'
import { jsonText } from '../../core/json-text.ts'
import { decimalFromCpmMicros } from '../../openrtb/price.ts'
import type { BidRequest } from '../../openrtb/types.ts'
import { parseBidRequest } from '../../openrtb/validate.ts'
import { readImp, readRequest } from '../../serving/read-request.ts'
import { RequestView } from '../../serving/request-view.ts'
import { Choice, type Serving } from '../../serving/serve.ts'
import type { ImpressionIds } from '../../tracking/impression-ids.ts'
import { problemResponse } from '../problem.ts'
import type { Answers } from './ad-forms.ts'
import type { EdgeDependencies } from './dependencies.ts'
import { fullRequest } from './full-request.ts'
import { applyInventory, DEFAULT_CURRENCY, inventoryOf, sharePpmOf, takesCurrency } from './inventory.ts'
import { offerAd } from './offer.ts'
import { brokenOff, type ReadBody, type RefusedBody, readBody, usualText } from './read-body.ts'
import type { RequestCounts } from './request-counts.ts'
import type { Sampler } from './sampler.ts'
import { Together } from './together.ts'
import { advertisingIdOf, type Viewer, viewerOf } from './viewer.ts'

export const AUCTION_BYTES_MAX = 512 * 1024
/** Whose bids they are, as an exchange knows bidders. */
const SEAT = 'farthing'
/** Currencies of a request that are tried; each takes an auction. */
const CURRENCIES_MAX = 4

export interface AuctionDependencies {
  readonly edge: EdgeDependencies
  readonly serving: Serving
  readonly ids: ImpressionIds
  readonly requestCounts: RequestCounts
  readonly sampler: Sampler
  readonly answers: Answers
}

// One request at a time: nothing below waits for anything, so the view and the choice are made once.
const view = new RequestView()
const choice = new Choice()
/** As Headers: an object would be read anew for each answer, which takes a microsecond. */
const JSON_ANSWER = { headers: new Headers({ 'Content-Type': 'application/json' }) }

const NO_CONTENT = { status: 204 }

export type AuctionHandler = (request: Request) => Promise<Response>

/** The handler of `POST /openrtb2/auction`. */
export function auctionHandler(deps: AuctionDependencies): AuctionHandler {
  const together = new Together(text => answerTo(deps, text))
  const onRead = (read: ReadBody) => ('text' in read ? answerTo(deps, read.text) : refused(deps, read))
  const onBroken = () => refused(deps, brokenOff())
  return request => {
    const text = usualText(request, AUCTION_BYTES_MAX)
    return text === null
      ? readBody(request, AUCTION_BYTES_MAX).then(onRead)
      : together.answerTo(text, onBroken)
  }
}

function refused({ edge }: AuctionDependencies, { status, detail }: RefusedBody): Response {
  edge.counters.add('requests')
  edge.counters.add('badRequests')
  return problemResponse(status, detail)
}

function answerTo(deps: AuctionDependencies, text: string): Response {
  const { counters } = deps.edge
  counters.add('requests')
  const checked = parseBidRequest(text)
  if (checked === null) {
    counters.add('badRequests')
    return problemResponse(400, 'The body is not JSON, or too deep.')
  }
  if (!checked.ok) {
    counters.add('badRequests')
    return problemResponse(400, 'The bid request breaks OpenRTB 2.6.', checked.errors)
  }
  const answer = bid(deps, checked.request)
  if (answer === null) {
    counters.add('noBids')
    return new Response(null, NO_CONTENT)
  }
  counters.add('bids')
  return new Response(answer, JSON_ANSWER)
}

/** The bid response, or null where nothing bids. */
export function bid(deps: AuctionDependencies, request: BidRequest): string | null {
  const { edge } = deps
  if (!seatMayBid(request)) return null
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
  const viewer = viewerOf(edge, device, address, agent.device)
  readRequest(view, request, now, (Math.random() * 0x1_0000_0000) >>> 0)
  view.setCountry(viewer.alpha3)
  view.setRegion(viewer.region)
  view.device = viewer.kind
  view.person = hash53(user?.id || advertisingIdOf(device?.ifa) || `${address}\n${ua}`)
  // An answer is in one currency: the first of those asked for in which anything bids.
  const currencies = currenciesOf(request)
  for (const currency of currencies) {
    const answer = answerIn(deps, request, viewer, currency, currency === currencies[0])
    if (answer !== null) return answer
  }
  return null
}

/** Our bids are all of one seat: `wseat` allows some only, `bseat` shuts some out. */
function seatMayBid({ wseat, bseat }: BidRequest): boolean {
  if (wseat !== undefined && wseat.length > 0 && !wseat.includes(SEAT)) return false
  return bseat === undefined || !bseat.includes(SEAT)
}

/** Each once, in capitals. */
function currenciesOf({ cur }: BidRequest): readonly string[] {
  if (cur === undefined || cur.length === 0) return [DEFAULT_CURRENCY]
  if (cur.length === 1) return [cur[0]!.toUpperCase()]
  return [...new Set(cur.slice(0, CURRENCIES_MAX).map(currency => currency.toUpperCase()))]
}

/** What is behind the last bid of an answer. */
const CLOSING = ']}]}'

/** The bid response in one currency, or null where nothing bids in it. */
function answerIn(
  deps: AuctionDependencies,
  request: BidRequest,
  viewer: Viewer,
  currency: string,
  isFirst: boolean,
): string | null {
  const { edge } = deps
  const { candidates } = deps.serving
  const test = request.test === 1
  view.setCurrency(currency)
  const { imp: imps } = request
  let answer = ''
  let closed = false
  for (let i = 0; i < imps.length; i++) {
    const imp = imps[i]!
    const inventory = inventoryOf(edge, request, imp)
    const { placement, placementNumber, publisherNumber } = inventory
    if (isFirst && !test) {
      deps.requestCounts.add(view.now, placementNumber, publisherNumber, viewer.country, viewer.kind)
    }
    // Only the deals that it names may bid there, and we have none.
    if (imp.pmp?.private_auction === 1) continue
    if ((imp.bidfloor ?? 0) > 0 && (imp.bidfloorcur ?? DEFAULT_CURRENCY).toUpperCase() !== currency) continue
    if (!takesCurrency(inventory, currency)) continue
    readImp(view, imp, placementNumber)
    // A banner that gives no size has the placement's.
    if (imp.banner !== undefined && view.sizeCount === 0 && placement !== null) {
      view.addSize(placement.format.w, placement.format.h)
    }
    applyInventory(view, inventory)
    const sampled = isFirst && deps.sampler.due(view.now)
    candidates.cappedSlots = sampled ? [] : null
    const chosen = test ? findForTest(deps.serving) : deps.serving.chooseForImp(view, choice)
    if (sampled) {
      const cappedSlots = candidates.cappedSlots ?? []
      deps.sampler.sample(fullRequest(request, imp, { view, currency, viewer, inventory, cappedSlots }))
    }
    if (!chosen) continue
    const offer = offerAd(edge, deps.ids, choice, {
      placement: placementNumber,
      publisher: publisherNumber,
      sharePpm: sharePpmOf(inventory.publisher),
      country: viewer.country,
      device: viewer.kind,
      test,
    })
    const head =
      answer === ''
        ? `{"id":${jsonText(request.id)},"cur":"${currency}","seatbid":[{"seat":"${SEAT}","bid":[`
        : `${answer},`
    // The whole answer is joined with the bid of the last impression: most requests have one.
    closed = i === imps.length - 1
    const before = `${head}{"impid":${jsonText(imp.id)},"price":${decimalFromCpmMicros(choice.price)},`
    answer = deps.answers.bid.of(choice, offer, before, closed ? CLOSING : '')
  }
  if (answer === '') return null
  return closed ? answer : answer + CLOSING
}

/** A test never counts: neither against a budget nor for the frequency of whoever it names. */
function findForTest(serving: Serving): boolean {
  if (!serving.findForImp(view, choice)) return false
  const { adWords, hashes } = choice.snapshot!
  const ad = choice.adRow * AD_WORDS
  view.take(choice.campaignSlot, hashes, adWords[ad + AdWord.hashes]!, adWords[ad + AdWord.ownDomains]!)
  return true
}
