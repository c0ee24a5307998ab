import { afterAll, beforeAll, expect, test } from 'bun:test'
import { eventually, Installation, type Json, runFarthing, type Scene } from './installation.ts'

const TEST_MS = 20_000
const PRICE = 100_000
/** A click sooner after its impression is not a person's. */
const HUMAN_MS = 650

let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start()
})
afterAll(async () => farthing?.remove())

function guarantee(title: string, body: () => Promise<void>): void {
  test(title, body, TEST_MS)
}

const at = (shiftMs = 0) => new Date(Date.now() + shiftMs).toISOString()
const click = (scene: Scene, change: Json = {}) => ({
  click_id: `c-${crypto.randomUUID()}`,
  ad_id: scene.adId,
  timestamp: at(-1000),
  ...change,
})
const cpc = (change: Json = {}) => farthing.campaign({ model: 'cpc', amountMicros: PRICE }, change)
const send = (body: unknown) => farthing.must(202, 'POST', '/events/click', body)

async function counted(scene: Scene, field: 'clicks' | 'impressions', least: number): Promise<Json> {
  const path = `/aggregates?ad_id=${scene.adId}&start=${at(-86_400_000)}&end=${at(86_400_000)}&granularity=day`
  const sum = (rows: Json) => rows.reduce((total: number, row: Json) => total + row[field], 0)
  const rows = await eventually(
    () => farthing.must(200, 'GET', path),
    answer => sum(answer) >= least,
  )
  return { count: sum(rows), spend: rows.reduce((total: number, row: Json) => total + Number(row.spend), 0) }
}

function uuid7(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${crypto.randomUUID().slice(-12)}`
}

const IDS: readonly (readonly [name: string, id: () => string])[] = [
  ['a random UUID', () => crypto.randomUUID()],
  ['a UUID of version 7', uuid7],
  ['an emoji and letters of two scripts', () => `👩‍🚀 клик e\u0301 ${crypto.randomUUID()}`],
  ['slashes, quotes and control characters', () => `a/b?"\\\n\t\u0000${crypto.randomUUID()}`],
  ['as long as one may be', () => crypto.randomUUID().repeat(6).slice(0, 200)],
]
// Landing pages are given it for ${CLICK_ID}, and servers behind them report what they are given.
guarantee(
  'a click that its server reports, too, under the id of its impression is charged once',
  async () => {
    const scene = await cpc()
    const served = await farthing.serve(scene)
    await farthing.browse(served.impressionUrl)
    await Bun.sleep(HUMAN_MS)
    const report = click(scene, { click_id: served.impressionId })
    const answer = await farthing.call('POST', '/events/click', report)
    expect([answer.status, answer.body.errors]).toEqual([
      400,
      [{ path: 'click_id', message: expect.any(String), code: 'conflict' }],
    ])
    await farthing.browse(served.clickUrl)
    await farthing.chargeIn(served.impressionId, 'charged')
    await farthing.kill()
    await farthing.restart()
    expect((await farthing.call('POST', '/events/click', report)).status).toBe(400)
    const { impressionId: impression_id } = served
    const event = { ad_id: scene.adId, timestamp: at(), impression_id }
    expect(await farthing.must(202, 'POST', '/events/impression', [event])).toMatchObject({
      accepted: 0,
      refused: [{ index: 0, impression_id, code: 'conflict' }],
    })
    expect(await counted(scene, 'clicks', 1)).toEqual({ count: 1, spend: PRICE / 1e6 })
  },
)

guarantee('an id of any text is charged, found with its history, counted once, and refunded', async () => {
  const scene = await cpc({ budget: { dailyMicros: PRICE * 10 } })
  for (const [name, made] of IDS) {
    const event = click(scene, { click_id: made() })
    await send(event)
    const charge = await farthing.chargeIn(event.click_id, 'charged')
    expect([name, charge?.amountMicros, charge?.history.map((state: Json) => state.state)]).toEqual([
      name,
      PRICE,
      ['reserved', 'charged'],
    ])
    await send([event, event])
    const again = await eventually(
      () => farthing.charge(event.click_id),
      found => found?.duplicates === 2,
    )
    expect([name, again.duplicates, again.amountMicros]).toEqual([name, 2, PRICE])
    const path = `/v1/charges/${encodeURIComponent(event.click_id)}/refund`
    const refund = await farthing.call('POST', path, { reason: 'goodwill' })
    expect([name, refund.status]).toEqual([name, 201])
    expect((await farthing.charge(event.click_id)).state).toBe('refunded')
    const campaign = await farthing.must(200, 'GET', `/v1/campaigns/${scene.campaignId}`)
    expect(campaign).toMatchObject({
      spend: { todayMicros: 0, totalMicros: 0 },
      remaining: { todayMicros: PRICE * 10 },
    })
  }
})

guarantee('an id that has no UTF-8 is refused, and billing goes on', async () => {
  const scene = await cpc()
  const good = click(scene)
  const bad = JSON.stringify(click(scene, { click_id: 'X' })).replace('"X"', '"\\ud800"')
  const answer = await send(`[${bad},${JSON.stringify(good)}]`)
  expect(answer).toMatchObject({ accepted: 1, refused: [{ index: 0, code: 'invalid' }] })
  expect((await farthing.chargeIn(good.click_id, 'charged')).state).toBe('charged')
})

guarantee('an id counts once over all ads; other content is kept as a conflict', async () => {
  const [scene, other] = [await cpc(), await cpc()]
  const event = click(scene, { metadata: { page: 1 } })
  await send([event, { ...event, metadata: { page: 2 } }, { ...event, ad_id: other.adId }, event])
  const charge = await eventually(
    () => farthing.charge(event.click_id),
    found => found?.conflicts === 2 && found.duplicates === 1,
  )
  expect(charge).toMatchObject({ adId: scene.adId, state: 'charged', conflicts: 2, duplicates: 1 })
  expect(await counted(scene, 'clicks', 1)).toEqual({ count: 1, spend: 0.1 })
  expect(await counted(other, 'clicks', 0)).toEqual({ count: 0, spend: 0 })
  // A click and an impression are two events, even under one id.
  const { click_id, ...rest } = event
  await farthing.must(202, 'POST', '/events/impression', { ...rest, impression_id: click_id })
  expect((await counted(scene, 'impressions', 1)).count).toBe(1)
})

guarantee(
  'clicks are charged as far as the budget goes, and the rest are refused with their reason',
  async () => {
    const scene = await cpc({ budget: { totalMicros: PRICE * 3 } })
    const clicks = Array.from({ length: 10 }, () => click(scene))
    await send(clicks)
    const found = await eventually(
      () => Promise.all(clicks.map(({ click_id }) => farthing.charge(click_id))),
      charges => charges.every(charge => charge?.state !== undefined),
    )
    // Which of them: ids are decided by partition, not in the order of the array.
    expect(found.map(({ state, reason, amountMicros }) => [state, reason, amountMicros]).sort()).toEqual([
      ...Array(3).fill(['charged', null, PRICE]),
      ...Array(7).fill(['rejected', 'budgetExhausted', 0]),
    ])
    expect(await farthing.must(200, 'GET', `/v1/campaigns/${scene.campaignId}`)).toMatchObject({
      status: 'exhausted',
      spend: { totalMicros: PRICE * 3 },
    })
  },
)

guarantee('reported impressions of a CPM ad cost N x price / 1000, rounded down once', async () => {
  const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_333_337 })
  const impressions = Array.from({ length: 1500 }, (_, i) => ({
    impression_id: `i-${crypto.randomUUID()}`,
    ad_id: scene.adId,
    timestamp: at(-i),
  }))
  for (const part of [impressions.slice(0, 1000), impressions.slice(1000), impressions.slice(500, 1500)]) {
    expect((await farthing.must(202, 'POST', '/events/impression', part)).accepted).toBe(part.length)
  }
  const { count, spend } = await counted(scene, 'impressions', 1500)
  expect([count, Math.round(spend * 1e6)]).toEqual([1500, Math.floor((1500 * 1_333_337) / 1000)])
  expect((await farthing.chargeIn(impressions[7]!.impression_id, 'charged')).state).toBe('charged')
  // Its clicks are counted and cost nothing.
  await send(click(scene))
  expect(await counted(scene, 'clicks', 1)).toMatchObject({ count: 1 })
})

guarantee(
  'a key of the role ingest reports for the ads of its account; one without an account for all',
  async () => {
    const [scene, other] = [await cpc(), await cpc()]
    const keyOf = async (body: Json) => (await farthing.must(201, 'POST', '/v1/keys', body)).key as string
    const own = await keyOf({ role: 'ingest', accountId: scene.advertiserId })
    const all = await keyOf({ role: 'ingest' })
    const advertiser = await keyOf({ role: 'advertiser', accountId: scene.advertiserId })
    const as = (key: string, body: unknown) =>
      farthing.call('POST', '/events/click', body, { Authorization: `Bearer ${key}` })
    const both = [click(scene), click(other)]
    expect((await as(own, both)).body).toMatchObject({
      accepted: 1,
      refused: [{ index: 1, click_id: both[1]!.click_id, code: 'unknownAd' }],
    })
    // It used no id up.
    expect((await as(all, both[1])).body).toEqual({ accepted: 1, refused: [] })
    expect((await farthing.chargeIn(both[1]!.click_id, 'charged')).duplicates).toBe(0)
    expect((await as(own, both[1])).status).toBe(400)
    expect((await as(advertiser, both)).status).toBe(403)
    expect((await as('nobody', both)).status).toBe(401)
  },
)

const HOSTILE: readonly (readonly [name: string, body: (scene: Scene) => string, status: number])[] = [
  ['1,000 events of 64 KB', s => JSON.stringify(Array(1000).fill(click(s, { x: 'y'.repeat(65_536) }))), 413],
  [
    'metadata 10,000 deep',
    s => JSON.stringify(click(s, { m: 1 })).replace('"m":1', `"m":${'['.repeat(10_000)}`),
    400,
  ],
  ['NaN for a time', s => JSON.stringify(click(s)).replace(/"timestamp":"[^"]*"/, '"timestamp":NaN'), 400],
  ['a negative time', s => JSON.stringify(click(s, { timestamp: -1 })), 400],
  ['a year before Christ', s => JSON.stringify(click(s, { timestamp: '-000001-01-01T00:00:00Z' })), 400],
  ['the year 9999', s => JSON.stringify(click(s, { timestamp: '9999-12-31T23:59:59Z' })), 400],
  ['an id of 10 MB', s => JSON.stringify(click(s, { click_id: 'x'.repeat(10 << 20) })), 413],
  ['an object for an id', s => JSON.stringify(click(s, { click_id: { toString: 'x' } })), 400],
  ['a prototype', s => JSON.stringify(click(s)).replace('{', '{"__proto__":{"click_id":"x"},'), 202],
  ['a number too large', s => JSON.stringify(click(s, { m: 1 })).replace('"m":1', '"m":1e999'), 202],
  ['the id twice', s => JSON.stringify(click(s)).replace('{', '{"click_id":"first",'), 202],
]
guarantee('what is hostile is refused or taken as an event like any other, and nothing stops', async () => {
  const scene = await cpc()
  for (const [name, body, status] of HOSTILE) {
    expect([name, (await farthing.call('POST', '/events/click', body(scene))).status]).toEqual([name, status])
  }
  const taken = HOSTILE.filter(([, , status]) => status === 202).length
  expect((await counted(scene, 'clicks', taken)).count).toBe(taken)
})

guarantee(
  'events answered before kill -9 count once after it, whatever is sent again; the books rebuild',
  async () => {
    const scene = await farthing.campaign({ model: 'cpc', amountMicros: 10_000 })
    const batches = Array.from({ length: 8 }, () => Array.from({ length: 1000 }, () => click(scene)))
    await Promise.all(batches.map(send))
    await farthing.kill()
    await farthing.restart()
    await Promise.all(batches.map(send))
    const total = batches.flat().length
    expect(await counted(scene, 'clicks', total)).toEqual({ count: total, spend: (total * 10_000) / 1e6 })
    const last = batches[7]![999]!.click_id
    const found = await eventually(
      () => farthing.charge(last),
      charge => charge?.duplicates === 1,
    )
    expect(found).toMatchObject({ state: 'charged', duplicates: 1 })
    expect(await farthing.stop()).toBe(0)
    for (const command of ['verify', 'rebuild']) {
      expect(await runFarthing([command, '--data', farthing.data])).toMatchObject({ code: 0 })
    }
  },
)
