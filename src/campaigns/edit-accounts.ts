import { formatId, parseId } from '../core/ids.ts'
import type { Outcome } from '../core/outcome.ts'
import { rfc3339 } from '../core/time.ts'
import type { Command } from '../records/events.ts'
import type { Advertiser, Placement, Publisher } from './campaign.ts'
import { check } from './check-body.ts'
import * as schemas from './edit-schemas.ts'
import {
  created,
  type Directory,
  type Edit,
  type EditContext,
  FIXED,
  type Fixed,
  found,
  malformed,
  merge,
  noReference,
  notThere,
  patched,
} from './edit-shared.ts'

export function createAdvertiser(body: unknown, context: EditContext): Outcome<Edit> {
  const checked = check(schemas.advertiserBody, body)
  if (!checked.ok) return malformed(checked)
  const number = context.nextNumber('advertiser')
  const { name, email, currency, creditLimitMicros, verified } = checked.value
  const id = formatId('advertiser', number)
  const createdAt = rfc3339(context.now)
  const entity: Advertiser = { id, name, email, currency, creditLimitMicros, verified, createdAt, version: 1 }
  return created('advertiser', number, number, entity, body)
}

export function patchAdvertiser(directory: Directory, command: Command): Outcome<Edit> {
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

const ADVERTISER_FIXED: Fixed = {
  ...FIXED,
  currency: 'cannot be changed',
  balanceMicros: 'changes by deposits and charges',
  heldMicros: 'changes by charges',
  availableMicros: 'changes by deposits and charges',
  asOf: 'cannot be changed',
}

export function createPublisher(body: unknown, context: EditContext): Outcome<Edit> {
  const checked = check(schemas.publisherBody, body)
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

export function patchPublisher(directory: Directory, command: Command): Outcome<Edit> {
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

export function createPlacement(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = check(schemas.placementBody, body)
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

export function patchPlacement(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'placement', command.target)
  if (current === undefined) return notThere('placement')
  const merged = merge(placementFields(current), command.body, PLACEMENT_FIXED, schemas.placementState)
  if (!merged.ok) return merged
  const owner = parseId('publisher', current.publisherId)!
  return patched('placement', command, owner, current, { ...current, ...placementFields(merged.value) })
}

const PLACEMENT_FIXED: Fixed = { ...FIXED, publisherId: 'cannot be changed' }

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
    currency,
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
    currency: currency ?? null,
    floorCpmMicros,
    badv,
    bcat,
    audience: audience ?? null,
    estimatedMonthlyImpressions,
  }
}
