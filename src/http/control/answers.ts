import { z } from 'zod'
import * as bodies from '../../campaigns/edit-schemas.ts'

/** Shapes of answers, for the OpenAPI document only: what is answered was checked when it came in. */

const time = z.string().meta({ format: 'date-time', example: '2026-11-01T00:00:00.000Z' })
const micros = z.int().meta({ description: 'Millionths of the currency unit' })
const made = { createdAt: time, version: z.int() }
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
  .object({ id: z.string(), ...bodies.keyBody.shape, revoked: z.boolean(), createdAt: time })
  .meta({ id: 'Key' })
export const newKey = z
  .object({ ...key.shape, key: z.string().nullable().meta({ description: 'Shown once; null in a repeat' }) })
  .meta({ id: 'NewKey' })

export const advertiser = z
  .object({
    id: z.string(),
    ...bodies.advertiserBody.shape,
    balanceMicros: micros,
    heldMicros: micros,
    availableMicros: micros.meta({ description: 'Balance and credit less held' }),
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

export const publisher = z
  .object({ id: z.string(), ...bodies.publisherBody.shape, ...made })
  .meta({ id: 'Publisher' })

export const placement = z
  .object({ id: z.string(), ...bodies.placementBody.shape, ...made })
  .meta({ id: 'Placement' })

export const ad = z
  .object({ id: z.string(), campaignId: z.string().optional(), ...bodies.adState.shape })
  .meta({ id: 'Ad' })

const spend = z.object({ todayMicros: micros, totalMicros: micros })
export const campaign = z
  .object({
    id: z.string(),
    ...bodies.campaignBody.shape,
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
    refundedMicros: micros,
    reason: z.string(),
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
    kind: z.string(),
    eventId: z.string().optional(),
    campaignId: z.string().optional(),
    postings: z.array(z.object({ account: z.string(), amountMicros: micros })),
    chargesRoot: z.string().optional(),
    prevHash: z.string(),
    hash: z
      .string()
      .meta({ description: 'SHA-256(prevHash || JCS of the entry without hash), lowercase hex' }),
  })
  .meta({ id: 'Entry' })

export const entryCharges = z.object({ items: z.array(z.unknown()), nextCursor: z.null() })

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
export const report = z
  .object({
    rows: z.array(
      z.looseObject({
        window: time,
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

/** A merge patch of it (RFC 7396): every member may be left out, or null for its default, at any depth. */
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
    return patchOfMember(schema.unwrap() as z.ZodType)
  }
  if (schema instanceof z.ZodObject) return patchOf(schema).nullable().optional()
  // Which of its forms is meant, only the whole says.
  if (schema instanceof z.ZodDiscriminatedUnion) return z.looseObject({}).nullable().optional()
  return schema.nullable().optional()
}

export function pageOf(item: z.ZodType): z.ZodType {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}
