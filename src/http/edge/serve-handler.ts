import type { Placement, Publisher } from '../../campaigns/campaign.ts'
import { hash53 } from '../../campaigns/targeting.ts'
import { countryIndex } from '../../core/country.ts'
import { parseId } from '../../core/ids.ts'
import { FIRST_PRICE } from '../../exchange/auction.ts'
import { deviceAt } from '../../records/device.ts'
import { clientAddress } from '../../screening/address.ts'
import type { FullRequest } from '../../serving/full-evaluation.ts'
import { hostOf } from '../../serving/read-request.ts'
import { RequestView } from '../../serving/request-view.ts'
import { Choice } from '../../serving/serve.ts'
import { problemResponse } from '../problem.ts'
import type { AuctionDependencies } from './auction-handler.ts'
import type { EdgeDependencies, EdgeRequest } from './dependencies.ts'
import { applyInventory, DEFAULT_CURRENCY, sharePpmOf } from './inventory.ts'
import { offerAd } from './offer.ts'

const CORS = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'no-store' }
const JSON_HEADERS = { ...CORS, 'Content-Type': 'application/json' }
const PAGE_HEADERS = { ...CORS, 'Content-Type': 'text/html; charset=utf-8' }
const PREFLIGHT = {
  ...CORS,
  'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS',
  'Access-Control-Allow-Headers': '*',
  'Access-Control-Max-Age': '86400',
}
/** A tag's page and user are texts of at most so many characters; what is longer is cut. */
const PARAMETER_CHARACTERS_MAX = 2048

const view = new RequestView()
const choice = new Choice()

/** A placement with its publisher, as numbers and as they stand. */
interface Slot {
  readonly placement: Placement
  readonly placementNumber: number
  readonly publisher: Publisher | null
  readonly publisherNumber: number
  readonly currency: string
}

/** Who asks for an ad, and from which page. */
interface Visit {
  readonly now: number
  readonly robot: boolean
  readonly device: number
  readonly alpha3: string | null
  /** core/country.ts */
  readonly country: number
  /** Of the page; '' where nobody knows. */
  readonly host: string
  /** Whose frequency it is. */
  readonly person: string
}

/** `GET /serve`: an ad for a placement, as a page for a frame or as JSON for the tag. First price, in the placement's currency. */
export function handleServe(deps: AuctionDependencies, seen: EdgeRequest): Response {
  const { edge } = deps
  if (seen.request.method === 'OPTIONS') return new Response(null, { status: 204, headers: PREFLIGHT })
  // Without a Host the URL is a path alone.
  const asked = new URL(seen.request.url, 'http://localhost').searchParams
  const slot = slotOf(edge, asked.get('placement') ?? '')
  if (slot === null) return problemResponse(404, 'There is no such placement.', [], CORS)
  edge.counters.add('requests')
  const visit = visitOf(edge, seen, asked, slot)
  if (visit.robot) {
    edge.counters.add('robotsRefused')
    return new Response(null, { status: 204, headers: CORS })
  }
  const { placementNumber, publisher, publisherNumber } = slot
  const { country, device } = visit
  deps.requestCounts.add(visit.now, placementNumber, publisherNumber, country, device)
  if (!choose(deps, slot, visit)) {
    edge.counters.add('noBids')
    return new Response(null, { status: 204, headers: CORS })
  }
  edge.counters.add('bids')
  const offer = offerAd(edge, deps.ids, choice, {
    placement: placementNumber,
    publisher: publisherNumber,
    sharePpm: sharePpmOf(publisher),
    country,
    device,
    test: false,
  })
  return asked.get('format') === 'json'
    ? new Response(deps.answers.tag.of(choice, offer), { headers: JSON_HEADERS })
    : new Response(deps.answers.page.of(choice, offer), { headers: PAGE_HEADERS })
}

/** Null for what is no placement. */
function slotOf(edge: EdgeDependencies, id: string): Slot | null {
  const placementNumber = parseId('placement', id)
  const placement = placementNumber === null ? null : edge.placement(placementNumber)
  if (placementNumber === null || placement === null) return null
  const publisherNumber = parseId('publisher', placement.publisherId) ?? 0
  const publisher = edge.publisher(publisherNumber)
  const currency = placement.currency ?? DEFAULT_CURRENCY
  return { placement, placementNumber, publisher, publisherNumber, currency }
}

function visitOf(
  edge: EdgeDependencies,
  { request, peer }: EdgeRequest,
  asked: URLSearchParams,
  { publisher }: Slot,
): Visit {
  const { headers } = request
  const ua = headers.get('user-agent') ?? ''
  const { robot, device } = edge.agents.classify(ua)
  const address = clientAddress({
    peer,
    forwardedFor: headers.get('x-forwarded-for'),
    trusted: edge.trustedProxies,
  })
  const alpha3 = edge.countryOf(address)
  const page = (asked.get('page') ?? headers.get('referer') ?? '').slice(0, PARAMETER_CHARACTERS_MAX)
  const user = (asked.get('user') ?? '').slice(0, PARAMETER_CHARACTERS_MAX)
  return {
    now: edge.clock.now(),
    robot,
    device,
    alpha3,
    country: alpha3 === null ? 0 : countryIndex(alpha3),
    host: hostOf(page) || (publisher?.domain ?? ''),
    person: user !== '' ? user : `${address}\n${ua}`,
  }
}

/** Fills `choice`; false where no campaign bids. */
function choose(deps: AuctionDependencies, slot: Slot, visit: Visit): boolean {
  const { format } = slot.placement
  view.begin(visit.now, (Math.random() * 0x1_0000_0000) >>> 0)
  view.at = FIRST_PRICE
  view.setCurrency(slot.currency)
  if (visit.host !== '') view.addDomain(visit.host)
  view.setCountry(visit.alpha3)
  view.device = visit.device
  view.person = hash53(visit.person)
  view.beginImp(slot.placementNumber)
  view.addSize(format.w, format.h)
  view.secure = deps.edge.publicUrl.startsWith('https:')
  applyInventory(view, slot)
  const { candidates } = deps.serving
  const sampled = deps.sampler.due(visit.now)
  candidates.cappedSlots = sampled ? [] : null
  const chosen = deps.serving.chooseForImp(view, choice)
  if (sampled) deps.sampler.sample(fullTagRequest(slot, visit, candidates.cappedSlots ?? []))
  return chosen
}

/** The request in words, as the full evaluation takes it. */
function fullTagRequest(
  { placement, publisher, currency }: Slot,
  { now, host, alpha3, device }: Visit,
  cappedSlots: readonly number[],
): FullRequest {
  return {
    now,
    random: view.random,
    currency,
    country: alpha3,
    region: null,
    device: deviceAt(device),
    placement: placement.id,
    hosts: host === '' ? [] : [host],
    bundle: null,
    categories: placement.categories,
    segments: [],
    badv: [...placement.badv, ...(publisher?.badv ?? [])],
    acat: [],
    bcat: [...placement.bcat, ...(publisher?.bcat ?? [])],
    battr: [],
    sizes: [placement.format],
    floorCpmMicros: placement.floorCpmMicros,
    secure: view.secure,
    cappedSlots,
  }
}

/** The tag: puts an ad into each `<ins class="farthing" data-placement="ID">`, in a frame without the page's origin. */
export function tagScript(publicUrl: string): string {
  return `(function () {
  var origin = ${JSON.stringify(publicUrl)}
  function fill(slot) {
    if (slot.dataset.filled) return
    slot.dataset.filled = '1'
    var url = origin + '/serve?format=json&placement=' + encodeURIComponent(slot.dataset.placement) +
      '&page=' + encodeURIComponent(location.href)
    if (slot.dataset.user) url += '&user=' + encodeURIComponent(slot.dataset.user)
    fetch(url).then(function (answer) { return answer.status === 200 ? answer.json() : null }).then(function (ad) {
      if (!ad) return
      var frame = document.createElement('iframe')
      frame.width = ad.w
      frame.height = ad.h
      frame.style.border = '0'
      frame.title = 'Advertisement'
      frame.setAttribute('sandbox', 'allow-scripts allow-popups allow-popups-to-escape-sandbox')
      frame.srcdoc = '<!doctype html><body style="margin:0">' + ad.adm
      slot.style.display = 'inline-block'
      slot.appendChild(frame)
    }).catch(function () { /* The page goes on without an ad. */ })
  }
  function fillAll() { document.querySelectorAll('ins.farthing[data-placement]').forEach(fill) }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', fillAll)
  else fillAll()
})()
`
}
