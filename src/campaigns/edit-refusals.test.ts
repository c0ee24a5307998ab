import { describe, expect, test } from 'bun:test'
import { ADS_MAX, HTML_BYTES_MAX } from './edit-schemas.ts'
import { AD, IMAGE, SECRET_HASH, world } from './edit-world.ts'

describe('refused, with the path and without using a number up', () => {
  type Row = [title: string, status: number, path: string | null, name: string, target: Target, body: Change]
  type Target = 'campaign' | 'advertiser' | 'publisher' | 'placement' | 'key' | null
  type Change = (made: ReturnType<typeof world>) => unknown
  const create =
    (change: object): Change =>
    made => ({ ...made.minimal, ...change })
  const ad = (change: object): Change => create({ ads: [{ ...AD, ...change }] })
  const landing = (landingUrl: string): Change => ad({ landingUrl })
  const row = (title: string, status: number, path: string | null, body: Change): Row => [
    title,
    status,
    path,
    'createCampaign',
    null,
    body,
  ]
  const rows: Row[] = [
    row('no body', 400, '', () => null),
    row('an unknown field', 400, 'colour', create({ colour: 'red' })),
    row('an unknown field below', 400, 'ads[0].creative.alt', ad({ creative: { ...IMAGE, alt: '' } })),
    row('no name', 400, 'name', create({ name: undefined })),
    row('an empty name', 400, 'name', create({ name: '' })),
    row('a blank name', 400, 'name', create({ name: '   ' })),
    row('a name over 200 characters', 400, 'name', create({ name: 'é'.repeat(201) })),
    row('a number as name', 400, 'name', create({ name: 5 })),
    row('no bid', 400, 'bid', create({ bid: undefined })),
    row('an unknown model', 400, 'bid.model', create({ bid: { model: 'cpa', amountMicros: 1 } })),
    row('a bid of 0', 400, 'bid.amountMicros', create({ bid: { model: 'cpc', amountMicros: 0 } })),
    row('a bid below 0', 400, 'bid.amountMicros', create({ bid: { model: 'cpc', amountMicros: -1 } })),
    row(
      'a fraction of a micro',
      400,
      'bid.amountMicros',
      create({ bid: { model: 'cpc', amountMicros: 1.5 } }),
    ),
    row('an amount as text', 400, 'bid.amountMicros', create({ bid: { model: 'cpc', amountMicros: '1' } })),
    row(
      'an amount of 2^53',
      400,
      'bid.amountMicros',
      create({ bid: { model: 'cpc', amountMicros: 2 ** 53 } }),
    ),
    row('a daily budget of 0', 400, 'budget.dailyMicros', create({ budget: { dailyMicros: 0 } })),
    row(
      'a time without offset',
      400,
      'schedule.startAt',
      create({ schedule: { startAt: '2026-11-01T00:00:00' } }),
    ),
    row('30 February', 400, 'schedule.endAt', create({ schedule: { endAt: '2026-02-30T00:00:00Z' } })),
    row(
      'an end before its start',
      422,
      'schedule.endAt',
      create({ schedule: { startAt: '2026-11-02T00:00:00Z', endAt: '2026-11-01T00:00:00Z' } }),
    ),
    row(
      'an end at its start',
      422,
      'schedule.endAt',
      create({ schedule: { startAt: '2026-11-01T00:00:00Z', endAt: '2026-11-01T01:00:00+01:00' } }),
    ),
    row('an offset as zone', 400, 'schedule.timeZone', create({ schedule: { timeZone: '+01:00' } })),
    row(
      'an eighth day',
      400,
      'schedule.dayparts[0].days[0]',
      create({ schedule: { dayparts: [{ days: [8], from: '08:00', to: '09:00' }] } }),
    ),
    row(
      'an hour of 25',
      400,
      'schedule.dayparts[0].from',
      create({ schedule: { dayparts: [{ days: [1], from: '25:00', to: '09:00' }] } }),
    ),
    row(
      'a country that is none',
      400,
      'targeting.countries[1]',
      create({ targeting: { countries: ['USA', 'XXX'] } }),
    ),
    row('an alpha-2 country', 400, 'targeting.countries[0]', create({ targeting: { countries: ['US'] } })),
    row(
      'a region that is none',
      400,
      'targeting.regions[0]',
      create({ targeting: { regions: ['Wisconsin'] } }),
    ),
    row(
      'an unknown device',
      400,
      'targeting.deviceTypes[0]',
      create({ targeting: { deviceTypes: ['fridge'] } }),
    ),
    row('an unknown pacing', 400, 'pacing', create({ pacing: 'fast' })),
    row(
      'a cap without its span',
      400,
      'frequencyCap.perSeconds',
      create({ frequencyCap: { impressions: 1 } }),
    ),
    row('no ads', 400, 'ads', create({ ads: [] })),
    row('ads over the limit', 400, 'ads', create({ ads: Array(ADS_MAX + 1).fill(AD) })),
    row('a script as landing page', 400, 'ads[0].landingUrl', landing('javascript:alert(1)')),
    row('a document as landing page', 400, 'ads[0].landingUrl', landing('data:text/html,x')),
    row('a landing page without scheme', 400, 'ads[0].landingUrl', landing('//example.com')),
    row(
      'a line break in a landing page',
      400,
      'ads[0].landingUrl',
      landing('https://example.com/\r\nSet-Cookie: a=b'),
    ),
    row('a user in a landing page', 400, 'ads[0].landingUrl', landing('https://example.com@evil.example/')),
    row('a password in a landing page', 400, 'ads[0].landingUrl', landing('https://:secret@example.com/')),
    row('a macro as host', 400, 'ads[0].landingUrl', landing('https://${CLICK_ID}/')),
    row('a local landing page', 422, 'ads[0].landingUrl', landing('http://localhost/')),
    row('a loopback landing page', 422, 'ads[0].landingUrl', landing('http://127.0.0.1:8080/')),
    row('loopback written as a number', 422, 'ads[0].landingUrl', landing('http://2130706433/')),
    row('a private landing page', 422, 'ads[0].landingUrl', landing('http://10.1.2.3/')),
    row('a local landing page with a dot behind it', 422, 'ads[0].landingUrl', landing('http://localhost./')),
    row('a landing page of the own network', 422, 'ads[0].landingUrl', landing('http://printer.local/')),
    row('a landing page of a cloud inside', 422, 'ads[0].landingUrl', landing('http://metadata.internal/')),
    row('an IPv6 loopback', 422, 'ads[0].landingUrl', landing('http://[::1]/')),
    row(
      'a script as image',
      400,
      'ads[0].creative.imageUrl',
      ad({ creative: { ...IMAGE, imageUrl: 'javascript:1' } }),
    ),
    row(
      'an unknown creative',
      400,
      'ads[0].creative.kind',
      ad({ creative: { kind: 'hologram', w: 1, h: 1 } }),
    ),
    row('a width of 0', 400, 'ads[0].creative.w', ad({ creative: { ...IMAGE, w: 0 } })),
    row(
      'HTML over its limit',
      400,
      'ads[0].creative.html',
      ad({ creative: { kind: 'html', w: 1, h: 1, html: 'é'.repeat(HTML_BYTES_MAX / 2 + 1) } }),
    ),
    row('an advertiser that is not there', 422, 'advertiserId', create({ advertiserId: 'adv_zzz' })),
    row("a publisher's id for an advertiser's", 422, 'advertiserId', made => ({
      ...made.minimal,
      advertiserId: made.publisher,
    })),
    row(
      'more than a record holds',
      422,
      'ads',
      create({
        ads: Array(20).fill({
          ...AD,
          creative: { kind: 'html', w: 1, h: 1, html: 'x'.repeat(HTML_BYTES_MAX) },
        }),
      }),
    ),
    ['a patch that is no object', 400, '', 'patchCampaign', 'campaign', () => []],
    ['a patch of an unknown field', 400, 'colour', 'patchCampaign', 'campaign', () => ({ colour: 'red' })],
    [
      'a patch of an unknown field by null',
      400,
      'colour',
      'patchCampaign',
      'campaign',
      () => ({ colour: null }),
    ],
    ['a patch of an id', 422, 'id', 'patchCampaign', 'campaign', () => ({ id: 'cmp_1' })],
    [
      'a patch of the advertiser',
      422,
      'advertiserId',
      'patchCampaign',
      'campaign',
      () => ({ advertiserId: 'adv_1' }),
    ],
    ['a patch of the ads', 422, 'ads', 'patchCampaign', 'campaign', () => ({ ads: [] })],
    ['a patch of the status', 422, 'status', 'patchCampaign', 'campaign', () => ({ status: 'paused' })],
    ['a reset of what has no default', 400, 'name', 'patchCampaign', 'campaign', () => ({ name: null })],
    [
      'a patch of the currency',
      422,
      'currency',
      'patchAdvertiser',
      'advertiser',
      () => ({ currency: 'USD' }),
    ],
    ['a share above 1', 400, 'revenueShare', 'patchPublisher', 'publisher', () => ({ revenueShare: 1.01 })],
    [
      'a patch of the publisher',
      422,
      'publisherId',
      'patchPlacement',
      'placement',
      () => ({ publisherId: 'pub_1' }),
    ],
    ['a campaign that is not there', 404, null, 'patchCampaign', null, () => ({ name: 'a' })],
    ['an ad that is not there', 404, null, 'patchAd', 'campaign', () => ({ adId: 'ad_zz', patch: {} })],
    [
      'a patch of the ad id',
      422,
      'id',
      'patchAd',
      'campaign',
      made => ({ adId: made.ad, patch: { id: 'ad_1' } }),
    ],
    [
      'a patch of what no creative has, by null',
      400,
      'creative.alt',
      'patchAd',
      'campaign',
      made => ({ adId: made.ad, patch: { creative: { alt: null } } }),
    ],
    [
      'an unknown currency',
      400,
      'currency',
      'createAdvertiser',
      null,
      () => ({ name: 'a', currency: 'XXY' }),
    ],
    [
      'an unknown currency of a placement',
      400,
      'currency',
      'createPlacement',
      null,
      made => ({ publisherId: made.publisher, name: 'a', format: { w: 1, h: 1 }, currency: 'eur' }),
    ],
    ['a broken address', 400, 'email', 'createAdvertiser', null, () => ({ name: 'a', email: 'a' })],
    [
      'a credit below 0',
      400,
      'creditLimitMicros',
      'createAdvertiser',
      null,
      () => ({ name: 'a', creditLimitMicros: -1 }),
    ],
    [
      'a share below 0',
      400,
      'revenueShare',
      'createPublisher',
      null,
      () => ({ name: 'a', revenueShare: -0.1 }),
    ],
    [
      'a share too fine',
      400,
      'revenueShare',
      'createPublisher',
      null,
      () => ({ name: 'a', revenueShare: 1 / 3 }),
    ],
    [
      'a URL as domain',
      400,
      'domain',
      'createPublisher',
      null,
      () => ({ name: 'a', domain: 'https://example.com' }),
    ],
    [
      'a placement without format',
      400,
      'format',
      'createPlacement',
      null,
      made => ({ publisherId: made.publisher, name: 'a' }),
    ],
    [
      'a publisher that is not there',
      422,
      'publisherId',
      'createPlacement',
      null,
      () => ({ publisherId: 'pub_zz', name: 'a', format: { w: 1, h: 1 } }),
    ],
    ['an unknown role', 400, 'role', 'createKey', null, () => ({ role: 'root', secretHash: SECRET_HASH })],
    [
      'an advertiser key for nobody',
      422,
      'accountId',
      'createKey',
      null,
      () => ({ role: 'advertiser', secretHash: SECRET_HASH }),
    ],
    [
      'a publisher key for an advertiser',
      422,
      'accountId',
      'createKey',
      null,
      made => ({ role: 'publisher', accountId: made.advertiser, secretHash: SECRET_HASH }),
    ],
    [
      'an ingest key for a publisher',
      422,
      'accountId',
      'createKey',
      null,
      made => ({ role: 'ingest', accountId: made.publisher, secretHash: SECRET_HASH }),
    ],
    [
      'an admin key with an account',
      422,
      'accountId',
      'createKey',
      null,
      made => ({ role: 'admin', accountId: made.advertiser, secretHash: SECRET_HASH }),
    ],
    [
      'a key for an account that is not there',
      422,
      'accountId',
      'createKey',
      null,
      () => ({ role: 'reader', accountId: 'adv_zz', secretHash: SECRET_HASH }),
    ],
  ]
  test.each(rows)('%s: %d at %p', (_title, status, path, name, target, body) => {
    const made = world()
    const before = made.all.given
    const outcome = made.all.decide(name, target === null ? null : made[target], body(made))
    expect(outcome).toMatchObject({ ok: false, status })
    if (outcome.ok) return
    if (path !== null) expect(outcome.errors.map(error => error.path)).toContain(path)
    expect(made.all.given).toBe(before)
  })

  test.each(['patchCampaign', 'pauseCampaign', 'resumeCampaign', 'addAd', 'patchAd'])(
    'an archived campaign: %s is 409',
    name => {
      const { all, campaign, ad } = world()
      all.edit('patchCampaign', campaign, { archived: true })
      const bodies: Record<string, unknown> = {
        patchCampaign: { name: 'b' },
        addAd: AD,
        patchAd: { adId: ad, patch: { name: 'b' } },
      }
      expect(all.decide(name, campaign, bodies[name] ?? null)).toMatchObject({ ok: false, status: 409 })
    },
  )
})
