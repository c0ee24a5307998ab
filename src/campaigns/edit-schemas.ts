import { z } from 'zod'
import { MICROS_MAX } from '../core/money.ts'
import { COUNTRIES, COUNTRIES_ALPHA_2, CURRENCIES } from './edit-codes.ts'
import { landingDomain, leadsToPrivateHost, webUrlFault } from './landing-url.ts'

/** Bodies of the control API. They refuse unknown fields and fill defaults in; nothing is read but the body. */

export const ADS_MAX = 100
/** Bytes of UTF-8. A hundred such ads would not fit one campaign: see CAMPAIGN_BYTES_MAX. */
export const HTML_BYTES_MAX = 65_536
const LIST_MAX = 1000
const YEAR_SECONDS = 31_536_000

// A rule, not a form: answered with 422 where all else is well-formed.
const RULE = { params: { rule: true } }

const text = (lengthMax: number) =>
  z
    .string()
    .min(1)
    // Counted in characters, not in UTF-16 units.
    .refine(value => value.length <= lengthMax || [...value].length <= lengthMax, {
      error: `must have at most ${lengthMax} characters`,
    })
    .refine(value => /\S/.test(value), { error: 'must not be blank' })
    .refine(value => !/\p{Cc}|\p{Cs}/u.test(value), { error: 'must not hold control characters' })
    .meta({ minLength: 1, maxLength: lengthMax })
const name = text(200).meta({ example: 'Autumn' })
const amountMicros = z.int().min(1).max(MICROS_MAX).meta({ description: 'Millionths of the currency unit' })
const microsFromZero = z.int().min(0).max(MICROS_MAX).meta({ description: 'Millionths of the currency unit' })
const count = z.int().min(0).max(MICROS_MAX)
const pixels = z.int().min(1).max(10_000)
const email = z.email({ error: 'must be an email address' }).max(254)
const hostname = z
  .string()
  .max(253)
  .regex(/^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/, {
    error: 'must be a domain name, in punycode beyond ASCII',
  })
  .meta({ example: 'example.com' })
const code = text(100)
const listOf = <T extends z.ZodType>(item: T) => z.array(item).max(LIST_MAX).default([])
const domains = listOf(hostname)
const codes = listOf(code)

const webUrl = z
  .string()
  .superRefine((value, context) => {
    const fault = webUrlFault(value)
    if (fault !== null) context.addIssue({ code: 'custom', message: fault })
  })
  .meta({ format: 'uri' })
const landingUrl = webUrl
  .superRefine((value, context) => {
    if (webUrlFault(value) === null && leadsToPrivateHost(value)) {
      context.addIssue({ code: 'custom', message: 'must not lead to a private or local address', ...RULE })
    }
  })
  .meta({
    format: 'uri',
    description: 'May hold ${CLICK_ID}, ${CAMPAIGN_ID}, ${AD_ID}',
    example: 'https://example.com/a',
  })

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** The ms of an RFC 3339 time, or null for what is none; finer than a millisecond is cut off. */
export function parseTime(value: string): number | null {
  const parts = RFC_3339.exec(value)
  if (parts === null) return null
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  // Parsers roll 30 February over to March.
  const daysInMonth = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth || hour > 23 || minute > 59 || second > 59)
    return null
  const fraction = parts[7] === undefined ? '' : parts[7].slice(0, 4)
  const zone = parts[8]!.toUpperCase()
  const time = Date.parse(`${value.slice(0, 10)}T${value.slice(11, 19)}${fraction}${zone}`)
  return Number.isNaN(time) || time < 0 ? null : time
}

const time = z
  .string()
  .refine(value => parseTime(value) !== null, {
    error: 'must be an RFC 3339 time from 1970 on, with its offset',
  })
  .meta({ format: 'date-time', example: '2026-11-01T00:00:00.000Z' })

const bid = z.strictObject({
  model: z.enum(['cpc', 'cpm']),
  amountMicros: amountMicros.meta({
    description:
      'Micros of a click (cpc) or of a thousand impressions (cpm); above 9007199254740 it is `unfunded`, whatever the balance',
  }),
})

const budget = z.strictObject({
  totalMicros: amountMicros.nullable().default(null),
  dailyMicros: amountMicros.nullable().default(null),
})

const daypart = z.strictObject({
  days: z
    .array(z.int().min(1).max(7))
    .min(1)
    .max(7)
    .refine(days => new Set(days).size === days.length, { error: 'must not repeat a day' })
    .meta({ description: 'ISO days, 1 Monday to 7 Sunday' }),
  from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'must be HH:MM' }),
  to: z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, { error: 'must be HH:MM' }),
})

const schedule = z
  .strictObject({
    startAt: time.nullable().default(null),
    endAt: time.nullable().default(null),
    // Only the form: whether the zone is known depends on the runtime, so the edge asks (scheduleFaults) before the log.
    timeZone: z
      .string()
      .max(64)
      .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/, { error: 'must be an IANA time zone' })
      .default('UTC')
      .meta({ example: 'Europe/Berlin' }),
    dayparts: z.array(daypart).max(100).default([]),
  })
  .superRefine((value, context) => {
    const start = value.startAt === null ? null : parseTime(value.startAt)
    const end = value.endAt === null ? null : parseTime(value.endAt)
    if (start !== null && end !== null && end <= start) {
      context.addIssue({ code: 'custom', path: ['endAt'], message: 'must be after startAt', ...RULE })
    }
  })

const targeting = z.strictObject({
  countries: listOf(
    z.string().refine(value => COUNTRIES.has(value), { error: 'must be an ISO 3166-1 alpha-3 country' }),
  ).meta({ example: ['USA', 'CAN'] }),
  regions: listOf(
    z
      .string()
      .refine(value => /^[A-Z]{2}-[A-Z0-9]{1,3}$/.test(value) && COUNTRIES_ALPHA_2.has(value.slice(0, 2)), {
        error: 'must be an ISO 3166-2 region',
      }),
  ).meta({ example: ['US-WI'] }),
  deviceTypes: listOf(z.enum(['desktop', 'mobile', 'tablet', 'ctv'])),
  placements: listOf(z.string().max(40)),
  categories: codes,
  domains,
  segments: listOf(text(256)),
})

const creative = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('image'), w: pixels, h: pixels, imageUrl: webUrl }),
    z.strictObject({
      kind: z.literal('html'),
      w: pixels,
      h: pixels,
      html: z
        .string()
        .min(1)
        .refine(value => new TextEncoder().encode(value).length <= HTML_BYTES_MAX, {
          error: `must have at most ${HTML_BYTES_MAX} bytes`,
        })
        .meta({ description: '${CLICK_URL}, ${CLICK_URL_ENC} and ${CACHEBUSTER} are filled in' }),
    }),
  ])
  .meta({ id: 'Creative' })

const ad = z.strictObject({
  name,
  landingUrl,
  adomain: z
    .array(hostname)
    .max(LIST_MAX)
    .optional()
    .meta({ description: 'By default the domain of landingUrl' }),
  cat: codes,
  attr: z.array(z.int().min(0).max(1000)).max(100).default([]),
  creative,
})

export const adBody = ad
  .extend({ status: z.enum(['active', 'paused']).default('active') })
  .meta({ id: 'AdBody' })
/** The whole of what a patch of an ad may change. */
export const adState = ad.extend({ status: z.enum(['active', 'paused', 'archived']).default('active') })

const campaignFields = {
  name,
  bid,
  budget: budget.prefault({}),
  schedule: schedule.prefault({}),
  targeting: targeting.prefault({}),
  pacing: z.enum(['even', 'asap']).default('asap'),
  frequencyCap: z
    .strictObject({
      impressions: z.int().min(1).max(1_000_000),
      perSeconds: z.int().min(1).max(YEAR_SECONDS),
    })
    .nullable()
    .default(null),
  whenAuthorityLost: z.enum(['open', 'closed']).default('open'),
}

export const campaignBody = z
  .strictObject({
    advertiserId: z.string().max(40).meta({ example: 'adv_e8' }),
    ...campaignFields,
    ads: z.array(adBody).min(1).max(ADS_MAX),
  })
  .meta({ id: 'CampaignBody' })
export const campaignState = z.strictObject({
  ...campaignFields,
  archived: z.boolean().default(false),
})

const currency = z.string().refine(value => CURRENCIES.has(value), { error: 'must be an ISO 4217 currency' })

const advertiserFields = {
  name,
  email: email.nullable().default(null),
  creditLimitMicros: microsFromZero.default(0),
  verified: z.boolean().default(false),
}
export const advertiserBody = z
  .strictObject({
    ...advertiserFields,
    currency: currency.default('USD'),
  })
  .meta({ id: 'AdvertiserBody' })
export const advertiserState = z.strictObject(advertiserFields)

export const publisherBody = z
  .strictObject({
    name,
    domain: hostname.nullable().default(null),
    email: email.nullable().default(null),
    revenueShare: z
      .number()
      .min(0)
      .max(1)
      // Kept in millionths: a finer share could not be paid as it reads.
      .refine(value => Math.abs(value * 1e6 - Math.round(value * 1e6)) < 1e-6, {
        error: 'must have at most 6 decimals',
      })
      .default(0.8),
    badv: domains,
    bcat: codes,
    monthlyTraffic: count.nullable().default(null),
    verified: z.boolean().default(false),
  })
  .meta({ id: 'PublisherBody' })

export const placementState = z.strictObject({
  name,
  format: z.strictObject({ w: pixels, h: pixels }),
  position: text(100).nullable().default(null),
  categories: codes,
  currency: currency.nullable().default(null).meta({
    description: 'What it is sold in by `/serve` (null: USD), and of its floor (null: of the request)',
  }),
  floorCpmMicros: microsFromZero.default(0),
  badv: domains,
  bcat: codes,
  audience: z
    .unknown()
    .refine(value => value === undefined || JSON.stringify(value).length <= 16_384, {
      error: 'must have at most 16384 characters as JSON',
    })
    .default(null)
    .meta({ description: 'Any JSON that describes who is reached' }),
  estimatedMonthlyImpressions: count.nullable().default(null),
})
export const placementBody = placementState
  .extend({ publisherId: z.string().max(40).meta({ example: 'pub_e9' }) })
  .meta({ id: 'PlacementBody' })

export const keyBody = z
  .strictObject({
    role: z.enum(['admin', 'advertiser', 'publisher', 'ingest', 'reader']),
    accountId: z.string().max(40).nullable().default(null),
  })
  .meta({ id: 'KeyBody' })
/** As the command carries it: the HTTP layer has made the secret and kept it. */
export const keyCommand = keyBody.extend({ secretHash: z.string().regex(/^[0-9a-f]{64}$/) })

export const depositBody = z.strictObject({ amountMicros }).meta({ id: 'DepositBody' })
export const refundBody = z
  .strictObject({ reason: text(500), amountMicros: amountMicros.optional() })
  .meta({ id: 'RefundBody' })

export type AdBody = z.output<typeof adState>

/** What an ad's `adomain` is where nobody says. */
export function adomainOf(body: AdBody): readonly string[] {
  if (body.adomain !== undefined) return body.adomain
  const domain = landingDomain(body.landingUrl)
  return domain === null ? [] : [domain]
}
