import { formatId, formatUuid, parseId, readImpressionKey } from '../../core/ids.ts'
import { appendEvent } from '../../records/events.ts'
import { RecordKind } from '../../records/record.ts'
import { readTokenBody } from '../../records/token-body.ts'
import { clientAddress } from '../../screening/address.ts'
import { isSpeculative, screen } from '../../screening/screen.ts'
import { problemResponse } from '../problem.ts'
import { landingPage } from './creative.ts'
import type { EdgeDependencies, EdgeRequest } from './dependencies.ts'

/** The transparent GIF of one pixel. */
const PIXEL = Uint8Array.from(
  Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'),
)
const PIXEL_HEADERS = {
  'Content-Type': 'image/gif',
  'Cache-Control': 'no-store',
  'Access-Control-Allow-Origin': '*',
}

/** The value of a query parameter, as it stands in the address: tokens and ids need no decoding. */
export function parameter(url: string, name: string): string | null {
  const query = url.indexOf('?')
  if (query < 0) return null
  const wanted = `${name}=`
  for (let at = query + 1; at < url.length; ) {
    const end = url.indexOf('&', at)
    const stop = end < 0 ? url.length : end
    if (url.startsWith(wanted, at)) return url.slice(at + wanted.length, stop)
    at = stop + 1
  }
  return null
}

/** `GET /i`: counts the impression; always the pixel. */
export function handleImpression(
  deps: EdgeDependencies,
  { request, peer }: EdgeRequest,
): Response | Promise<Response> {
  const { counters } = deps
  const body = openToken(deps, request.url)
  const pixel = new Response(PIXEL, { headers: PIXEL_HEADERS })
  if (body === null) {
    counters.add('forged')
    return pixel
  }
  counters.add('impressions')
  const fromServer = parameter(request.url, 'b') === '1'
  // A `burl` is answered to the exchange that pays by it: what was acknowledged must not be lost with this process.
  return afterRecord(deps, pixel, () =>
    append(deps, { request, peer, body, kind: RecordKind.impression, fromServer }),
  )
}

/** `GET /click`: counts the click once it is on disk, and goes to the landing page whatever is thought of it. */
export function handleClick(
  deps: EdgeDependencies,
  { request, peer }: EdgeRequest,
): Response | Promise<Response> {
  const { counters } = deps
  const body = openToken(deps, request.url)
  if (body === null) {
    const ad = parameter(request.url, 'adId')
    if (ad !== null && parameter(request.url, 't') === null) return unsignedClick(deps, ad)
    counters.add('forged')
    return problemResponse(400, 'The token of this link is not valid. Follow the link as it was served.')
  }
  const token = readTokenBody(new DataView(body.buffer, body.byteOffset, body.byteLength), 0)
  const facts = deps.ad(token.ad)
  if (facts === null) return problemResponse(404, 'There is no such ad.')
  counters.add('clicks')
  const location = landingPage(facts.landingUrl, {
    clickId: formatUuid(body, 2),
    campaignId: formatId('campaign', token.campaign),
    adId: formatId('ad', token.ad),
  })
  return afterRecord(deps, redirect(location), () =>
    append(deps, { request, peer, body, kind: RecordKind.click, fromServer: false }),
  )
}

function unsignedClick(deps: EdgeDependencies, id: string): Response | Promise<Response> {
  const ad = parseId('ad', id)
  const facts = ad === null ? null : deps.ad(ad)
  if (ad === null || facts === null) return problemResponse(404, 'There is no such ad.')
  deps.counters.add('unsignedClicks')
  const ids = { clickId: '', campaignId: formatId('campaign', facts.campaign), adId: id }
  return afterRecord(deps, redirect(landingPage(facts.landingUrl, ids)), () =>
    deps.log.buffer.json(RecordKind.unsignedClick, facts.campaign % 256, deps.clock.now(), { ad }),
  )
}

/**
 * Answers once the record is on disk. The disk may be full, the log away or far behind: people still reach the page
 * that they asked for, what they did is counted as lost, and never billed.
 */
async function afterRecord(deps: EdgeDependencies, response: Response, write: () => void): Promise<Response> {
  const { log, counters } = deps
  if (log.overloaded) {
    counters.add('shed')
    counters.add('lost')
    return response
  }
  write()
  try {
    await log.flushed()
  } catch {
    counters.add('lost')
  }
  return response
}

function redirect(location: string): Response {
  return new Response(null, {
    status: 302,
    headers: { Location: location, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' },
  })
}

function openToken(deps: EdgeDependencies, url: string): Uint8Array | null {
  const token = parameter(url, 't')
  return token === null ? null : deps.signer.open(token)
}

function append(
  deps: EdgeDependencies,
  event: EdgeRequest & {
    readonly body: Uint8Array
    readonly kind: typeof RecordKind.impression | typeof RecordKind.click
    readonly fromServer: boolean
  },
): void {
  const { request, peer, body, kind, fromServer } = event
  const { headers } = request
  const at = deps.clock.now()
  const verdict = screen(
    {
      kind: kind === RecordKind.click ? 'click' : 'impression',
      speculative: isSpeculative(request.method, headers),
      fromServer,
      userAgent: headers.get('user-agent') ?? '',
      address: clientAddress({
        peer,
        forwardedFor: headers.get('x-forwarded-for'),
        trusted: deps.trustedProxies,
      }),
      at,
    },
    deps,
  )
  const { partition } = readImpressionKey(new DataView(body.buffer, body.byteOffset, body.byteLength), 2)
  appendEvent(deps.log.buffer, {
    kind,
    partition,
    receivedAt: at,
    token: body,
    verdict,
    fromServer,
  })
}
