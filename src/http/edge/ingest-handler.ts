import { createHash } from 'node:crypto'
import { hash32 } from '../../core/bytes.ts'
import { alpha3Of, countryIndex } from '../../core/country.ts'
import { formatId, parseId } from '../../core/ids.ts'
import { DAY_MS, MINUTE_MS, rfc3339 } from '../../core/time.ts'
import { jsonDepthWithin } from '../../openrtb/validate.ts'
import { DEVICE_TYPES, deviceNumber } from '../../records/device.ts'
import type { IngestedEvent } from '../../records/events.ts'
import { Reason } from '../../records/reasons.ts'
import { RecordKind } from '../../records/record.ts'
import { problemResponse } from '../problem.ts'
import type { EdgeDependencies } from './dependencies.ts'
import { readBody } from './read-body.ts'

export const INGEST_BYTES_MAX = 2 << 20
export const INGEST_ITEMS_MAX = 1000
const ID_CHARACTERS_MAX = 200
const TEXT_CHARACTERS_MAX = 2048
const EXPIRED_AFTER_MS = 7 * DAY_MS
const FUTURE_AFTER_MS = 5 * MINUTE_MS
const RFC3339 = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i

type Kind = 'click' | 'impression'

interface Refused {
  readonly code: string
  readonly path: string
  readonly message: string
}

/** `POST /events/click` and `/events/impression`: 202 once what is good is durable. */
export async function handleIngest(deps: EdgeDependencies, request: Request, kind: Kind): Promise<Response> {
  const principal = deps.authenticate(request.headers.get('authorization'))
  if (principal === null) return problemResponse(401, 'Send a key of the role ingest as a Bearer token.')
  if (principal.role !== 'ingest' && principal.role !== 'admin')
    return problemResponse(403, 'This key may not report events.')
  const read = await readBody(request, INGEST_BYTES_MAX)
  if (!('text' in read)) return problemResponse(read.status, read.detail)
  const body = parse(read.text)
  if (body === undefined) return problemResponse(400, 'The body is not JSON.')
  const single = !Array.isArray(body)
  const items: unknown[] = single ? [body] : body
  if (items.length === 0) return problemResponse(400, 'There is no event in the array.')
  if (items.length > INGEST_ITEMS_MAX)
    return problemResponse(400, `At most ${INGEST_ITEMS_MAX} events in one request.`)
  if (deps.log.overloaded) {
    deps.counters.add('shed')
    return logAway()
  }

  const refused: {
    index: number
    click_id?: unknown
    impression_id?: unknown
    code: string
    message: string
  }[] = []
  const idField = kind === 'click' ? 'click_id' : 'impression_id'
  const now = deps.clock.now()
  let accepted = 0
  for (const [index, item] of items.entries()) {
    const result = readEvent(deps, principal.accountId, kind, item, now)
    if ('code' in result) {
      if (single) {
        return problemResponse(400, `The event is refused: ${result.message}.`, [
          { path: result.path, message: result.message },
        ])
      }
      const id = isObject(item) ? item[idField] : undefined
      refused.push({
        index,
        [idField]: typeof id === 'string' ? id : null,
        code: result.code,
        message: result.message,
      })
      continue
    }
    accepted++
    deps.log.buffer.json(RecordKind.ingested, hash32(result.eventId) % deps.partitions, now, result)
  }
  deps.counters.add('ingested', accepted)
  if (accepted > 0) {
    try {
      await deps.log.flushed()
    } catch {
      deps.counters.add('lost', accepted)
      return logAway()
    }
  }
  return Response.json({ accepted, refused }, { status: 202 })
}

/** An id counts once: whoever sends all of them again loses nothing and doubles nothing. */
function logAway(): Response {
  return problemResponse(503, 'The log does not take events now. Send them again.', [], {
    'Retry-After': '1',
  })
}

function parse(text: string): unknown {
  if (!jsonDepthWithin(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function readEvent(
  deps: EdgeDependencies,
  account: string | null,
  kind: Kind,
  item: unknown,
  now: number,
): IngestedEvent | Refused {
  if (!isObject(item)) return invalid('', 'an event is an object')
  const idField = kind === 'click' ? 'click_id' : 'impression_id'
  const id = item[idField]
  if (typeof id !== 'string' || id.length === 0 || id.length > ID_CHARACTERS_MAX) {
    return invalid(idField, `must be a text of 1 to ${ID_CHARACTERS_MAX} characters`)
  }
  // Half of a surrogate pair has no UTF-8: it would be one id with others, and no ledger could hash it.
  if (!id.isWellFormed()) return invalid(idField, 'must be Unicode')
  const { ad_id, timestamp } = item
  if (typeof ad_id !== 'string') return invalid('ad_id', 'must be the id of an ad')
  const time = timeOf(timestamp)
  if (time === null) return invalid('timestamp', 'must be a time in RFC 3339')
  for (const field of [
    'advertiser_id',
    'user_id',
    'ip',
    'user_agent',
    'region',
    'country',
    'device_type',
    'placement_id',
  ]) {
    const value = item[field]
    if (value === undefined || value === null) continue
    if (typeof value !== 'string' || value.length > TEXT_CHARACTERS_MAX) {
      return invalid(field, `must be a text of at most ${TEXT_CHARACTERS_MAX} characters`)
    }
  }
  if (time < now - EXPIRED_AFTER_MS)
    return { code: 'expired', path: 'timestamp', message: 'is more than 7 days ago' }
  if (time > now + FUTURE_AFTER_MS)
    return { code: 'future', path: 'timestamp', message: 'is more than 5 minutes ahead' }
  const ad = parseId('ad', ad_id)
  const facts = ad === null ? null : deps.ad(ad)
  const advertiser = facts === null ? null : formatId('advertiser', facts.advertiser)
  const foreign = account !== null && advertiser !== account
  const other = typeof item['advertiser_id'] === 'string' && item['advertiser_id'] !== advertiser
  if (ad === null || facts === null || foreign || other) {
    return { code: 'unknownAd', path: 'ad_id', message: 'no such ad in this account' }
  }
  return eventOf(deps, kind, { id, ad, campaign: facts.campaign, time, item })
}

function eventOf(
  deps: EdgeDependencies,
  kind: Kind,
  of: { id: string; ad: number; campaign: number; time: number; item: Record<string, unknown> },
): IngestedEvent {
  const { item } = of
  const placementId = text(item, 'placement_id')
  const placement = placementId === '' ? null : deps.placement(parseId('placement', placementId) ?? 0)
  const publisherNumber = placement === null ? 0 : (parseId('publisher', placement.publisherId) ?? 0)
  const publisher = deps.publisher(publisherNumber)
  // A server may leave the agent out; one that it reports as empty is a tool's.
  const agent = typeof item['user_agent'] === 'string' ? deps.agents.classify(item['user_agent']) : null
  const country = (text(item, 'country') || (deps.countryOf(text(item, 'ip')) ?? '')).toUpperCase()
  const said = DEVICE_TYPES.find(type => type === text(item, 'device_type').toLowerCase())
  const dataCentre = deps.dataCentres.contains(text(item, 'ip'))
  return {
    type: kind,
    eventId: of.id,
    contentHash: contentHash(item),
    campaign: of.campaign,
    ad: of.ad,
    placement: placement === null ? 0 : (parseId('placement', placementId) ?? 0),
    publisher: publisherNumber,
    sharePpm: publisher === null ? UNKNOWN_SHARE_PPM : Math.round(publisher.revenueShare * 1_000_000),
    timestamp: of.time,
    country: countryIndex(alpha3Of(country) ?? country),
    device: said !== undefined ? deviceNumber(said) : (agent?.device ?? 0),
    verdict: agent?.robot ? Reason.crawler : dataCentre ? Reason.dataCentre : Reason.none,
  }
}

/** What a publisher that nobody knows is owed: the default share. */
export const UNKNOWN_SHARE_PPM = 800_000

function text(item: Record<string, unknown>, field: string): string {
  const value = item[field]
  return typeof value === 'string' ? value : ''
}

/** Of all that the sender said, whatever the order of the fields. */
function contentHash(item: Record<string, unknown>): string {
  return createHash('sha256').update(ordered(item)).digest('hex').slice(0, 32)
}

function ordered(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(ordered).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const keys = Object.keys(value).sort()
  return `{${keys.map(key => `${JSON.stringify(key)}:${ordered(value[key])}`).join(',')}}`
}

function timeOf(value: unknown): number | null {
  const day = typeof value === 'string' ? RFC3339.exec(value)?.[1] : undefined
  if (typeof value !== 'string' || day === undefined) return null
  const time = Date.parse(value.toUpperCase())
  // Date.parse takes February 30th for March 2nd.
  return Number.isNaN(time) || rfc3339(Date.parse(day)).slice(0, day.length) !== day ? null : time
}

function invalid(path: string, message: string): Refused {
  return { code: 'invalid', path, message: `${path === '' ? 'it' : path} ${message}` }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
