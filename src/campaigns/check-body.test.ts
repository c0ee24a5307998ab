import { expect, test } from 'bun:test'
import { check } from './check-body.ts'
import { campaignBody, depositBody } from './edit-schemas.ts'

const AD = {
  name: 'a',
  landingUrl: 'https://example.com/',
  creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
}
const campaign = (change: object) => ({
  advertiserId: 'adv_1',
  name: 'c',
  bid: { model: 'cpc', amountMicros: 1 },
  ads: [AD],
  ...change,
})

const SAID: readonly [
  path: string,
  message: string,
  schema: typeof campaignBody | typeof depositBody,
  body: unknown,
][] = [
  ['', 'must be an object', depositBody, []],
  ['amountMicros', 'is required', depositBody, {}],
  ['amountMicros', 'must be a number', depositBody, { amountMicros: '5' }],
  ['amountMicros', 'must be an integer', depositBody, { amountMicros: 1.5 }],
  ['amountMicros', 'must be at least 1', depositBody, { amountMicros: 0 }],
  ['amountMicros', 'must be at most 9007199254740991', depositBody, { amountMicros: 2 ** 53 }],
  ['x', 'unknown field', depositBody, { amountMicros: 1, x: 1 }],
  ['name', 'must be a text', campaignBody, campaign({ name: 7 })],
  ['ads', 'must have at least 1 item', campaignBody, campaign({ ads: [] })],
  [
    'bid.model',
    'must be one of cpc, cpm',
    campaignBody,
    campaign({ bid: { model: 'cpa', amountMicros: 1 } }),
  ],
  [
    'ads[0].creative.kind',
    'must be one of image, html',
    campaignBody,
    campaign({ ads: [{ ...AD, creative: { ...AD.creative, kind: 'video' } }] }),
  ],
  ['targeting.countries', 'must be an array', campaignBody, campaign({ targeting: { countries: 'USA' } })],
  [
    'schedule.dayparts[0].days[0]',
    'must be at least 1',
    campaignBody,
    campaign({ schedule: { dayparts: [{ days: [0], from: '08:00', to: '20:00' }] } }),
  ],
]
test.each(SAID)('%s: %s', (path, message, schema, body) => {
  expect(check<typeof schema>(schema, body)).toEqual({ ok: false, status: 400, errors: [{ path, message }] })
})
