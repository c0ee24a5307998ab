import { TOKEN_KEPT_MS } from '../../billing/floor.ts'
import { parseId, partitionOf } from '../../core/ids.ts'
import type { EpochMs } from '../../core/time.ts'
import { appendEvent } from '../../records/events.ts'
import { RecordKind } from '../../records/record.ts'
import {
  readTokenAd,
  readTokenCampaign,
  readTokenChosenAt,
  readTokenPartition,
} from '../../records/token-body.ts'
import { clientAddress } from '../../screening/address.ts'
import { isSpeculative, screen } from '../../screening/screen.ts'
import { problemResponse } from '../problem.ts'
import type { EdgeDependencies, EdgeRequest } from './dependencies.ts'

/** The transparent GIF of one pixel. */
const PIXEL = Uint8Array.from(
  Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'),
)
/** Headers, not an object: an object is made into Headers for each answer, which took a microsecond. */
const PIXEL_ANSWER = {
  headers: new Headers({
    'Content-Type': 'image/gif',
    'Cache-Control': 'no-store',
    'Access-Control-Allow-Origin': '*',
  }),
}
/** An answer has a copy of them: the next one's location is set over the last's. */
const REDIRECT = {
  status: 302,
  headers: new Headers({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' }),
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
export function handleImpression(deps: EdgeDependencies, seen: EdgeRequest): Response | Promise<Response> {
  const { counters } = deps
  const { url } = seen.request
  const body = openToken(deps, url)
  if (body === null) {
    counters.add('forged')
    return pixel()
  }
  const now = deps.clock.now()
  if (isForgotten(deps, body, now)) return pixel()
  counters.add('impressions')
  if (isShed(deps)) return pixel()
  const fromServer = parameter(url, 'b') === '1'
  append(deps, seen, { kind: RecordKind.impression, token: body, receivedAt: now, fromServer })
  // A `burl` is answered to the exchange that pays by it: what was acknowledged must not be lost with this process.
  return afterRecord(deps, pixel)
}

/** `GET /click`: counts the click once it is on disk, and goes to the landing page whatever is thought of it. */
export function handleClick(deps: EdgeDependencies, seen: EdgeRequest): Response | Promise<Response> {
  const { counters } = deps
  const { url } = seen.request
  const body = openToken(deps, url)
  if (body === null) {
    const ad = parameter(url, 'adId')
    if (ad !== null && parameter(url, 't') === null) return unsignedClick(deps, ad)
    counters.add('forged')
    return problemResponse(400, 'The token of this link is not valid. Follow the link as it was served.')
  }
  const ad = readTokenAd(body)
  const facts = deps.ad(ad)
  if (facts === null) return problemResponse(404, 'There is no such ad.')
  const location = facts.landing.urlFor({ token: body, campaign: readTokenCampaign(body), ad })
  const now = deps.clock.now()
  if (isForgotten(deps, body, now)) return redirect(location)
  counters.add('clicks')
  if (isShed(deps)) return redirect(location)
  append(deps, seen, { kind: RecordKind.click, token: body, receivedAt: now, fromServer: false })
  return afterRecord(deps, () => redirect(location))
}

function unsignedClick(deps: EdgeDependencies, id: string): Response | Promise<Response> {
  const ad = parseId('ad', id)
  const facts = ad === null ? null : deps.ad(ad)
  if (ad === null || facts === null) return problemResponse(404, 'There is no such ad.')
  deps.counters.add('unsignedClicks')
  const location = facts.landing.urlFor({ token: null, campaign: facts.campaign, ad })
  if (isShed(deps)) return redirect(location)
  deps.log.buffer.json(RecordKind.unsignedClick, partitionOf(facts.campaign), deps.clock.now(), { ad })
  return afterRecord(deps, () => redirect(location))
}

/**
 * Of so long ago that no repeat would be known (billing/floor.ts): it expired weeks before, and is not even recorded, so
 * that old links followed again and again fill no disk.
 */
function isForgotten({ counters }: EdgeDependencies, token: Uint8Array, now: EpochMs): boolean {
  if (now - readTokenChosenAt(token) <= TOKEN_KEPT_MS) return false
  counters.add('longExpired')
  return true
}

/** The log is far behind: nothing is written. People still reach the page that they asked for; the event is lost. */
function isShed({ log, counters }: EdgeDependencies): boolean {
  if (!log.overloaded) return false
  counters.add('shed')
  counters.add('lost')
  return true
}

/**
 * Answers once the record is on disk. Where the disk is full or the log away, people still reach the page that they
 * asked for, what they did is counted as lost, and never billed. The answer is made then, not before: what waits is
 * less, and the collector does not meet it.
 */
function afterRecord({ log, counters }: EdgeDependencies, answer: () => Response): Promise<Response> {
  return log.flushed().then(answer, () => {
    counters.add('lost')
    return answer()
  })
}

function pixel(): Response {
  return new Response(PIXEL, PIXEL_ANSWER)
}

function redirect(location: string): Response {
  REDIRECT.headers.set('Location', location)
  return new Response(null, REDIRECT)
}

function openToken(deps: EdgeDependencies, url: string): Uint8Array | null {
  const token = parameter(url, 't')
  return token === null ? null : deps.signer.open(token)
}

function append(
  deps: EdgeDependencies,
  { request, peer }: EdgeRequest,
  event: {
    readonly kind: typeof RecordKind.impression | typeof RecordKind.click
    readonly token: Uint8Array
    readonly receivedAt: EpochMs
    readonly fromServer: boolean
  },
): void {
  const { headers } = request
  const { kind, token, receivedAt, fromServer } = event
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
      at: receivedAt,
    },
    deps,
  )
  const partition = readTokenPartition(token)
  appendEvent(deps.log.buffer, { kind, partition, receivedAt, token, verdict, fromServer })
}
