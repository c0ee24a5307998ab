import { z } from 'zod'
import * as bodies from '../../campaigns/edit-schemas.ts'
import { REPORT_DIMENSIONS } from '../../ports/control.ts'

/**
 * Shapes of answers, for the OpenAPI document only: what is answered was checked when it came in. Whatever has a
 * default in a body is always there in an answer, and fields may be added to it.
 */

const time = z.string().meta({ format: 'date-time', example: '2026-11-01T00:00:00.000Z' })
const micros = z.int().meta({ description: 'Millionths of the currency unit' })
const made = { createdAt: time, version: z.int() }
const money = {
  balanceMicros: micros,
  heldMicros: micros,
  availableMicros: micros.meta({ description: 'Balance and credit less held' }),
}
const state = z.enum(['pending', 'reserved', 'charged', 'refunded', 'rejected'])

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string(), code: z.string().optional() }))
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })

export const key = z
  .object({ id: z.string(), ...answered(bodies.keyBody), revoked: z.boolean(), createdAt: time })
  .meta({ id: 'Key' })
export const newKey = z
  .object({ ...key.shape, key: z.string().nullable().meta({ description: 'Shown once; null in a repeat' }) })
  .meta({ id: 'NewKey' })

export const advertiser = z
  .object({
    id: z.string(),
    ...answered(bodies.advertiserBody),
    ...money,
    asOf: time,
    ...made,
  })
  .meta({ id: 'Advertiser' })

export const deposit = z
  .object({
    id: z.string(),
    advertiserId: z.string(),
    amountMicros: micros,
    currency: z.string(),
    entryId: z.string().meta({ description: 'Its entry of the ledger' }),
    createdAt: time,
  })
  .meta({ id: 'Deposit' })
/** What is answered to who paid it in. */
export const newDeposit = z.object({ ...deposit.shape, ...money }).meta({ id: 'NewDeposit' })

export const publisher = z
  .object({ id: z.string(), ...answered(bodies.publisherBody), ...made })
  .meta({ id: 'Publisher' })

export const placement = z
  .object({ id: z.string(), ...answered(bodies.placementBody), ...made })
  .meta({ id: 'Placement' })

export const ad = z
  .object({ id: z.string(), campaignId: z.string().optional(), ...answered(bodies.adState) })
  .meta({ id: 'Ad' })

const spend = z.object({ todayMicros: micros, totalMicros: micros })
export const campaign = z
  .object({
    id: z.string(),
    ...answered(bodies.campaignBody),
    ads: z.array(ad),
    currency: z.string(),
    status: z.enum(['scheduled', 'active', 'paused', 'unfunded', 'exhaustedDaily', 'exhausted', 'ended']),
    spend: spend.meta({ description: 'Net of refunds' }),
    remaining: z.object({ todayMicros: micros.nullable(), totalMicros: micros.nullable() }),
    mayStillSpendMicros: micros.meta({ description: 'What is out in leases and holds' }),
    asOf: time,
    archived: z.boolean(),
    updatedAt: time,
    ...made,
  })
  .meta({ id: 'Campaign' })

export const change = z
  .object({ at: time, actor: z.string(), action: z.string(), patch: z.unknown(), version: z.int() })
  .meta({ id: 'Change' })

export const explanation = z
  .object({
    status: z.string(),
    summary: z.string(),
    reasons: z.array(z.object({ code: z.string(), count: z.int(), text: z.string() })),
    windowSeconds: z.int(),
  })
  .meta({ id: 'Explanation' })

export const charge = z
  .object({
    eventId: z.string(),
    campaignId: z.string(),
    adId: z.string(),
    state,
    reason: z.string().nullable(),
    amountMicros: micros,
    refundedMicros: micros,
    duplicates: z.int().meta({ description: 'Of an impression and its click: those of 36 days' }),
    /** Repeats of an ingested id with other content. */
    conflicts: z.int(),
    history: z.array(z.object({ state, at: time, reason: z.string().nullable() })),
    asOf: time,
  })
  .meta({ id: 'Charge' })

export const refund = z
  .object({
    id: z.string(),
    eventId: z.string(),
    amountMicros: micros,
    refundedMicros: micros.meta({ description: 'Of the charge, with this refund' }),
    reason: z.string(),
    entryId: z.string().meta({ description: 'Its entry of the ledger' }),
    createdAt: time,
  })
  .meta({ id: 'Refund' })

export const balances = z
  .object({
    items: z.array(z.object({ account: z.string(), currency: z.string(), balanceMicros: micros })),
    asOf: time,
  })
  .meta({ id: 'Balances' })

export const entry = z
  .object({
    id: z.string(),
    chain: z.string(),
    sequence: z.int(),
    at: time,
    kind: z.enum(['charge', 'refund', 'deposit', 'impressions']),
    eventId: z.string().optional(),
    campaignId: z.string().optional(),
    currency: z.string(),
    postings: z.array(z.object({ account: z.string(), amountMicros: micros })),
    chargesRoot: z.string().optional(),
    prevHash: z.string(),
    hash: z
      .string()
      .meta({ description: 'SHA-256(prevHash || JCS of the entry without hash), lowercase hex' }),
  })
  .meta({ id: 'Entry' })

/** One charged impression of a block: a leaf of its Merkle tree is the JCS of all that it has. */
export const entryCharge = z
  .object({
    eventId: z.string(),
    at: time,
    campaignId: z.string(),
    adId: z.string(),
    advertiserId: z.string(),
    placementId: z.string(),
    publisherId: z.string(),
    amountMicros: micros,
    publisherMicros: micros,
    feeMicros: micros,
  })
  .meta({ id: 'EntryCharge' })

export const verification = z
  .object({
    ok: z.boolean(),
    entries: z.int(),
    sumMicros: micros,
    heads: z.array(z.object({ chain: z.string(), sequence: z.int(), hash: z.string() })),
    firstBroken: z.unknown(),
    asOf: time,
  })
  .meta({ id: 'Verification' })

export const aggregates = z.array(
  z.object({ window: time, impressions: z.int(), clicks: z.int(), spend: z.string(), final: z.boolean() }),
)
export const realtime = z.object({ clicks: z.int(), impressions: z.int(), spend: z.string(), as_of: time })
const dimensions = Object.fromEntries(
  REPORT_DIMENSIONS.map(dimension => [
    dimension,
    z.string().nullable().optional().meta({ description: 'Where it is grouped by; null: unknown' }),
  ]),
)
export const report = z
  .object({
    rows: z.array(
      z.object({
        window: time,
        ...dimensions,
        requests: z.int().optional(),
        impressions: z.int(),
        clicks: z.int(),
        charges: z.int(),
        spendMicros: micros,
        rejected: z.int(),
      }),
    ),
    asOf: time,
    final: z.boolean(),
  })
  .meta({ id: 'Report' })

/** The members of a body as an answer has them: all of them, at any depth. */
function answered<S extends z.ZodObject>(body: S): z.ZodRawShape {
  return Object.fromEntries(
    Object.entries(body.shape).map(([name, member]) => [name, answeredMember(member as z.ZodType)]),
  )
}

function answeredMember(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return described(answeredMember(schema.unwrap() as z.ZodType), schema)
  }
  if (schema instanceof z.ZodNullable) {
    return described(answeredMember(schema.unwrap() as z.ZodType).nullable(), schema)
  }
  if (schema instanceof z.ZodArray)
    return described(z.array(answeredMember(schema.element as z.ZodType)), schema)
  return schema instanceof z.ZodObject ? described(z.object(answered(schema)), schema) : schema
}

function described(schema: z.ZodType, by: z.ZodType): z.ZodType {
  const said = by.meta()
  return said === undefined ? schema : schema.meta({ ...schema.meta(), ...said })
}

/**
 * A merge patch of it (RFC 7396): every member may be left out, and null for its default where it has one, at any
 * depth.
 */
export function patchOf(state: z.ZodObject): z.ZodObject {
  const members = Object.entries(state.shape).map(([name, schema]) => [
    name,
    patchOfMember(schema as z.ZodType),
  ])
  return z.strictObject(Object.fromEntries(members))
}

function patchOfMember(schema: z.ZodType): z.ZodType {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    const member = patchOfMember(schema.unwrap() as z.ZodType)
    return (member instanceof z.ZodOptional ? (member.unwrap() as z.ZodType) : member).nullable().optional()
  }
  if (schema instanceof z.ZodObject) return patchOf(schema).optional()
  // Which of its forms is meant, only the whole says.
  if (schema instanceof z.ZodDiscriminatedUnion) return z.looseObject({}).optional()
  return schema.optional()
}

export function pageOf(item: z.ZodType): z.ZodType {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}
