import { expect, test } from 'bun:test'
import { ALWAYS, CREATED_AT, plainAd, plainCampaign, randomFrom } from '../../test/random-campaigns.ts'
import { formatId, parseId } from '../core/ids.ts'
import type { Campaign, CampaignMoney, CatalogChange } from './campaign.ts'
import { CatalogBuilder, CLOSES_EARLY_MS, stopBits } from './catalog.ts'
import { newSharedColumns, Stop } from './catalog-columns.ts'
import { CatalogReader } from './catalog-reader.ts'
import { newNumberTable, rowOf } from './catalog-table.ts'
import { CatalogText, CHUNK_BYTES } from './catalog-text.ts'
import { hash53, hash53Lowered } from './targeting.ts'

const NOW = CREATED_AT + 86_400_000
const funded = (campaign: Campaign): CatalogChange => ({
  kind: 'campaign',
  campaign,
  money: { stopped: null },
})

function open(count: number, bounds?: ConstructorParameters<typeof CatalogBuilder>[1]) {
  const shared = newSharedColumns()
  const builder = new CatalogBuilder(shared, bounds)
  const reader = new CatalogReader()
  builder.apply(
    Array.from({ length: count }, (_, i) => funded(plainCampaign(i + 1))),
    NOW,
  )
  reader.install(builder.build(NOW)!)
  return { shared, builder, reader }
}

test('a change is a delta on the base, and nothing new is no snapshot', () => {
  const { builder, reader } = open(10)
  expect(builder.build(NOW)).toBeNull()
  builder.apply([funded(plainCampaign(11))], NOW)
  const delta = builder.build(NOW)!
  expect(delta.kind).toBe('delta')
  expect(reader.slotOf(11 * 256)).toBe(-1)
  expect(reader.install(delta)).toBe(true)
  expect(reader.slotOf(11 * 256)).toBe(10)
  expect(reader.install(delta)).toBe(false)
  expect(builder.build(NOW)).toBeNull()
})

test('slots stay, through edits and bases, and are found by number', () => {
  const { builder, reader, shared } = open(10, {
    deltaCampaignsMax: 3,
    stoppedListedMax: 100,
    portionCampaigns: 100,
  })
  for (const sequence of [3, 5, 7, 9]) builder.apply([funded(plainCampaign(sequence, { version: 2 }))], NOW)
  const base = builder.build(NOW)!
  expect(base.kind).toBe('base')
  reader.install(base)
  for (let i = 1; i <= 10; i++) {
    expect(reader.slotOf(i * 256)).toBe(i - 1)
    expect(shared.campaignNumbers[i - 1]).toBe(i * 256)
  }
})

test('a click finds its landing page for an ad that is paused, archived or of a stopped campaign', () => {
  const { builder, reader } = open(1)
  const ads = (['active', 'paused', 'archived'] as const).map((status, place) => {
    return plainAd(2, place, { status, landingUrl: `https://example.com/${status}/straße` })
  })
  builder.apply([funded(plainCampaign(2, { ads, paused: true }))], NOW)
  reader.install(builder.build(NOW)!)
  const numbers = [16, 17, 18].map(sequence => sequence * 256)
  expect(numbers.map(number => reader.landingUrlOf(number))).toEqual(ads.map(ad => ad.landingUrl))
  expect(reader.detailOf(numbers[2]!)).toMatchObject({
    adId: ads[2]!.id,
    campaignId: formatId('campaign', 512),
  })
  expect(reader.landingUrlOf(99)).toBeNull()
})

test('money stops a campaign at once through its column, and brings it back', () => {
  const { builder, shared } = open(2)
  builder.apply(
    [{ kind: 'money', campaignId: formatId('campaign', 256), money: { stopped: 'exhausted' } }],
    NOW,
  )
  expect(shared.stopped[0]).toBe(Stop.money)
  expect(builder.build(NOW)).toBeNull()
  builder.apply([{ kind: 'money', campaignId: formatId('campaign', 256), money: { stopped: null } }], NOW)
  expect(shared.stopped[0]).toBe(0)
})

test('a campaign that was left out while it was stopped is listed once it may be chosen', () => {
  const { builder, reader, shared } = open(1)
  const startAt = new Date(NOW + 5000).toISOString()
  builder.apply([funded(plainCampaign(2, { schedule: { ...ALWAYS, startAt } }))], NOW)
  const before = builder.build(NOW)!
  reader.install(before)
  expect(shared.stopped[1]).toBe(Stop.scheduled)
  expect(before.lists.offers.length).toBe(0)
  builder.refresh(NOW + 4999)
  expect(builder.build(NOW + 4999)).toBeNull()
  builder.refresh(NOW + 5000)
  expect(shared.stopped[1]).toBe(0)
  expect(builder.build(NOW + 5000)!.lists.offers.length).toBe(1)
})

test('schedules, money, edits and a clock that is set stop and wake campaigns within the next second', () => {
  const { builder, shared } = open(0)
  const random = randomFrom(7)
  const hour = (at: number) => `${String(at % 24).padStart(2, '0')}:00`
  const at = (shift: number) => new Date(NOW + shift).toISOString()
  const drawn = (sequence: number): Campaign => {
    const first = Math.floor(random() * 24)
    const dayparts = [{ days: [1, 2, 3, 4, 5, 6, 7], from: hour(first), to: hour(first + 1) }]
    const schedules = [
      ALWAYS,
      { ...ALWAYS, startAt: at(3600_000 * random()) },
      { ...ALWAYS, endAt: at(7200_000 * random()) },
      { ...ALWAYS, timeZone: 'Asia/Kathmandu', dayparts },
    ]
    return plainCampaign(sequence, { schedule: schedules[sequence % 4]!, paused: random() < 0.1 })
  }
  const money = new Map<number, CampaignMoney>()
  const campaigns = new Map<number, Campaign>()
  const put = (campaign: Campaign, now: number) => {
    const number = parseId('campaign', campaign.id)!
    campaigns.set(number, campaign)
    if (!money.has(number)) money.set(number, { stopped: null })
    builder.apply([{ kind: 'campaign', campaign, money: money.get(number)! }], now)
  }
  for (let sequence = 1; sequence <= 60; sequence++) put(drawn(sequence), NOW)
  builder.build(NOW)
  let now = NOW
  for (let second = 0; second < 9000; second++) {
    now += random() < 0.001 ? Math.floor((random() - 0.5) * 7200_000) : 1000
    const number = 256 * (1 + Math.floor(random() * 60))
    if (random() < 0.01) put({ ...drawn(number / 256), version: second + 2 }, now)
    if (random() < 0.01) {
      money.set(number, { stopped: random() < 0.5 ? null : 'exhausted' })
      builder.apply(
        [{ kind: 'money', campaignId: formatId('campaign', number), money: money.get(number)! }],
        now,
      )
    }
    builder.refresh(now)
    for (const [of, campaign] of campaigns) {
      const stopped = shared.stopped[builder.of(of)!.slot]!
      const bits = (at: number) => stopBits(campaign, money.get(of)!, at)
      if (stopped !== (bits(now) || bits(now + CLOSES_EARLY_MS)))
        throw new Error(`campaign ${of} in second ${second}`)
    }
  }
})

const AT = (shift: number) => new Date(NOW + shift).toISOString()
const MINUTE_OF_NOW = NOW - (NOW % 60_000)
const clockTime = (at: number) => new Date(at).toISOString().slice(11, 16)
test.each([
  ['a start and an end', { ...ALWAYS, startAt: AT(12_345), endAt: AT(78_901) }],
  [
    'a daypart',
    {
      ...ALWAYS,
      dayparts: [
        {
          days: [1, 2, 3, 4, 5, 6, 7],
          from: clockTime(MINUTE_OF_NOW + 60_000),
          to: clockTime(MINUTE_OF_NOW + 120_000),
        },
      ],
    },
  ],
])('a campaign may never be chosen outside %s, however late the builder looks', (_, schedule) => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomFrom(seed)
    const { builder, shared } = open(0)
    const campaign = plainCampaign(1, { schedule })
    builder.apply([{ kind: 'campaign', campaign, money: { stopped: null } }], NOW)
    builder.build(NOW)
    const { slot } = builder.of(parseId('campaign', campaign.id)!)!
    let openMs = 0
    for (let now = NOW; now < NOW + 200_000; ) {
      builder.turn(now)
      // Every 50 ms; a base in the making holds it up.
      const next = now + (random() < 0.1 ? 50 + Math.floor(random() * 250) : 50)
      if (shared.stopped[slot] === 0) {
        openMs += next - now
        for (const at of [now, next - 1]) {
          if (stopBits(campaign, { stopped: null }, at) !== 0) throw new Error(`seed ${seed}: open at ${at}`)
        }
      }
      now = next
    }
    const wholeMs = schedule.dayparts.length > 0 ? 60_000 : 66_556
    expect(openMs).toBeGreaterThanOrEqual(wholeMs - 2 * CLOSES_EARLY_MS)
  }
})

test('lists are built anew without the stopped once there are too many of them', () => {
  const { builder, reader } = open(20, { deltaCampaignsMax: 100, stoppedListedMax: 5, portionCampaigns: 100 })
  for (let i = 1; i <= 5; i++) {
    builder.apply(
      [{ kind: 'money', campaignId: formatId('campaign', i * 256), money: { stopped: 'exhausted' } }],
      NOW,
    )
  }
  expect(builder.build(NOW)).toBeNull()
  builder.apply(
    [{ kind: 'money', campaignId: formatId('campaign', 6 * 256), money: { stopped: 'unfunded' } }],
    NOW,
  )
  const base = builder.build(NOW)!
  expect(base.kind).toBe('base')
  expect(base.lists.offers.length).toBe(14)
  reader.install(base)
  expect(reader.landingUrlOf(8 * 256)).not.toBeNull()
  expect(builder.build(NOW)).toBeNull()
})

test('edits are seen while a base is built in portions, and after it none is older than before', () => {
  const { builder, reader } = open(100, { deltaCampaignsMax: 10, stoppedListedMax: 100, portionCampaigns: 7 })
  const landing = (version: number) => `https://example.com/v${version}`
  const edit = (version: number) => {
    builder.apply(
      [funded(plainCampaign(50, { version, ads: [plainAd(50, 0, { landingUrl: landing(version) })] }))],
      NOW,
    )
  }
  for (let i = 1; i <= 11; i++) builder.apply([funded(plainCampaign(i, { version: 2 }))], NOW)
  let bases = 0
  for (let version = 2; version < 40; version++) {
    edit(version)
    const snapshot = builder.build(NOW)!
    if (snapshot.kind === 'base') bases++
    reader.install(structuredClone(snapshot))
    expect(reader.landingUrlOf(400 * 256)).toBe(landing(version))
  }
  expect(bases).toBe(1)
})

test('a held campaign is not chosen until its version is here, even one that is new', () => {
  const { builder, reader } = open(2)
  reader.hold(256, 2)
  reader.hold(3 * 256, 2)
  expect(reader.held[0]).toBe(1)
  builder.apply([funded(plainCampaign(3))], NOW)
  reader.install(builder.build(NOW)!)
  expect([reader.held[0], reader.held[2]]).toEqual([1, 1])
  builder.apply(
    [funded(plainCampaign(1, { version: 2, paused: true })), funded(plainCampaign(3, { version: 2 }))],
    NOW,
  )
  reader.install(builder.build(NOW)!)
  expect([reader.held[0], reader.held[2]]).toEqual([0, 0])
})

test('an older version than the one that is known is left aside', () => {
  const { builder, reader } = open(1)
  builder.apply(
    [funded(plainCampaign(1, { version: 3, ads: [plainAd(1, 0, { landingUrl: 'https://a.example/3' })] }))],
    NOW,
  )
  builder.apply(
    [funded(plainCampaign(1, { version: 2, ads: [plainAd(1, 0, { landingUrl: 'https://a.example/2' })] }))],
    NOW,
  )
  reader.install(builder.build(NOW)!)
  expect(reader.landingUrlOf(8 * 256)).toBe('https://a.example/3')
})

test('an ad is laid out anew when its click rate leaves its bound', () => {
  const shared = newSharedColumns()
  const builder = new CatalogBuilder(shared)
  builder.apply([funded(plainCampaign(1, { bid: { model: 'cpc', amountMicros: 250_000 } }))], NOW)
  expect(builder.build(NOW)!.lists.bounds[0]).toBe(300_000)
  shared.clickRatePpb[0] = 1_050_000
  builder.refresh(NOW)
  expect(builder.build(NOW)).toBeNull()
  shared.clickRatePpb[0] = 3_000_000
  builder.refresh(NOW)
  expect(builder.build(NOW)!.lists.bounds[0]).toBe(900_000)
})

test('an offer of several ads stands where the best of them could', () => {
  const shared = newSharedColumns()
  const builder = new CatalogBuilder(shared)
  shared.clickRatePpb.set([1_000_000, 4_000_000, 2_000_000])
  const ads = [0, 1, 2].map(place => plainAd(1, place))
  builder.apply([funded(plainCampaign(1, { ads, bid: { model: 'cpc', amountMicros: 250_000 } }))], NOW)
  expect([...builder.build(NOW)!.lists.bounds]).toEqual([1_200_000])
})

test('texts in use are moved out of chunks that are mostly dead', () => {
  const text = new CatalogText()
  const kept = text.add('https://a.example/ü', '{"kept":true}')
  for (let i = 0; i < 20; i++) text.forget(text.add('x'.repeat(CHUNK_BYTES / 4), ''))
  expect(text.isWasteful).toBe(true)
  const moved = new CatalogText()
  const place = moved.adopt(kept)
  expect(place.chunk).not.toBe(kept.chunk)
  expect(new TextDecoder().decode(place.chunk.slice(place.start, place.start + place.landingBytes))).toBe(
    'https://a.example/ü',
  )
  expect(moved.isWasteful).toBe(false)
})

test('every number is found in its row, and no other', () => {
  const random = randomFrom(7)
  const numbers = Float64Array.from(
    new Set(Array.from({ length: 5000 }, () => 1 + Math.floor(random() * 2 ** 47))),
  )
  const table = newNumberTable(numbers)
  numbers.forEach((number, row) => {
    expect(rowOf(table, number)).toBe(row)
  })
  for (let i = 0; i < 1000; i++) expect(rowOf(table, 2 ** 47 + 1 + i)).toBe(-1)
  expect(rowOf(table, 0)).toBe(-1)
})

test('hashes of different texts differ, and a suffix hashes as the text that it is', () => {
  const texts = Array.from({ length: 200_000 }, (_, i) => `www.site${i}.example`)
  expect(new Set(texts.map(text => hash53(text))).size).toBe(texts.length)
  expect(hash53('a.example.com', 2)).toBe(hash53('example.com'))
})

test('a text hashes as its lower case, whatever its letters', () => {
  for (let unit = 0; unit <= 0xffff; unit++) {
    const text = `Shop${String.fromCharCode(unit)}.EXAMPLE`
    if (hash53Lowered(text) !== hash53(text.toLowerCase())) throw new Error(`unit ${unit}`)
  }
  expect(hash53Lowered('')).toBe(hash53(''))
})

test("an ad's slot is found at the ad's own place in its campaign, however its ads are laid out", () => {
  const builder = new CatalogBuilder(newSharedColumns())
  const size = (w: number, h: number) => ({ kind: 'image' as const, w, h, imageUrl: 'https://a.b/c.png' })
  const ads = [
    plainAd(1, 0, { status: 'paused' }),
    plainAd(1, 1, { creative: size(728, 90) }),
    plainAd(1, 2, { creative: size(300, 250) }),
  ]
  builder.apply([{ kind: 'campaign', campaign: plainCampaign(1, { ads }), money: { stopped: null } }], 0)
  const reader = new CatalogReader()
  reader.install(builder.build(0)!)
  const [known] = [...builder.all()]
  expect(known!.adSlots).toEqual(ads.map(({ id }) => reader.adSlotOf(parseId('ad', id)!)))
})
