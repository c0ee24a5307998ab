import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  DEPOSIT_MICROS,
  eventually,
  Installation,
  type Json,
  runFarthing,
  type Scene,
  type Served,
} from './installation.ts'

const TEST_MS = 15_000
/** A click sooner after its impression is not a person's. */
const HUMAN_MS = 650
const CRAWLER = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'

let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start()
})
afterAll(async () => farthing?.remove())

function guarantee(title: string, body: () => Promise<void>): void {
  test(title, body, TEST_MS)
}

async function seen(scene: Scene) {
  const served = await farthing.serve(scene)
  expect((await farthing.browse(served.impressionUrl)).status).toBe(200)
  return served
}

let address = 0
/** Another visitor each time: 30 clicks a minute from one are a robot's. */
function visitor(): string {
  address++
  return `81.2.${70 + (address >> 8)}.${address & 255}`
}

async function balances(): Promise<Record<string, number>> {
  const { items } = await farthing.must(200, 'GET', '/v1/ledger/balances')
  return Object.fromEntries(items.map((item: Json) => [item.account, item.balanceMicros]))
}

function auction(tagid: string, change: Json = {}): Json {
  return {
    id: crypto.randomUUID(),
    at: 1,
    imp: [{ id: '1', tagid, banner: { format: [{ w: 728, h: 90 }] } }],
    site: { domain: 'news.example' },
    device: {
      ip: '81.2.69.142',
      ua: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36',
    },
    ...change,
  }
}

async function bidFor(scene: Scene, change: Json = {}): Promise<Json> {
  const answer = await farthing.must(200, 'POST', '/openrtb2/auction', auction(scene.placementId, change))
  return answer.seatbid[0].bid[0]
}

guarantee('a click after its impression is charged once, shared out and reported', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 250_001 })
  const served = await seen(scene)
  await Bun.sleep(HUMAN_MS)
  const click = await farthing.browse(served.clickUrl)
  expect(click.status).toBe(302)
  expect(click.headers.get('location')).toBe('https://example.com/a')
  const charge = await farthing.chargeIn(served.impressionId, 'charged')
  expect(charge).toMatchObject({
    state: 'charged',
    amountMicros: 250_001,
    refundedMicros: 0,
    campaignId: scene.campaignId,
    adId: scene.adId,
  })
  expect(charge.history.map((step: Json) => step.state)).toEqual(
    ['pending', 'reserved', 'charged'].slice(-charge.history.length),
  )
  expect(charge.history.map((step: Json) => step.state)).toContain('reserved')
  const books = await balances()
  expect(books[`publisher:${scene.publisherId}`]).toBe(Math.floor(250_001 * 0.7))
  const account = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
  expect(account.balanceMicros).toBe(DEPOSIT_MICROS - 250_001)
  const day = 86_400_000
  const from = new Date(Math.floor(Date.now() / day) * day).toISOString()
  const to = new Date(Math.floor(Date.now() / day) * day + day).toISOString()
  const report = await eventually(
    () =>
      farthing.must(
        200,
        'GET',
        `/v1/reports?from=${from}&to=${to}&granularity=day&groupBy=campaign&advertiserId=${scene.advertiserId}`,
      ),
    answer => answer.rows[0]?.spendMicros === 250_001 && answer.rows[0]?.impressions === 1,
  )
  expect(report.rows).toHaveLength(1)
  expect(report.rows[0]).toMatchObject({
    campaign: scene.campaignId,
    impressions: 1,
    clicks: 1,
    charges: 1,
    spendMicros: 250_001,
    rejected: 0,
  })
  const campaign = await farthing.must(200, 'GET', `/v1/campaigns/${scene.campaignId}`)
  expect(campaign.spend).toEqual({ todayMicros: 250_001, totalMicros: 250_001 })
})

guarantee(
  '37 impressions at 1,234,567 micros a thousand cost 37 x 1,234,567 / 1000, rounded down',
  async () => {
    const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_234_567 })
    const ids: string[] = []
    for (let i = 0; i < 37; i++) {
      const served = await farthing.serve(scene)
      await farthing.browse(served.impressionUrl, { address: visitor() })
      ids.push(served.impressionId)
    }
    const whole = Math.floor((37 * 1_234_567) / 1000)
    for (const id of ids) expect((await farthing.chargeIn(id, 'charged')).state).toBe('charged')
    const amounts = await Promise.all(ids.map(async id => (await farthing.charge(id)).amountMicros as number))
    expect(amounts.reduce((sum, amount) => sum + amount, 0)).toBe(whole)
    const account = await eventually(
      () => farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`),
      answer => answer.balanceMicros === DEPOSIT_MICROS - whole,
    )
    expect(account.balanceMicros).toBe(DEPOSIT_MICROS - whole)
  },
)

guarantee(
  'the first of pixel, impressionUrl and burl counts, and repeats only raise duplicates',
  async () => {
    const scene = await farthing.campaign({ model: 'cpm', amountMicros: 2_000_000 })
    const bid = await bidFor(scene)
    expect(bid.price).toBe(2)
    // A notice comes from a server, with a tool's user agent.
    expect(
      (await farthing.browse(bid.burl.replace('${AUCTION_PRICE}', '2'), { agent: 'Go-http-client/1.1' }))
        .status,
    ).toBe(200)
    const { impressionId, impressionUrl } = bid.ext.farthing
    expect((await farthing.chargeIn(impressionId, 'charged')).state).toBe('charged')
    await farthing.browse(impressionUrl)
    await farthing.browse(impressionUrl)
    const charge = await eventually(
      () => farthing.charge(impressionId),
      answer => answer.duplicates === 2,
    )
    expect(charge).toMatchObject({ state: 'charged', amountMicros: 2000, duplicates: 2 })
  },
)

guarantee('a click repeated is redirected each time and charged once', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await seen(scene)
  await Bun.sleep(HUMAN_MS)
  const clicks = await Promise.all(Array.from({ length: 5 }, () => farthing.browse(served.clickUrl)))
  expect(clicks.map(click => click.status)).toEqual([302, 302, 302, 302, 302])
  const charge = await eventually(
    () => farthing.charge(served.impressionId),
    answer => answer?.duplicates === 4,
  )
  expect(charge).toMatchObject({ state: 'charged', amountMicros: 100_000, duplicates: 4 })
})

guarantee('a forged token is 400 and leaves no charge', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await seen(scene)
  const url = new URL(served.clickUrl)
  const token = url.searchParams.get('t')!
  for (const forged of [
    token.slice(0, -1),
    `${token}A`,
    token.slice(0, 20) + (token[20] === 'A' ? 'B' : 'A') + token.slice(21),
    '',
    'x',
    '%00',
  ]) {
    expect((await farthing.browse(`/click?t=${forged}`)).status, forged).toBe(400)
  }
  expect((await farthing.call('GET', `/v1/charges/${served.impressionId}`)).status).toBe(404)
})

guarantee('HEAD and crawlers never use a click up: the real click after them is charged', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await seen(scene)
  await Bun.sleep(HUMAN_MS)
  expect((await farthing.browse(served.clickUrl, { method: 'HEAD' })).status).toBe(302)
  expect((await farthing.browse(served.clickUrl, { agent: CRAWLER })).status).toBe(302)
  expect(await farthing.chargeIn(served.impressionId, 'rejected')).toMatchObject({
    state: 'rejected',
    reason: 'crawler',
  })
  await farthing.browse(served.clickUrl)
  expect(await farthing.chargeIn(served.impressionId, 'charged')).toMatchObject({
    state: 'charged',
    amountMicros: 100_000,
  })
})

guarantee('a test auction bids and never counts', async () => {
  const scene = await farthing.campaign({ model: 'cpm', amountMicros: 2_000_000 })
  const bid = await bidFor(scene, { test: 1 })
  await farthing.browse(bid.ext.farthing.impressionUrl)
  const answer = await farthing.chargeIn(bid.ext.farthing.impressionId, 'rejected')
  expect(answer).toMatchObject({ state: 'rejected', reason: 'test', amountMicros: 0 })
})

guarantee('a click under 500 ms after its impression is tooSoon, and redirected', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await seen(scene)
  expect((await farthing.browse(served.clickUrl)).status).toBe(302)
  expect(await farthing.chargeIn(served.impressionId, 'rejected')).toMatchObject({
    state: 'rejected',
    reason: 'tooSoon',
  })
})

guarantee('a click before its impression is pending, and charged when the impression comes', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await farthing.serve(scene)
  await farthing.browse(served.clickUrl)
  expect(await farthing.chargeIn(served.impressionId, 'pending')).toMatchObject({
    state: 'pending',
    reason: 'awaitingImpression',
  })
  await farthing.browse(served.impressionUrl)
  const charge = await farthing.chargeIn(served.impressionId, 'charged')
  expect(charge.history.map((step: Json) => step.state)).toEqual(['pending', 'reserved', 'charged'])
})

guarantee('a click by ad id is redirected and never billed', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const click = await farthing.browse(`/click?adId=${scene.adId}`)
  expect(click.status).toBe(302)
  expect(click.headers.get('location')).toBe('https://example.com/a')
  await Bun.sleep(300)
  const account = await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)
  expect(account.balanceMicros).toBe(DEPOSIT_MICROS)
})

guarantee('a budget of three clicks is charged three times, the rest is budgetExhausted', async () => {
  const scene = await farthing.campaign(
    { model: 'cpc', amountMicros: 100_000 },
    { budget: { totalMicros: 350_000, dailyMicros: null } },
  )
  const served: Served[] = []
  for (let i = 0; i < 6; i++) served.push(await seen(scene))
  await Bun.sleep(HUMAN_MS)
  for (const one of served)
    expect((await farthing.browse(one.clickUrl, { address: visitor() })).status).toBe(302)
  const charges = await eventually(
    () => Promise.all(served.map(one => farthing.charge(one.impressionId))),
    all => all.every(charge => ['charged', 'rejected'].includes(charge?.state)),
  )
  expect(charges.filter(charge => charge.state === 'charged')).toHaveLength(3)
  expect(charges.filter(charge => charge.reason === 'budgetExhausted')).toHaveLength(3)
  const campaign = await farthing.must(200, 'GET', `/v1/campaigns/${scene.campaignId}`)
  expect(campaign).toMatchObject({ status: 'exhausted', spend: { totalMicros: 300_000 } })
  const status = await eventually(
    async () => (await farthing.browse(`/serve?placement=${scene.placementId}&format=json`)).status,
    code => code === 204,
    2000,
  )
  expect(status).toBe(204)
})

guarantee('a paused campaign is chosen no more, a resumed one within a second', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const ask = async () => (await farthing.browse(`/serve?placement=${scene.placementId}&format=json`)).status
  expect((await farthing.must(200, 'POST', `/v1/campaigns/${scene.campaignId}/pause`)).status).toBe('paused')
  for (let i = 0; i < 20; i++) expect(await ask()).toBe(204)
  expect((await farthing.must(200, 'POST', `/v1/campaigns/${scene.campaignId}/resume`)).status).toBe('active')
  expect(await eventually(ask, code => code === 200, 1000)).toBe(200)
})

guarantee('a refund gives money back once, in proportion, and never more than was charged', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const served = await seen(scene)
  await Bun.sleep(HUMAN_MS)
  await farthing.browse(served.clickUrl)
  await farthing.chargeIn(served.impressionId, 'charged')
  const path = `/v1/charges/${served.impressionId}/refund`
  expect((await farthing.call('POST', path, { reason: 'too much', amountMicros: 100_001 })).status).toBe(422)
  const once = { 'Idempotency-Key': crypto.randomUUID() }
  for (let i = 0; i < 2; i++) {
    expect((await farthing.call('POST', path, { reason: 'part', amountMicros: 40_000 }, once)).status).toBe(
      201,
    )
  }
  expect((await farthing.call('POST', path, { reason: 'part', amountMicros: 50_000 }, once)).status).toBe(409)
  expect((await balances())[`publisher:${scene.publisherId}`]).toBe(42_000)
  await farthing.must(201, 'POST', path, { reason: 'the rest' })
  expect(await farthing.charge(served.impressionId)).toMatchObject({
    state: 'refunded',
    refundedMicros: 100_000,
  })
  expect((await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)).balanceMicros).toBe(
    DEPOSIT_MICROS,
  )
  expect((await balances())[`publisher:${scene.publisherId}`]).toBe(0)
  expect((await farthing.call('POST', path, { reason: 'again', amountMicros: 1 })).status).toBe(422)
})

guarantee(
  'ingested clicks: each id counts once, and what is late, early, other or unknown does not',
  async () => {
    const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
    const id = () => `c-${crypto.randomUUID()}`
    const at = (shiftMs: number) => new Date(Date.now() + shiftMs).toISOString()
    const good = {
      click_id: id(),
      ad_id: scene.adId,
      timestamp: at(-1000),
      country: 'USA',
      ip: '81.2.69.150',
      extra: 'kept',
    }
    const late = { ...good, click_id: id(), timestamp: at(-8 * 86_400_000) }
    const early = { ...good, click_id: id(), timestamp: at(10 * 60_000) }
    const stray = { ...good, click_id: id(), ad_id: 'ad_none' }
    const answer = await farthing.must(202, 'POST', '/events/click', [good, late, early, stray])
    expect(answer.accepted).toBe(1)
    expect(answer.refused).toMatchObject([
      { index: 1, click_id: late.click_id, code: 'expired' },
      { index: 2, click_id: early.click_id, code: 'future' },
      { index: 3, click_id: stray.click_id, code: 'unknownAd' },
    ])
    expect(await farthing.chargeIn(good.click_id, 'charged')).toMatchObject({
      state: 'charged',
      amountMicros: 100_000,
    })
    await farthing.must(202, 'POST', '/events/click', good)
    await farthing.must(202, 'POST', '/events/click', { ...good, country: 'CAN' })
    const charge = await eventually(
      () => farthing.charge(good.click_id),
      value => value.duplicates >= 1,
    )
    expect(charge).toMatchObject({ state: 'charged', amountMicros: 100_000 })
    await farthing.must(202, 'POST', '/events/click', { ...early, timestamp: at(0) })
    expect((await farthing.chargeIn(early.click_id, 'charged')).state).toBe('charged')
    await Bun.sleep(300)
    expect((await farthing.must(200, 'GET', `/v1/advertisers/${scene.advertiserId}`)).balanceMicros).toBe(
      DEPOSIT_MICROS - 200_000,
    )
    expect((await farthing.call('POST', '/events/click', [])).status).toBe(400)
    expect((await farthing.call('POST', '/events/click', { click_id: id() })).status).toBe(400)
  },
)

guarantee('aggregates are zero-filled windows by the time of the event', async () => {
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 250_000 })
  const minute = Math.floor(Date.now() / 60_000) * 60_000
  const at = minute - 120_000
  for (let i = 0; i < 3; i++) {
    await farthing.must(202, 'POST', '/events/click', {
      click_id: crypto.randomUUID(),
      ad_id: scene.adId,
      timestamp: new Date(at + i).toISOString(),
    })
  }
  const path = `/aggregates?ad_id=${scene.adId}&start=${new Date(minute - 240_000).toISOString()}&end=${new Date(minute).toISOString()}&granularity=minute`
  const rows = await eventually(
    () => farthing.must(200, 'GET', path),
    answer => answer[2]?.clicks === 3,
  )
  expect(rows).toHaveLength(4)
  expect(rows.map((row: Json) => row.clicks)).toEqual([0, 0, 3, 0])
  expect(rows.map((row: Json) => Number(row.spend))).toEqual([0, 0, 0.75, 0])
  expect(typeof rows[2].spend).toBe('string')
  expect(Date.parse(rows[2].window)).toBe(at)
  const recent = await farthing.must(200, 'GET', `/aggregates/realtime?ad_id=${scene.adId}&window=5m`)
  expect(recent).toMatchObject({ clicks: 3 })
})

guarantee(
  'a second-price auction costs a cent above the runner-up, and the floor where there is none',
  async () => {
    const scene = await farthing.campaign({ model: 'cpm', amountMicros: 5_000_000 })
    const floored = auction(scene.placementId, { at: 2 })
    floored.imp[0].bidfloor = 1.25
    const first = (await farthing.must(200, 'POST', '/openrtb2/auction', floored)).seatbid[0].bid[0]
    expect(first.price).toBe(1.25)
    await farthing.must(201, 'POST', '/v1/campaigns', {
      advertiserId: scene.advertiserId,
      name: 'Runner-up',
      bid: { model: 'cpm', amountMicros: 3_000_000 },
      targeting: { placements: [scene.placementId] },
      ads: [
        {
          name: 'B',
          landingUrl: 'https://other.example/',
          creative: { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/b.png' },
        },
      ],
    })
    const bid = await eventually(
      () => bidFor(scene, { at: 2 }),
      answer => answer.price > 3,
      1500,
    )
    expect(bid).toMatchObject({ price: 3.01, cid: scene.campaignId, crid: scene.adId })
    // `at` absent means 2.
    expect((await bidFor(scene, { at: undefined })).price).toBe(3.01)
    await farthing.browse(bid.ext.farthing.impressionUrl)
    expect((await farthing.chargeIn(bid.ext.farthing.impressionId, 'charged')).amountMicros).toBe(3010)
  },
)

guarantee('afterwards the books verify, and the tables rebuild from the log alone', async () => {
  const online = await farthing.must(200, 'GET', '/v1/ledger/verify')
  expect(online).toMatchObject({ ok: true, sumMicros: 0, firstBroken: null })
  const before = await balances()
  expect(await farthing.stop()).toBe(0)
  expect(await runFarthing(['verify', '--data', farthing.data])).toMatchObject({ code: 0 })
  expect(await runFarthing(['rebuild', '--data', farthing.data])).toMatchObject({ code: 0 })
  await farthing.restart()
  expect(await balances()).toEqual(before)
})
