import { unreachable } from '../core/assert.ts'
import { hash32, utf8 } from '../core/bytes.ts'
import {
  type EntityNumber,
  formatId,
  parseId,
  parseUuid,
  partitionOf,
  readImpressionKey,
} from '../core/ids.ts'
import { accepted, type FieldError, type Outcome, type Refusal, refused } from '../core/outcome.ts'
import { rfc3339 } from '../core/time.ts'
import type { EntityTable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import type { Ad, Advertiser, ApiKey, Campaign, Placement, Publisher } from './campaign.ts'
import { mergePatch } from './edit-merge.ts'
import * as schemas from './edit-schemas.ts'

export interface Entities {
  readonly advertiser: Advertiser
  readonly campaign: Campaign
  readonly publisher: Publisher
  readonly placement: Placement
  readonly key: ApiKey
}
export type Entity = Entities[EntityTable]

/** The entities of the partition that decides. */
export interface Directory {
  get<K extends EntityTable>(kind: K, number: EntityNumber): Entities[K] | undefined
}

export interface EditContext {
  readonly now: number
  /** The next number of its kind on the partition that decides. Called only by edits that are accepted. */
  nextNumber(kind: EntityTable | 'ad'): EntityNumber
}

/** What to store: the entity whole, and a row of history where it `changed`. */
export interface Edit {
  readonly status: 200 | 201 | 204
  readonly kind: EntityTable
  readonly number: EntityNumber
  /** The account that it belongs to: advertiser or publisher; 0 for a key without account. */
  readonly owner: EntityNumber
  readonly entity: Entity
  readonly action: 'create' | 'patch' | 'pause' | 'resume' | 'addAd' | 'patchAd' | 'revoke'
  readonly patch: unknown
  /** Of the row of history. Keys have no version of their own: 1 as made, 2 as revoked. */
  readonly version: number
  /** False where the entity is so already: answer it, store nothing. */
  readonly changed: boolean
}

/**
 * The most that a campaign may take as JSON, in bytes of UTF-8: it travels whole in an effect when an edit is answered
 * across partitions, and a record holds at most 1 MiB.
 */
export const CAMPAIGN_BYTES_MAX = 786_432

export const EDIT_COMMANDS = [
  'createAdvertiser',
  'patchAdvertiser',
  'createPublisher',
  'patchPublisher',
  'createPlacement',
  'patchPlacement',
  'createCampaign',
  'patchCampaign',
  'pauseCampaign',
  'resumeCampaign',
  'addAd',
  'patchAd',
  'createKey',
  'deleteKey',
] as const
export type EditCommand = (typeof EDIT_COMMANDS)[number]

export function isEditCommand(name: string): name is EditCommand {
  return (EDIT_COMMANDS as readonly string[]).includes(name)
}

/** The partition that decides a command, once its claim (if it has one) is won. */
export function commandPartition(
  command: Pick<Command, 'name' | 'requestId' | 'target' | 'body'>,
  partitions: number,
): number {
  const field = (key: string) => (schemas.isObject(command.body) ? command.body[key] : undefined)
  switch (command.name) {
    case 'createAdvertiser':
    case 'createPublisher':
      return hash32(command.requestId) % partitions
    case 'createPlacement':
      return partitionOf(parseAccount('publisher', field('publisherId')) ?? 0) % partitions
    case 'createCampaign':
      return partitionOf(parseAccount('advertiser', field('advertiserId')) ?? 0) % partitions
    case 'createKey':
      return partitionOf(accountNumber(field('accountId')) ?? 0) % partitions
    case 'refund':
      return (
        impressionPartition(field('eventId'), partitions) ?? partitionOf(command.target ?? 0) % partitions
      )
    default:
      return partitionOf(command.target ?? 0) % partitions
  }
}

/** Pure: the same directory, command and context give the same edit on every replay. */
export function decideEdit(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  if (!isEditCommand(command.name)) return refused(400, `No edit is called ${command.name}.`)
  switch (command.name) {
    case 'createAdvertiser':
      return createAdvertiser(command.body, context)
    case 'patchAdvertiser':
      return patchAdvertiser(directory, command)
    case 'createPublisher':
      return createPublisher(command.body, context)
    case 'patchPublisher':
      return patchPublisher(directory, command)
    case 'createPlacement':
      return createPlacement(directory, command.body, context)
    case 'patchPlacement':
      return patchPlacement(directory, command)
    case 'createCampaign':
      return createCampaign(directory, command.body, context)
    case 'patchCampaign':
      return patchCampaign(directory, command, context)
    case 'pauseCampaign':
      return pauseCampaign(directory, command, context, true)
    case 'resumeCampaign':
      return pauseCampaign(directory, command, context, false)
    case 'addAd':
      return addAd(directory, command, context)
    case 'patchAd':
      return patchAd(directory, command, context)
    case 'createKey':
      return createKey(directory, command.body, context)
    case 'deleteKey':
      return deleteKey(directory, command)
    default:
      return unreachable(command.name)
  }
}

/** The number in an account id, be it an advertiser's or a publisher's; null for what is none. */
export function accountNumber(id: unknown): EntityNumber | null {
  return parseAccount('advertiser', id) ?? parseAccount('publisher', id)
}

function createAdvertiser(body: unknown, context: EditContext): Outcome<Edit> {
  const checked = schemas.check(schemas.advertiserBody, body)
  if (!checked.ok) return malformed(checked)
  const number = context.nextNumber('advertiser')
  const { name, email, currency, creditLimitMicros, verified } = checked.value
  const id = formatId('advertiser', number)
  const createdAt = rfc3339(context.now)
  const entity: Advertiser = { id, name, email, currency, creditLimitMicros, verified, createdAt, version: 1 }
  return created('advertiser', number, number, entity, body)
}

function patchAdvertiser(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'advertiser', command.target)
  if (current === undefined) return notThere('advertiser')
  const { name, email, creditLimitMicros, verified } = current
  const merged = merge(
    { name, email, creditLimitMicros, verified },
    command.body,
    ADVERTISER_FIXED,
    schemas.advertiserState,
  )
  if (!merged.ok) return merged
  return patched('advertiser', command, command.target!, current, { ...current, ...merged.value })
}

function createPublisher(body: unknown, context: EditContext): Outcome<Edit> {
  const checked = schemas.check(schemas.publisherBody, body)
  if (!checked.ok) return malformed(checked)
  const number = context.nextNumber('publisher')
  const id = formatId('publisher', number)
  const entity: Publisher = {
    id,
    ...publisherFields(checked.value),
    createdAt: rfc3339(context.now),
    version: 1,
  }
  return created('publisher', number, number, entity, body)
}

function patchPublisher(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'publisher', command.target)
  if (current === undefined) return notThere('publisher')
  const merged = merge(publisherFields(current), command.body, FIXED, schemas.publisherBody)
  if (!merged.ok) return merged
  return patched('publisher', command, command.target!, current, {
    ...current,
    ...publisherFields(merged.value),
  })
}

type PublisherFields = Omit<Publisher, 'id' | 'createdAt' | 'version'>

function publisherFields(from: PublisherFields): PublisherFields {
  const { name, domain, email, revenueShare, badv, bcat, monthlyTraffic, verified } = from
  return {
    name,
    domain: domain?.toLowerCase() ?? null,
    email,
    revenueShare,
    badv,
    bcat,
    monthlyTraffic,
    verified,
  }
}

function createPlacement(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = schemas.check(schemas.placementBody, body)
  if (!checked.ok) return malformed(checked)
  const owner = parseId('publisher', checked.value.publisherId)
  if (owner === null || directory.get('publisher', owner) === undefined)
    return noReference('publisherId', 'publisher')
  const number = context.nextNumber('placement')
  const entity: Placement = {
    id: formatId('placement', number),
    publisherId: checked.value.publisherId,
    ...placementFields(checked.value),
    createdAt: rfc3339(context.now),
    version: 1,
  }
  return created('placement', number, owner, entity, body)
}

function patchPlacement(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'placement', command.target)
  if (current === undefined) return notThere('placement')
  const merged = merge(placementFields(current), command.body, PLACEMENT_FIXED, schemas.placementState)
  if (!merged.ok) return merged
  const owner = parseId('publisher', current.publisherId)!
  return patched('placement', command, owner, current, { ...current, ...placementFields(merged.value) })
}

type PlacementFields = Omit<Placement, 'id' | 'publisherId' | 'createdAt' | 'version' | 'audience'> & {
  audience?: unknown
}

function placementFields(
  from: PlacementFields,
): Omit<Placement, 'id' | 'publisherId' | 'createdAt' | 'version'> {
  const {
    name,
    format,
    position,
    categories,
    floorCpmMicros,
    badv,
    bcat,
    audience,
    estimatedMonthlyImpressions,
  } = from
  return {
    name,
    format,
    position,
    categories,
    floorCpmMicros,
    badv,
    bcat,
    audience: audience ?? null,
    estimatedMonthlyImpressions,
  }
}

function createCampaign(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = schemas.check(schemas.campaignBody, body)
  if (!checked.ok) return malformed(checked)
  const { advertiserId, ads, ...fields } = checked.value
  const owner = parseId('advertiser', advertiserId)
  const advertiser = owner === null ? undefined : directory.get('advertiser', owner)
  if (owner === null || advertiser === undefined) return noReference('advertiserId', 'advertiser')
  const tooLarge = sizeFault(body)
  if (tooLarge !== null) return tooLarge

  const number = context.nextNumber('campaign')
  const createdAt = rfc3339(context.now)
  const entity: Campaign = {
    id: formatId('campaign', number),
    advertiserId,
    name: fields.name,
    currency: advertiser.currency,
    ...campaignFields(fields),
    paused: false,
    archived: false,
    ads: ads.map(ad => adEntity(formatId('ad', context.nextNumber('ad')), ad)),
    createdAt,
    updatedAt: createdAt,
    version: 1,
  }
  return created('campaign', number, owner, entity, body)
}

function patchCampaign(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  if (current === undefined) return notThere('campaign')
  if (current.archived) return archived()
  const { name, bid, budget, schedule, targeting, pacing, frequencyCap, whenAuthorityLost } = current
  const before = {
    name,
    bid,
    budget,
    schedule,
    targeting,
    pacing,
    frequencyCap,
    whenAuthorityLost,
    archived: false,
  }
  const merged = merge(before, command.body, CAMPAIGN_FIXED, schemas.campaignState)
  if (!merged.ok) return merged
  const next: Campaign = {
    ...current,
    name: merged.value.name,
    ...campaignFields(merged.value),
    archived: merged.value.archived,
  }
  return campaignEdited('patch', command, context, current, next)
}

/** Idempotent: a campaign that is so already is answered as it is. */
function pauseCampaign(
  directory: Directory,
  command: Command,
  context: EditContext,
  paused: boolean,
): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  if (current === undefined) return notThere('campaign')
  if (current.archived) return archived()
  return campaignEdited(paused ? 'pause' : 'resume', command, context, current, { ...current, paused })
}

/** The new ad is the last in the campaign. */
function addAd(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  if (current === undefined) return notThere('campaign')
  const checked = schemas.check(schemas.adBody, command.body)
  if (!checked.ok) return malformed(checked)
  if (current.archived) return archived()
  if (current.ads.filter(ad => ad.status !== 'archived').length >= schemas.ADS_MAX) {
    return refused(422, `A campaign has at most ${schemas.ADS_MAX} ads that are not archived.`)
  }
  const tooLarge = sizeFault([current, command.body])
  if (tooLarge !== null) return tooLarge
  const ad = adEntity(formatId('ad', context.nextNumber('ad')), checked.value)
  const edited = campaignEdited('addAd', command, context, current, { ...current, ads: [...current.ads, ad] })
  return edited.ok ? accepted({ ...edited.value, status: 201 }) : edited
}

/** Target is the campaign; the body `{ adId, patch }`. */
function patchAd(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  const adId = schemas.isObject(command.body) ? command.body['adId'] : undefined
  const patch = schemas.isObject(command.body) ? command.body['patch'] : undefined
  const ad = current?.ads.find(candidate => candidate.id === adId)
  if (current === undefined || ad === undefined) return notThere('ad')
  if (current.archived || ad.status === 'archived') return archived()
  const { id, ...before } = ad
  const merged = merge(before, patch, AD_FIXED, schemas.adState)
  if (!merged.ok) return merged
  const next = adEntity(id, merged.value)
  const ads = current.ads.map(candidate => (candidate === ad ? next : candidate))
  return campaignEdited('patchAd', command, context, current, { ...current, ads })
}

function createKey(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = schemas.check(schemas.keyCommand, body)
  if (!checked.ok) return malformed(checked)
  const { role, accountId, secretHash } = checked.value
  const fault = keyAccountFault(role, accountId)
  if (fault !== null) return fault
  const owner = accountNumber(accountId) ?? 0
  const kind = accountId?.startsWith('adv') ? 'advertiser' : 'publisher'
  if (accountId !== null && directory.get(kind, owner) === undefined)
    return noReference('accountId', 'account')
  const number = context.nextNumber('key')
  const id = formatId('key', number)
  const entity: ApiKey = { id, role, accountId, secretHash, revoked: false, createdAt: rfc3339(context.now) }
  return created('key', number, owner, entity, { role, accountId })
}

function keyAccountFault(role: ApiKey['role'], accountId: string | null): Refusal | null {
  const wrong = (message: string) =>
    refused(422, `A key of role ${role} ${message}.`, [{ path: 'accountId', message }])
  if (accountId !== null && accountNumber(accountId) === null) return noReference('accountId', 'account')
  switch (role) {
    case 'admin':
      return accountId === null ? null : wrong('has no account')
    case 'advertiser':
      return parseAccount('advertiser', accountId) === null ? wrong("needs an advertiser's id") : null
    case 'publisher':
      return parseAccount('publisher', accountId) === null ? wrong("needs a publisher's id") : null
    case 'ingest':
      return accountId !== null && parseAccount('advertiser', accountId) === null
        ? wrong("takes an advertiser's id or none")
        : null
    case 'reader':
      return null
    default:
      return unreachable(role)
  }
}

function deleteKey(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'key', command.target)
  if (current === undefined) return notThere('key')
  return accepted({
    status: 204,
    kind: 'key',
    number: command.target!,
    owner: accountNumber(current.accountId) ?? 0,
    entity: { ...current, revoked: true },
    action: 'revoke',
    patch: null,
    version: 2,
    changed: !current.revoked,
  })
}

type CampaignFields = Pick<
  Campaign,
  'bid' | 'budget' | 'schedule' | 'targeting' | 'pacing' | 'frequencyCap' | 'whenAuthorityLost'
>

function campaignFields(from: CampaignFields): CampaignFields {
  const { bid, budget, schedule, targeting, pacing, frequencyCap, whenAuthorityLost } = from
  const utc = (time: string | null) => (time === null ? null : rfc3339(schemas.parseTime(time)!))
  return {
    bid,
    budget,
    schedule: {
      startAt: utc(schedule.startAt),
      endAt: utc(schedule.endAt),
      timeZone: schedule.timeZone,
      // Midnight is written one way: a daypart to 00:00 runs to the end of its day.
      dayparts: schedule.dayparts.map(part => ({ ...part, to: part.to === '24:00' ? '00:00' : part.to })),
    },
    targeting: { ...targeting, domains: targeting.domains.map(domain => domain.toLowerCase()) },
    pacing,
    frequencyCap,
    whenAuthorityLost,
  }
}

function adEntity(id: string, body: schemas.AdBody): Ad {
  const { name, status, landingUrl, cat, attr, creative } = body
  const adomain = schemas.adomainOf(body).map(domain => domain.toLowerCase())
  return { id, name, status, landingUrl, adomain, cat, attr, creative }
}

/** What a patch never changes, with what to do instead. */
type Fixed = Readonly<Record<string, string>>
const FIXED: Fixed = { id: 'cannot be changed', createdAt: 'cannot be changed', version: 'cannot be changed' }
const ADVERTISER_FIXED: Fixed = {
  ...FIXED,
  currency: 'cannot be changed',
  balanceMicros: 'changes by deposits and charges',
  heldMicros: 'changes by charges',
  availableMicros: 'changes by deposits and charges',
}
const PLACEMENT_FIXED: Fixed = { ...FIXED, publisherId: 'cannot be changed' }
const AD_FIXED: Fixed = { id: 'cannot be changed', campaignId: 'cannot be changed' }
const CAMPAIGN_FIXED: Fixed = {
  ...FIXED,
  advertiserId: 'cannot be changed',
  currency: 'cannot be changed',
  updatedAt: 'cannot be changed',
  ads: 'cannot be changed here: use POST /v1/campaigns/:id/ads and PATCH /v1/ads/:id',
  paused: 'cannot be changed here: use POST .../pause and POST .../resume',
  status: 'cannot be changed here: use POST .../pause and POST .../resume',
  spend: 'cannot be changed',
  remaining: 'cannot be changed',
  mayStillSpendMicros: 'cannot be changed',
  asOf: 'cannot be changed',
}

function merge<S extends Parameters<typeof schemas.check>[0]>(
  current: unknown,
  patch: unknown,
  fixed: Fixed,
  schema: S,
): Outcome<ReturnType<S['parse']>> {
  if (!schemas.isObject(patch))
    return refused(400, 'A patch is a JSON object.', [{ path: '', message: 'must be an object' }])
  const errors: FieldError[] = Object.keys(patch)
    .filter(key => Object.hasOwn(fixed, key))
    .map(path => ({ path, message: fixed[path]! }))
  if (errors.length > 0) return refused(422, 'The patch names fields that it cannot change.', errors)
  // A member that the schema does not have would vanish unseen where its value is null.
  const checked = schemas.check(schema, mergePatch(current, patch))
  const unknown = schemas.unknownNulls(schema, current, patch)
  if (!checked.ok) return malformed({ status: checked.status, errors: [...checked.errors, ...unknown] })
  if (unknown.length > 0) return malformed({ status: 400, errors: unknown })
  return accepted(checked.value as ReturnType<S['parse']>)
}

function created(
  kind: EntityTable,
  number: EntityNumber,
  owner: EntityNumber,
  entity: Entity,
  patch: unknown,
): Outcome<Edit> {
  return accepted({
    status: 201,
    kind,
    number,
    owner,
    entity,
    action: 'create',
    patch,
    version: 1,
    changed: true,
  })
}

function patched<E extends Advertiser | Publisher | Placement>(
  kind: 'advertiser' | 'publisher' | 'placement',
  command: Command,
  owner: EntityNumber,
  current: E,
  next: E,
): Outcome<Edit> {
  const changed = !same(current, next)
  const entity = changed ? { ...next, version: current.version + 1 } : current
  return accepted({
    status: 200,
    kind,
    number: command.target!,
    owner,
    entity,
    action: 'patch',
    patch: command.body,
    version: entity.version,
    changed,
  })
}

function campaignEdited(
  action: Edit['action'],
  command: Command,
  context: EditContext,
  current: Campaign,
  next: Campaign,
): Outcome<Edit> {
  const changed = !same(current, next)
  if (changed) {
    const tooLarge = sizeFault(next)
    if (tooLarge !== null) return tooLarge
  }
  const entity = changed
    ? { ...next, updatedAt: rfc3339(context.now), version: current.version + 1 }
    : current
  return accepted({
    status: 200,
    kind: 'campaign',
    number: command.target!,
    owner: parseId('advertiser', current.advertiserId)!,
    entity,
    action,
    patch: command.body,
    version: entity.version,
    changed,
  })
}

/** Entities of a kind are built with their fields in one order. */
function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function found<K extends EntityTable>(
  directory: Directory,
  kind: K,
  number: number | null,
): Entities[K] | undefined {
  return number === null ? undefined : directory.get(kind, number)
}

function parseAccount(kind: 'advertiser' | 'publisher', id: unknown): EntityNumber | null {
  return typeof id === 'string' ? parseId(kind, id) : null
}

function impressionPartition(eventId: unknown, partitions: number): number | null {
  const bytes = typeof eventId === 'string' ? parseUuid(eventId) : null
  // Only version 7 is ours; an ingested click may bring a UUID of its own.
  if (bytes === null || bytes[6]! >> 4 !== 7) return null
  const { partition } = readImpressionKey(new DataView(bytes.buffer), 0)
  return partition < partitions ? partition : null
}

function sizeFault(campaign: unknown): Refusal | null {
  if (utf8(JSON.stringify(campaign)).length <= CAMPAIGN_BYTES_MAX) return null
  const message = `must have at most ${CAMPAIGN_BYTES_MAX} bytes with its campaign`
  return refused(422, 'The campaign would be too large.', [{ path: 'ads', message }])
}

function malformed(checked: { readonly status: 400 | 422; readonly errors: readonly FieldError[] }): Refusal {
  const detail =
    checked.status === 400 ? 'The body has fields that are not right.' : 'The body breaks a rule.'
  return refused(checked.status, detail, checked.errors)
}

function notThere(what: string): Refusal {
  return refused(404, `There is no such ${what}.`)
}

function noReference(path: string, what: string): Refusal {
  return refused(422, `The body refers to something that is not there.`, [
    { path, message: `there is no such ${what}` },
  ])
}

function archived(): Refusal {
  return refused(409, 'It is archived, and what is archived is not edited.')
}
