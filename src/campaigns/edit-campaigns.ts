import { utf8 } from '../core/bytes.ts'
import { formatId, parseId } from '../core/ids.ts'
import { accepted, type Outcome, type Refusal, refused } from '../core/outcome.ts'
import { rfc3339 } from '../core/time.ts'
import type { Command } from '../records/events.ts'
import type { Ad, Campaign } from './campaign.ts'
import { check, isObject } from './check-body.ts'
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
  same,
} from './edit-shared.ts'

/**
 * The most that a campaign may take as JSON, in bytes of UTF-8: it travels whole in an effect when an edit is answered
 * across partitions, and a record holds at most 1 MiB.
 */
const CAMPAIGN_BYTES_MAX = 786_432

export function createCampaign(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = check(schemas.campaignBody, body)
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

export function patchCampaign(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
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
  return growthFault(current, next) ?? campaignEdited('patch', command, context, current, next)
}

/** Idempotent: a campaign that is so already is answered as it is. */
export function pauseCampaign(
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
export function addAd(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  if (current === undefined) return notThere('campaign')
  const checked = check(schemas.adBody, command.body)
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
export function patchAd(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  const current = found(directory, 'campaign', command.target)
  const adId = isObject(command.body) ? command.body['adId'] : undefined
  const patch = isObject(command.body) ? command.body['patch'] : undefined
  const ad = current?.ads.find(candidate => candidate.id === adId)
  if (current === undefined || ad === undefined) return notThere('ad')
  if (current.archived || ad.status === 'archived') return archived()
  const { id, ...before } = ad
  const merged = merge(before, patch, AD_FIXED, schemas.adState)
  if (!merged.ok) return merged
  const next = adEntity(id, merged.value)
  const ads = current.ads.map(candidate => (candidate === ad ? next : candidate))
  const changed = { ...current, ads }
  return growthFault(current, changed) ?? campaignEdited('patchAd', command, context, current, changed)
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
      dayparts: schedule.dayparts,
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

function campaignEdited(
  action: Edit['action'],
  command: Command,
  context: EditContext,
  current: Campaign,
  next: Campaign,
): Outcome<Edit> {
  const changed = !same(current, next)
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

/** What was left out of a body is kept with the campaign, which may be over the limit so: it is made no larger. */
function growthFault(current: Campaign, next: Campaign): Refusal | null {
  return bytesOf(next) > bytesOf(current) ? sizeFault(next) : null
}

function bytesOf(campaign: unknown): number {
  return utf8(JSON.stringify(campaign)).length
}

function sizeFault(campaign: unknown): Refusal | null {
  if (bytesOf(campaign) <= CAMPAIGN_BYTES_MAX) return null
  const message = `must have at most ${CAMPAIGN_BYTES_MAX} bytes with its campaign`
  return refused(422, 'The campaign would be too large.', [{ path: 'ads', message }])
}

function archived(): Refusal {
  return refused(409, 'It is archived, and what is archived is not edited.')
}
