import { hash53 } from '../../campaigns/targeting.ts'
import { countryIndex } from '../../core/country.ts'
import { parseId } from '../../core/ids.ts'
import { deviceAt } from '../../records/device.ts'
import { clientAddress } from '../../screening/address.ts'
import { hostOf } from '../../serving/read-request.ts'
import { RequestView } from '../../serving/request-view.ts'
import { Choice } from '../../serving/serve.ts'
import { problemResponse } from '../problem.ts'
import type { AuctionDependencies } from './auction-handler.ts'
import type { EdgeRequest } from './dependencies.ts'
import { DEFAULT_CURRENCY, sharePpmOf } from './inventory.ts'
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

/** `GET /serve`: an ad for a placement, as a page for a frame or as JSON for the tag. First price, in the placement's currency. */
export function handleServe(deps: AuctionDependencies, { request, peer }: EdgeRequest): Response {
  const { edge } = deps
  if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: PREFLIGHT })
  const { searchParams } = new URL(request.url)
  const number = parseId('placement', searchParams.get('placement') ?? '')
  const placement = number === null ? null : edge.placement(number)
  if (number === null || placement === null)
    return problemResponse(404, 'There is no such placement.', [], CORS)
  const publisherNumber = parseId('publisher', placement.publisherId) ?? 0
  const publisher = edge.publisher(publisherNumber)
  const ua = request.headers.get('user-agent') ?? ''
  const agent = edge.agents.classify(ua)
  edge.counters.add('requests')
  if (agent.robot) {
    edge.counters.add('robotsRefused')
    return new Response(null, { status: 204, headers: CORS })
  }
  const now = edge.clock.now()
  const address = clientAddress({
    peer,
    forwardedFor: request.headers.get('x-forwarded-for'),
    trusted: edge.trustedProxies,
  })
  const alpha3 = edge.countryOf(address)
  const country = alpha3 === null ? 0 : countryIndex(alpha3)
  view.begin(now, (Math.random() * 0x1_0000_0000) >>> 0)
  view.at = 1
  const currency = placement.currency ?? DEFAULT_CURRENCY
  view.setCurrency(currency)
  const page = (searchParams.get('page') ?? request.headers.get('referer') ?? '').slice(
    0,
    PARAMETER_CHARACTERS_MAX,
  )
  const host = hostOf(page) || (publisher?.domain ?? '')
  if (host !== '') view.addDomain(host)
  view.setCountry(alpha3)
  view.device = agent.device
  const user = (searchParams.get('user') ?? '').slice(0, PARAMETER_CHARACTERS_MAX)
  view.person = hash53(user !== '' ? user : `${address}\n${ua}`)
  view.beginImp(number)
  view.addSize(placement.format.w, placement.format.h)
  view.floorCpmMicros = placement.floorCpmMicros
  view.secure = edge.publicUrl.startsWith('https:')
  for (const category of placement.categories) view.addCategory(category)
  for (const domain of [...placement.badv, ...(publisher?.badv ?? [])]) view.blockAdvertiserHere(domain)
  for (const category of [...placement.bcat, ...(publisher?.bcat ?? [])]) view.blockCategoryHere(category)
  deps.requestCounts.add(now, number, publisherNumber, country, agent.device)
  const { candidates } = deps.serving
  const sampled = deps.sampler.due(now)
  candidates.cappedSlots = sampled ? [] : null
  const chosen = deps.serving.chooseForImp(view, choice)
  if (sampled) {
    deps.sampler.sample({
      now,
      random: view.random,
      currency,
      country: alpha3,
      region: null,
      device: deviceAt(agent.device),
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
      cappedSlots: candidates.cappedSlots ?? [],
    })
  }
  if (!chosen) {
    edge.counters.add('noBids')
    return new Response(null, { status: 204, headers: CORS })
  }
  edge.counters.add('bids')
  const offer = offerAd(edge, deps.ids, choice, {
    placement: number,
    publisher: publisherNumber,
    sharePpm: sharePpmOf(publisher),
    country,
    device: agent.device,
    test: false,
  })
  return searchParams.get('format') === 'json'
    ? new Response(deps.answers.tag.of(choice, offer), { headers: JSON_HEADERS })
    : new Response(deps.answers.page.of(choice, offer), { headers: PAGE_HEADERS })
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
