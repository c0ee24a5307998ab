import { describe, expect, test } from 'bun:test'
import { entityNumber, formatId, parseId } from '../core/ids.ts'
import type { EntityTable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import type { Campaign } from './campaign.ts'
import { commandPartition, type Directory, decideEdit, type Edit, type Entity } from './edit.ts'
import { ADS_MAX, HTML_BYTES_MAX, parseTime } from './edit-schemas.ts'

const NOW = Date.UTC(2026, 10, 1, 12)
const PARTITION = 3
const SECRET_HASH = 'ab'.repeat(32)

/** One partition, as the decider of the log keeps it. */
class World implements Directory {
  readonly stored = new Map<string, Entity>()
  #sequence = 0
  given = 0

  get(kind: EntityTable, number: number): never | undefined {
    return this.stored.get(`${kind} ${number}`) as never | undefined
  }

  decide(name: string, target: string | null, body: unknown, at = NOW) {
    const kind = (['advertiser', 'campaign', 'publisher', 'placement', 'key'] as const).find(
      candidate => target !== null && parseId(candidate, target) !== null,
    )
    const command: Command = {
      requestId: 'request',
      actor: { keyId: 'key_1', role: 'admin', accountId: null },
      at,
      name,
      home: PARTITION,
      target: kind === undefined ? null : parseId(kind, target!),
      body,
    }
    const nextNumber = () => {
      this.given++
      return entityNumber(++this.#sequence, PARTITION)
    }
    return decideEdit(this, command, { now: at, nextNumber })
  }

  edit(name: string, target: string | null, body: unknown, at = NOW): Edit {
    const outcome = this.decide(name, target, body, at)
    if (!outcome.ok) throw new Error(`${name} was refused: ${JSON.stringify(outcome)}`)
    if (outcome.value.changed)
      this.stored.set(`${outcome.value.kind} ${outcome.value.number}`, outcome.value.entity)
    return outcome.value
  }

  make(name: string, body: unknown): string {
    return this.edit(name, null, body).entity.id
  }
}

const IMAGE = { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/a.png' }
const AD = { name: 'Leaderboard', landingUrl: 'https://www.example.com/a?c=${CLICK_ID}', creative: IMAGE }

function world() {
  const all = new World()
  const advertiser = all.make('createAdvertiser', { name: 'Acme', currency: 'EUR' })
  const publisher = all.make('createPublisher', { name: 'Daily' })
  const placement = all.make('createPlacement', {
    publisherId: publisher,
    name: 'Top',
    format: { w: 728, h: 90 },
  })
  const minimal = {
    advertiserId: advertiser,
    name: 'Autumn',
    bid: { model: 'cpc', amountMicros: 250_000 },
    ads: [AD],
  }
  const campaign = all.make('createCampaign', {
    ...minimal,
    budget: { totalMicros: 50_000_000, dailyMicros: 10_000_000 },
    frequencyCap: { impressions: 3, perSeconds: 86_400 },
    pacing: 'even',
  })
  const ad = (all.get('campaign', parseId('campaign', campaign)!) as unknown as Campaign).ads[0]!.id
  const key = all.make('createKey', { role: 'advertiser', accountId: advertiser, secretHash: SECRET_HASH })
  return { all, advertiser, publisher, placement, campaign, ad, key, minimal }
}

describe('a campaign is stored whole', () => {
  test('with the defaults of what was left out', () => {
    const { all, minimal, advertiser } = world()
    const edit = all.edit('createCampaign', null, minimal)
    const id = formatId('campaign', edit.number)
    expect(edit).toMatchObject({ status: 201, kind: 'campaign', action: 'create', version: 1, changed: true })
    expect(edit.owner).toBe(parseId('advertiser', advertiser)!)
    expect(edit.entity as Campaign).toEqual({
      id,
      advertiserId: advertiser,
      name: 'Autumn',
      currency: 'EUR',
      bid: { model: 'cpc', amountMicros: 250_000 },
      budget: { totalMicros: null, dailyMicros: null },
      schedule: { startAt: null, endAt: null, timeZone: 'UTC', dayparts: [] },
      targeting: {
        countries: [],
        regions: [],
        deviceTypes: [],
        placements: [],
        categories: [],
        domains: [],
        segments: [],
      },
      pacing: 'asap',
      frequencyCap: null,
      whenAuthorityLost: 'open',
      paused: false,
      archived: false,
      ads: [
        {
          id: expect.stringMatching(/^ad_/),
          name: 'Leaderboard',
          status: 'active',
          landingUrl: AD.landingUrl,
          adomain: ['example.com'],
          cat: [],
          attr: [],
          creative: IMAGE,
        },
      ] as never,
      createdAt: '2026-11-01T12:00:00.000Z',
      updatedAt: '2026-11-01T12:00:00.000Z',
      version: 1,
    })
  })

  test('with times in UTC and midnight written one way', () => {
    const { all, minimal } = world()
    const schedule = {
      startAt: '2026-11-01T01:30:00+02:00',
      endAt: null,
      timeZone: 'Europe/Berlin',
      dayparts: [{ days: [1], from: '08:00', to: '24:00' }],
    }
    const { entity } = all.edit('createCampaign', null, { ...minimal, schedule })
    expect((entity as Campaign).schedule.startAt).toBe('2026-10-31T23:30:00.000Z')
    expect((entity as Campaign).schedule.dayparts[0]!.to).toBe('00:00')
  })

  test('the same directory, command and numbers give the same edit', () => {
    const [a, b] = [world(), world()]
    expect(a.all.edit('createCampaign', null, a.minimal)).toEqual(
      b.all.edit('createCampaign', null, b.minimal),
    )
  })
})

describe('a merge patch', () => {
  const patch = (body: unknown) => {
    const { all, campaign } = world()
    const edit = all.edit('patchCampaign', campaign, body, NOW + 1000)
    return { edit, campaign: edit.entity as Campaign }
  }

  test('cuts one cap and leaves the other', () => {
    const { campaign, edit } = patch({ budget: { dailyMicros: 5_000_000 } })
    expect(campaign.budget).toEqual({ totalMicros: 50_000_000, dailyMicros: 5_000_000 })
    expect(campaign.pacing).toBe('even')
    expect(campaign.version).toBe(2)
    expect(campaign.updatedAt).toBe('2026-11-01T12:00:01.000Z')
    expect(edit).toMatchObject({ action: 'patch', version: 2, patch: { budget: { dailyMicros: 5_000_000 } } })
  })

  test('null resets to the default', () => {
    expect(patch({ budget: { totalMicros: null } }).campaign.budget).toEqual({
      totalMicros: null,
      dailyMicros: 10_000_000,
    })
    expect(patch({ budget: null }).campaign.budget).toEqual({ totalMicros: null, dailyMicros: null })
    expect(patch({ frequencyCap: null }).campaign.frequencyCap).toBeNull()
    expect(patch({ pacing: null }).campaign.pacing).toBe('asap')
  })

  test('replaces lists whole', () => {
    const { campaign } = patch({ targeting: { countries: ['USA'] } })
    expect(campaign.targeting.countries).toEqual(['USA'])
    expect(campaign.targeting.regions).toEqual([])
  })

  test('that changes nothing stores nothing', () => {
    expect(patch({}).edit).toMatchObject({ changed: false, version: 1 })
    expect(patch({ pacing: 'even' }).edit.changed).toBe(false)
  })

  test('of an ad swaps its creative and derives its domain again', () => {
    const { all, campaign, ad } = world()
    const body = {
      adId: ad,
      patch: { creative: { kind: 'html', html: '<b>a</b>', imageUrl: null }, adomain: null },
    }
    const { entity } = all.edit('patchAd', campaign, body)
    const next = (entity as Campaign).ads[0]!
    expect(next.creative).toEqual({ kind: 'html', w: 728, h: 90, html: '<b>a</b>' })
    expect(next).toMatchObject({ id: ad, name: 'Leaderboard', adomain: ['example.com'] })
  })

  test('reaches every field of a publisher, a placement and an advertiser', () => {
    const { all, publisher, placement, advertiser } = world()
    expect(all.edit('patchPublisher', publisher, { revenueShare: 0.5 }).entity).toMatchObject({
      revenueShare: 0.5,
      version: 2,
    })
    expect(all.edit('patchPublisher', publisher, { revenueShare: null }).entity).toMatchObject({
      revenueShare: 0.8,
    })
    expect(all.edit('patchPlacement', placement, { format: { h: 250 } }).entity).toMatchObject({
      format: { w: 728, h: 250 },
    })
    expect(all.edit('patchAdvertiser', advertiser, { creditLimitMicros: 5 }).entity).toMatchObject({
      creditLimitMicros: 5,
      currency: 'EUR',
    })
  })
})

describe('pause, resume, ads and keys', () => {
  test('pause and resume are idempotent', () => {
    const { all, campaign } = world()
    expect(all.edit('pauseCampaign', campaign, null)).toMatchObject({
      changed: true,
      action: 'pause',
      version: 2,
    })
    expect(all.edit('pauseCampaign', campaign, null)).toMatchObject({
      changed: false,
      status: 200,
      version: 2,
    })
    expect(all.edit('resumeCampaign', campaign, null)).toMatchObject({
      changed: true,
      action: 'resume',
      version: 3,
    })
    expect(all.edit('resumeCampaign', campaign, null).changed).toBe(false)
  })

  test('an added ad is the last, in the partition of its campaign', () => {
    const { all, campaign } = world()
    const edit = all.edit('addAd', campaign, { ...AD, name: 'Second' })
    const ads = (edit.entity as Campaign).ads
    expect(edit.status).toBe(201)
    expect(ads.map(ad => ad.name)).toEqual(['Leaderboard', 'Second'])
    expect(parseId('ad', ads[1]!.id)! % 256).toBe(PARTITION)
  })

  test('a revoked key stays revoked', () => {
    const { all, key } = world()
    expect(all.edit('deleteKey', key, null)).toMatchObject({ status: 204, changed: true, version: 2 })
    expect(all.edit('deleteKey', key, null)).toMatchObject({ status: 204, changed: false })
  })
})

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
    row('a macro as host', 400, 'ads[0].landingUrl', landing('https://${CLICK_ID}/')),
    row('a local landing page', 422, 'ads[0].landingUrl', landing('http://localhost/')),
    row('a loopback landing page', 422, 'ads[0].landingUrl', landing('http://127.0.0.1:8080/')),
    row('loopback written as a number', 422, 'ads[0].landingUrl', landing('http://2130706433/')),
    row('a private landing page', 422, 'ads[0].landingUrl', landing('http://10.1.2.3/')),
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
      'an unknown currency',
      400,
      'currency',
      'createAdvertiser',
      null,
      () => ({ name: 'a', currency: 'XXY' }),
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

test('a command is decided where what it changes lives', () => {
  const partition = (name: string, target: number | null, body: unknown) =>
    commandPartition({ name, requestId: 'r', target, body }, 8)
  expect(partition('patchCampaign', entityNumber(7, 5), {})).toBe(5)
  expect(
    partition('createCampaign', null, { advertiserId: formatId('advertiser', entityNumber(9, 6)) }),
  ).toBe(6)
  expect(partition('createPlacement', null, { publisherId: formatId('publisher', entityNumber(9, 2)) })).toBe(
    2,
  )
  expect(partition('createKey', null, { role: 'admin' })).toBe(0)
  expect(partition('createAdvertiser', null, {})).toBe(partition('createPublisher', null, {}))
  expect(partition('refund', entityNumber(1, 4), { eventId: 'my-click' })).toBe(4)
  expect(partition('refund', entityNumber(1, 4), { eventId: '019a3c00-0000-7000-8000-003000000001' })).toBe(3)
})

test.each([
  ['2026-11-01T00:00:00Z', Date.UTC(2026, 10, 1)],
  ['2026-11-01t00:00:00.123456z', Date.UTC(2026, 10, 1, 0, 0, 0, 123)],
  ['2028-02-29T23:59:59-01:00', Date.UTC(2028, 2, 1, 0, 59, 59)],
  ['2027-02-29T00:00:00Z', null],
  ['2026-13-01T00:00:00Z', null],
  ['2026-11-01', null],
  ['2026-11-01T00:00Z', null],
  ['2026-11-01T00:00:00+25:00', null],
])('%s is the time %p', (text, time) => {
  expect(parseTime(text)).toBe(time)
})
