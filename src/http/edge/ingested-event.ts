import { alpha3Of, countryIndex } from '../../core/country.ts'
import { formatId, parseId } from '../../core/ids.ts'
import { DAY_MS, MINUTE_MS } from '../../core/time.ts'
import { DEVICE_TYPES, deviceNumber } from '../../records/device.ts'
import { type IngestedFacts, KEPT_BYTES_MAX } from '../../records/ingested.ts'
import { Reason } from '../../records/reasons.ts'
import { contentText, fieldsText, type Item, keptFields, longestField, otherFields } from './content-text.ts'
import type { EdgeDependencies } from './dependencies.ts'
import { timeOf } from './event-time.ts'
import { sharePpmOf } from './inventory.ts'

const ID_CHARACTERS_MAX = 200
const TEXT_CHARACTERS_MAX = 2048
/** Of a field's name in the answer. */
const FIELD_NAME_CHARACTERS_MAX = 200
const EXPIRED_AFTER_MS = 7 * DAY_MS
const FUTURE_AFTER_MS = 5 * MINUTE_MS
/** So many characters are within KEPT_BYTES_MAX, whatever they are. */
const KEPT_CHARACTERS_SURE = KEPT_BYTES_MAX / 3
/** More than this in one request are looked up each time. */
const KNOWN_MAX = 1000

export type IngestedKind = 'click' | 'impression'

export interface Refused {
  readonly code: string
  /** '' for the event itself. */
  readonly path: string
  /** What is said of the path: `must be ...`. */
  readonly message: string
}

export interface Accepted {
  readonly id: string
  readonly facts: IngestedFacts
  /** What its content hash is made of. */
  readonly content: string
  /** JSON of the fields that are only kept, at most KEPT_BYTES_MAX in UTF-8; null where there are none. */
  readonly kept: string | null
}

interface AdOf {
  readonly number: number
  readonly campaign: number
  readonly advertiserId: string
}

interface PlacementOf {
  readonly placement: number
  readonly publisher: number
  readonly sharePpm: number
}

const NO_PLACEMENT: PlacementOf = { placement: 0, publisher: 0, sharePpm: sharePpmOf(null) }
/** Fields that may be left out; `placement_id` is read with them. */
const TEXTS = [
  'advertiser_id',
  'user_id',
  'ip',
  'user_agent',
  'region',
  'country',
  'device_type',
  'placement_id',
] as const

/** Reads the events of one request: what they share, such as their ads, is looked up once. */
export class EventReader {
  private readonly ads = new Map<string, AdOf | null>()
  private readonly placements = new Map<string, PlacementOf>()

  constructor(
    private readonly deps: EdgeDependencies,
    private readonly kind: IngestedKind,
    /** Whose ads may be reported on; null: all. */
    private readonly account: string | null,
    private readonly now: number,
  ) {}

  read(item: unknown): Accepted | Refused {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      return invalid('', 'must be an object')
    }
    return this.readItem(item as Item)
  }

  private readItem(item: Item): Accepted | Refused {
    const { now } = this
    const idField = this.kind === 'click' ? 'click_id' : 'impression_id'
    const id = this.kind === 'click' ? item['click_id'] : item['impression_id']
    if (typeof id !== 'string' || id.length === 0 || id.length > ID_CHARACTERS_MAX) {
      return invalid(idField, `must be a text of 1 to ${ID_CHARACTERS_MAX} characters`)
    }
    // Half of a surrogate pair has no UTF-8: it would be one id with others, and no ledger could hash it.
    if (!id.isWellFormed()) return invalid(idField, 'must be Unicode')
    // Its pixel and its click come with its token. Under the id of an ingested event they would be charged once more.
    if (this.deps.isOwnImpression(id)) {
      return { code: 'conflict', path: idField, message: 'is of an impression whose own addresses count it' }
    }
    const adId = item['ad_id']
    if (typeof adId !== 'string') return invalid('ad_id', 'must be the id of an ad')
    const time = timeOf(item['timestamp'])
    if (time === null) return invalid('timestamp', 'must be a time in RFC 3339')
    for (const field of TEXTS) {
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
    const ad = this.adOf(adId)
    const said = item['advertiser_id']
    if (ad === null || (typeof said === 'string' && said !== ad.advertiserId)) {
      return { code: 'unknownAd', path: 'ad_id', message: 'names no ad of this account' }
    }
    const others = otherFields(item)
    const fields = keptFields(item, others, this.kind === 'click' ? 'impression_id' : 'click_id')
    const kept = fields.length === 0 ? null : fieldsText(fields)
    if (kept !== null && kept.length > KEPT_CHARACTERS_SURE && Buffer.byteLength(kept) > KEPT_BYTES_MAX) {
      const path = longestField(fields).slice(0, FIELD_NAME_CHARACTERS_MAX)
      const message = `is too large: what is only kept of an event may have ${KEPT_BYTES_MAX} bytes`
      return { code: 'tooLarge', path, message }
    }
    return { id, facts: this.factsOf(item, ad, time), content: contentText(item, others), kept }
  }

  /** Null for what is no ad of the account. */
  private adOf(adId: string): AdOf | null {
    const known = this.ads.get(adId)
    if (known !== undefined) return known
    const number = parseId('ad', adId)
    const facts = number === null ? null : this.deps.ad(number)
    let ad: AdOf | null = null
    if (number !== null && facts !== null) {
      const advertiserId = formatId('advertiser', facts.advertiser)
      if (this.account === null || this.account === advertiserId) {
        ad = { number, campaign: facts.campaign, advertiserId }
      }
    }
    if (this.ads.size < KNOWN_MAX) this.ads.set(adId, ad)
    return ad
  }

  private factsOf(item: Item, ad: AdOf, timestamp: number): IngestedFacts {
    const { deps } = this
    const { placement, publisher, sharePpm } = this.placementOf(item['placement_id'])
    // A server may leave the agent out; one that it reports as empty is a tool's.
    const userAgent = item['user_agent']
    const agent = typeof userAgent === 'string' ? deps.agents.classify(userAgent) : null
    const ip = item['ip']
    const inDataCentre = typeof ip === 'string' && deps.dataCentres.contains(ip)
    return {
      type: this.kind,
      timestamp,
      receivedAt: this.now,
      campaign: ad.campaign,
      ad: ad.number,
      placement,
      publisher,
      sharePpm,
      country: this.countryOf(item['country'], ip),
      device: deviceOf(item['device_type']) ?? agent?.device ?? 0,
      verdict: agent?.robot ? Reason.crawler : inDataCentre ? Reason.dataCentre : Reason.none,
    }
  }

  private placementOf(id: unknown): PlacementOf {
    if (typeof id !== 'string' || id === '') return NO_PLACEMENT
    const known = this.placements.get(id)
    if (known !== undefined) return known
    const number = parseId('placement', id)
    const placement = number === null ? null : this.deps.placement(number)
    let found = NO_PLACEMENT
    if (number !== null && placement !== null) {
      const publisherNumber = parseId('publisher', placement.publisherId) ?? 0
      const sharePpm = sharePpmOf(this.deps.publisher(publisherNumber))
      found = { placement: number, publisher: publisherNumber, sharePpm }
    }
    if (this.placements.size < KNOWN_MAX) this.placements.set(id, found)
    return found
  }

  private countryOf(said: unknown, ip: unknown): number {
    let code = typeof said === 'string' ? said : ''
    if (code === '' && typeof ip === 'string' && ip !== '') code = this.deps.countryOf(ip) ?? ''
    const index = countryIndex(code)
    if (index !== 0 || code === '') return index
    code = code.toUpperCase()
    return countryIndex(alpha3Of(code) ?? code)
  }
}

function deviceOf(said: unknown): number | null {
  if (typeof said !== 'string' || said === '') return null
  const type = said.toLowerCase()
  const device = DEVICE_TYPES.find(known => known === type)
  return device === undefined ? null : deviceNumber(device)
}

function invalid(path: string, message: string): Refused {
  return { code: 'invalid', path, message }
}
