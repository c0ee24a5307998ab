import { describe, expect, test } from 'bun:test'
import { entityNumber, formatId, parseId } from '../core/ids.ts'
import type { Campaign } from './campaign.ts'
import { commandPartition } from './edit.ts'
import { ADS_MAX, HTML_BYTES_MAX, parseTime } from './edit-schemas.ts'
import { AD, IMAGE, NOW, PARTITION, world } from './edit-world.ts'

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

  test('with times in UTC, and dayparts as they were said', () => {
    const { all, minimal } = world()
    const schedule = {
      startAt: '2026-11-01T01:30:00+02:00',
      endAt: null,
      timeZone: 'Europe/Berlin',
      dayparts: [{ days: [1], from: '08:00', to: '24:00' }],
    }
    const { entity } = all.edit('createCampaign', null, { ...minimal, schedule })
    expect((entity as Campaign).schedule.startAt).toBe('2026-10-31T23:30:00.000Z')
    expect((entity as Campaign).schedule.dayparts).toEqual(schedule.dayparts)
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

  test('of an account or a placement that changes nothing leaves its version', () => {
    const { all, publisher, placement, advertiser } = world()
    for (const [name, target] of [
      ['patchAdvertiser', advertiser],
      ['patchPublisher', publisher],
      ['patchPlacement', placement],
    ] as const) {
      expect(all.edit(name, target, {})).toMatchObject({ changed: false, version: 1, entity: { version: 1 } })
    }
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
    // A client that had no answer sends it again.
    expect(all.edit('patchAd', campaign, body)).toMatchObject({ status: 200, changed: false })
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
    expect(all.edit('patchPlacement', placement, { currency: 'EUR' }).entity).toMatchObject({
      currency: 'EUR',
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

  test('a campaign of the largest size is paused, resumed, cut down and ended, and made no larger', () => {
    const { all, minimal } = world()
    // As it was said it is within the limit; with what was left out of it, which is kept, it is above.
    const html = 'x'.repeat(65_500)
    const large = { ...AD, creative: { kind: 'html', w: 1, h: 1, html } }
    const bodyOf = (last: string) => ({
      ...minimal,
      ads: [...new Array(11).fill(large), { ...large, creative: { ...large.creative, html: last } }],
    })
    const room = 786_432 - JSON.stringify(bodyOf('')).length
    const made = all.edit('createCampaign', null, bodyOf('x'.repeat(room))).entity as Campaign
    const { id, ads } = made
    expect(JSON.stringify(made).length).toBeGreaterThan(786_432)
    const inAd = (creative: object) => ({ adId: ads[0]!.id, patch: { creative } })
    const refused = { ok: false, status: 422 }
    expect(all.decide('patchCampaign', id, { name: 'A longer name' })).toMatchObject(refused)
    expect(all.decide('patchAd', id, inAd({ html: `${html}x` }))).toMatchObject(refused)
    expect(all.decide('addAd', id, AD)).toMatchObject(refused)
    for (const name of ['pauseCampaign', 'resumeCampaign']) {
      expect(all.edit(name, id, null)).toMatchObject({ status: 200, changed: true })
    }
    expect(all.edit('patchCampaign', id, { name: 'A' })).toMatchObject({ status: 200, changed: true })
    expect(all.edit('patchCampaign', id, { archived: true })).toMatchObject({ status: 200, changed: true })
  })

  test('an added ad is the last, in the partition of its campaign', () => {
    const { all, campaign } = world()
    const edit = all.edit('addAd', campaign, { ...AD, name: 'Second' })
    const ads = (edit.entity as Campaign).ads
    expect(edit.status).toBe(201)
    expect(ads.map(ad => ad.name)).toEqual(['Leaderboard', 'Second'])
    expect(parseId('ad', ads[1]!.id)! % 256).toBe(PARTITION)
  })

  test('a campaign has as many ads as it may have, those that are archived apart', () => {
    const { all, campaign, ad } = world()
    for (let ads = 1; ads < ADS_MAX; ads++) all.edit('addAd', campaign, AD)
    expect(all.decide('addAd', campaign, AD)).toMatchObject({ ok: false, status: 422 })
    all.edit('patchAd', campaign, { adId: ad, patch: { status: 'archived' } })
    expect(all.decide('addAd', campaign, AD)).toMatchObject({ ok: true })
  })

  test('a campaign that would not fit a record is not made so by an ad, nor by a patch of one', () => {
    const { all, campaign } = world()
    const large = { kind: 'html', w: 1, h: 1, html: 'x'.repeat(HTML_BYTES_MAX) }
    for (let ads = 0; ads < 11; ads++) all.edit('addAd', campaign, { ...AD, creative: large })
    const small = all.edit('addAd', campaign, AD).entity as Campaign
    const patch = { creative: { ...large, imageUrl: null } }
    const refusal = { ok: false, status: 422, errors: [{ path: 'ads' }] }
    expect(all.decide('patchAd', campaign, { adId: small.ads.at(-1)!.id, patch })).toMatchObject(refusal)
    expect(all.decide('addAd', campaign, { ...AD, creative: large })).toMatchObject(refusal)
  })

  test('a revoked key stays revoked', () => {
    const { all, key } = world()
    expect(all.edit('deleteKey', key, null)).toMatchObject({ status: 204, changed: true, version: 2 })
    expect(all.edit('deleteKey', key, null)).toMatchObject({ status: 204, changed: false })
  })
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
  expect(partition('refund', entityNumber(1, 4), { eventId: '019a3c00-0000-7000-8000-003000000001' })).toBe(4)
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
