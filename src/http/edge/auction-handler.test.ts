import { expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { plainAd, plainCampaign } from '../../../test/random-campaigns.ts'
import { MemoryLog } from '../../adapters/memory/log.ts'
import type { Campaign } from '../../campaigns/campaign.ts'
import { JSON_DEPTH_MAX } from '../../openrtb/limits.ts'
import { readTokenBody } from '../../records/token-body.ts'
import { AUCTION_BYTES_MAX, auctionHandler } from './auction-handler.ts'
import { RequestCounts, ROWS_TAKEN_MAX } from './request-counts.ts'
import { BROWSER, NOW, PARTITIONS, PLACEMENT, PUBLISHER, TestEdge } from './test-edge.ts'

function edgeOver(campaigns: readonly Campaign[] = [plainCampaign(1)]) {
  return new TestEdge(campaigns, new MemoryLog(PARTITIONS, { now: () => NOW }))
}
type World = ReturnType<typeof edgeOver>

const IMP = { id: '1', tagid: PLACEMENT.id, banner: { w: 300, h: 250 } }
const REQUEST = { id: 'request "1"', imp: [IMP] }

function post(world: World, body: BodyInit, headers: Record<string, string> = {}) {
  return auctionHandler(world.auction)(
    new Request('http://x/openrtb2/auction', { method: 'POST', body, headers }),
  )
}
const ask = (world: World, request: object) => post(world, JSON.stringify(request))

interface Answer {
  readonly id: string
  readonly cur: string
  readonly seatbid: readonly { readonly seat: string; readonly bid: readonly Record<string, unknown>[] }[]
}
async function bidsOf(answer: Response): Promise<Record<string, unknown>[]> {
  if (answer.status === 204) return []
  expect(answer.status).toBe(200)
  return ((await answer.json()) as Answer).seatbid.flatMap(({ bid }) => [...bid])
}

/** What a bid's token promises. */
function tokenOf(world: World, bid: Record<string, unknown>) {
  const { impressionUrl } = (bid['ext'] as { farthing: { impressionUrl: string } }).farthing
  const body = world.edge.signer.open(impressionUrl.slice(impressionUrl.indexOf('t=') + 2))!
  return readTokenBody(new DataView(body.buffer, body.byteOffset, body.byteLength), 0)
}

test('a bid has all that the contract names', async () => {
  const world = edgeOver()
  const answer = await ask(world, REQUEST)
  expect(answer.headers.get('content-type')).toBe('application/json')
  const { id, cur, seatbid } = (await answer.json()) as Answer
  expect([id, cur, seatbid.length, seatbid[0]!.seat]).toEqual([REQUEST.id, 'USD', 1, 'farthing'])
  const bid = seatbid[0]!.bid[0]!
  const { farthing } = bid['ext'] as { farthing: Record<string, string> }
  expect(bid).toMatchObject({
    id: farthing['impressionId'],
    impid: '1',
    w: 300,
    h: 250,
    crid: farthing['adId'],
    cid: farthing['campaignId'],
    adomain: ['shop1.example'],
    exp: 600,
    burl: `${farthing['impressionUrl']}&b=1`,
  })
  expect(Object.keys(farthing).sort()).toEqual([
    'adId',
    'campaignId',
    'clickUrl',
    'impressionId',
    'impressionUrl',
  ])
  expect(bid['adm']).toContain(`<a href="${farthing['clickUrl']}" target="_blank" rel="noopener">`)
  expect(bid['adm']).toContain(farthing['impressionUrl']!)
  expect(world.counter('bids')).toBe(1)
})

test('at 1 and 2, and absent as 2: the price that the answer says is the one that the token is charged', async () => {
  for (const [at, price] of [
    [1, 1],
    [2, 0.01],
    [undefined, 0.01],
  ] as const) {
    const world = edgeOver()
    const [bid] = await bidsOf(await ask(world, { ...REQUEST, at }))
    expect(bid!['price']).toBe(price)
    expect(tokenOf(world, bid!).priceMicros).toBe(price * 1_000_000)
  }
})

test('seats that a request allows or shuts out are heeded: all bids are of one', async () => {
  const world = edgeOver()
  const bids = async (seats: object) => (await bidsOf(await ask(world, { ...REQUEST, ...seats }))).length
  for (const seats of [{ wseat: [] }, { wseat: ['other', 'farthing'] }, { bseat: [] }, { bseat: ['other'] }])
    expect([seats, await bids(seats)]).toEqual([seats, 1])
  for (const seats of [{ wseat: ['other'] }, { bseat: ['farthing'] }])
    expect([seats, await bids(seats)]).toEqual([seats, 0])
})

test('categories that a request allows leave out ads of others, and ads of none', async () => {
  const ad = (cat: string[]) => plainCampaign(1, { ads: [plainAd(1, 0, { cat })] })
  const bids = async (cat: string[], acat: string[]) =>
    (await bidsOf(await ask(edgeOver([ad(cat)]), { ...REQUEST, acat }))).length
  expect([await bids(['IAB2-1'], ['IAB2']), await bids(['IAB2'], [])]).toEqual([1, 1])
  expect([await bids(['IAB2'], ['IAB3']), await bids([], ['IAB3'])]).toEqual([0, 0])
})

/** A good request, but that it nests so deep. */
const nesting = (depth: number) =>
  JSON.stringify({ ...REQUEST, ext: { list: JSON.parse('['.repeat(depth - 2) + ']'.repeat(depth - 2)) } })

const MALFORMED: readonly [name: string, body: BodyInit, headers: Record<string, string>, status: number][] =
  [
    ['nothing', '', {}, 400],
    ['no JSON', '{', {}, 400],
    ['no object', '[]', {}, 400],
    ['no imp', '{"id":"1"}', {}, 400],
    ['too deep', nesting(JSON_DEPTH_MAX + 1), {}, 400],
    ['no gzip', 'plain', { 'content-encoding': 'gzip' }, 400],
    ['another encoding', '{}', { 'content-encoding': 'br' }, 415],
    ['too large', ' '.repeat(AUCTION_BYTES_MAX + 1), {}, 413],
    ['too many bytes in few characters', 'é'.repeat(AUCTION_BYTES_MAX / 2 + 1), {}, 413],
    ['too large when inflated', gzipSync(Buffer.alloc(50_000_000)), { 'content-encoding': 'gzip' }, 413],
  ]
test.each(MALFORMED)('%s is refused with problem details', async (_name, body, headers, status) => {
  const world = edgeOver()
  const answer = await post(world, body, headers)
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const problem = (await answer.json()) as { status: number; title: string; detail: string }
  expect(problem.status).toBe(status)
  expect(problem.title).not.toBe('')
  expect(world.counter('badRequests')).toBe(1)
})

test('a request that breaks the standard is told which fields do', async () => {
  const answer = await ask(edgeOver(), { id: '1', imp: [{ ...BANNER, bidfloor: 'much' }] })
  const { errors } = (await answer.json()) as { errors: { path: string }[] }
  expect(errors.map(({ path }) => path)).toEqual(['imp[0].bidfloor'])
})

test('what nests as deep as it may is no fault', async () => {
  expect(await bidsOf(await post(edgeOver(), nesting(JSON_DEPTH_MAX)))).toHaveLength(1)
})

test('a body in gzip is the body', async () => {
  const packed = gzipSync(JSON.stringify(REQUEST))
  expect(await bidsOf(await post(edgeOver(), packed, { 'content-encoding': 'gzip' }))).toHaveLength(1)
})

test('bids of several impressions are one answer, whichever of them bid', async () => {
  const world = edgeOver([1, 2, 3].map(sequence => plainCampaign(sequence)))
  const other = { ...IMP, banner: { w: 728, h: 90 } }
  for (const bidding of ['111', '110', '101', '011', '100', '010', '001', '000']) {
    const imp = [...bidding].map((bids, i) => ({ ...(bids === '1' ? IMP : other), id: `imp "${i}"` }))
    const bids = await bidsOf(await ask(world, { ...REQUEST, imp }))
    const expected = imp.filter((_, i) => bidding[i] === '1').map(({ id }) => id)
    expect(bids.map(bid => bid['impid'])).toEqual(expected)
  }
})

const euros = plainCampaign(2, { currency: 'EUR' })
const CASES: readonly [name: string, request: object, bids: number, campaigns?: readonly Campaign[]][] = [
  ['a floor at the bid', { imp: [{ ...IMP, bidfloor: 1 }] }, 1],
  ['a floor above the bid', { imp: [{ ...IMP, bidfloor: 1.000001 }] }, 0],
  ['a floor in another currency', { imp: [{ ...IMP, bidfloor: 0.1, bidfloorcur: 'EUR' }] }, 0],
  ['another currency', { cur: ['EUR'] }, 0],
  ['another currency, that a campaign has', { cur: ['EUR'] }, 1, [euros]],
  ['no currency, where the campaign has another', {}, 0, [euros]],
  ['a second currency, that a campaign has', { cur: ['EUR', 'USD'] }, 1],
  ['a fourth currency', { cur: ['AAA', 'BBB', 'CCC', 'USD'] }, 1],
  ['a fifth currency', { cur: ['AAA', 'BBB', 'CCC', 'DDD', 'USD'] }, 0],
  ['a robot', { device: { ua: 'Googlebot/2.1' } }, 0],
  ['a browser', { device: { ua: BROWSER } }, 1],
  ['a private auction', { imp: [{ ...IMP, pmp: { private_auction: 1 } }] }, 0],
  ['deals in an open auction', { imp: [{ ...IMP, pmp: { private_auction: 0 } }] }, 1],
  ['a blocked advertiser', { badv: ['shop1.example'] }, 0],
  ['another blocked advertiser', { badv: ['shop2.example'] }, 1],
  ['another size', { imp: [{ ...IMP, banner: { w: 728, h: 90 } }] }, 0],
  ['the size of the placement', { imp: [{ ...IMP, banner: {} }] }, 1],
  ['no banner', { imp: [{ id: '1', tagid: PLACEMENT.id, video: { mimes: ['video/mp4'] } }] }, 0],
  ['two impressions, one campaign', { imp: [IMP, { ...IMP, id: '2' }] }, 1],
  ['two impressions, one campaign, a test', { test: 1, imp: [IMP, { ...IMP, id: '2' }] }, 1],
  ['an unknown placement', { imp: [{ ...IMP, tagid: 'plc_zzz' }] }, 1],
]
test.each(CASES.map(([name, change, bids, campaigns]) => ({ name, change, bids, campaigns })))(
  '$name',
  async ({ change, bids, campaigns }) => {
    const world = edgeOver(campaigns)
    expect(await bidsOf(await ask(world, { ...REQUEST, ...change }))).toHaveLength(bids)
    expect(world.counter('noBids')).toBe(bids === 0 ? 1 : 0)
  },
)

test("the placement's floor, and what it and its publisher block, hold as the request's do", async () => {
  const world = edgeOver()
  world.placements.set(256, { ...PLACEMENT, floorCpmMicros: 1_000_001 })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(0)
  world.placements.set(256, { ...PLACEMENT, badv: ['shop1.example'] })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(0)
  // Amounts of two currencies are not compared.
  world.placements.set(256, { ...PLACEMENT, currency: 'EUR', floorCpmMicros: 1 })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(0)
  world.placements.set(256, { ...PLACEMENT, currency: 'EUR', floorCpmMicros: 0 })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(1)
  world.placements.set(256, { ...PLACEMENT, currency: 'USD', floorCpmMicros: 1 })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(1)
  world.placements.set(256, PLACEMENT)
  world.publishers.set(256, { ...PUBLISHER, badv: ['shop1.example'] })
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(0)
})

test.each([
  ['a lower floor than the request asks', { floorCpmMicros: 1 }, {}, { bidfloor: 1.5 }, 0],
  ['a category that the placement blocks', { bcat: ['IAB25'] }, {}, {}, 0],
  ['a category that its publisher blocks', {}, { bcat: ['IAB25'] }, {}, 0],
  ['the category that the campaign wants', {}, {}, {}, 1],
  ['another category', { categories: ['IAB8'] }, {}, {}, 0],
])('in a placement with %s', async (_name, placement, publisher, imp, bids) => {
  const plain = plainCampaign(1, { ads: [plainAd(1, 0, { cat: ['IAB25'] })] })
  const world = edgeOver([{ ...plain, targeting: { ...plain.targeting, categories: ['IAB9'] } }])
  world.placements.set(256, { ...PLACEMENT, categories: ['IAB9'], ...placement })
  world.publishers.set(256, { ...PUBLISHER, ...publisher })
  expect(await bidsOf(await ask(world, { ...REQUEST, imp: [{ ...IMP, ...imp }] }))).toHaveLength(bids)
})

test('a request that takes several currencies is counted once', async () => {
  const world = edgeOver()
  expect(await bidsOf(await ask(world, { ...REQUEST, cur: ['EUR', 'CHF', 'USD'] }))).toHaveLength(1)
  expect(world.requestCounts.take()).toMatchObject([{ placement: 256, requests: 1 }])
})

const BANNER = { id: '1', banner: { w: 300, h: 250 } }
test.each([
  ['its placement', { imp: [IMP] }, 256, 256, 700_000],
  ['its id', { imp: [BANNER], site: { publisher: { id: PUBLISHER.id } } }, 0, 256, 700_000],
  ['its id in an app', { imp: [BANNER], app: { publisher: { id: PUBLISHER.id } } }, 0, 256, 700_000],
  ['its domain', { imp: [BANNER], site: { domain: 'www.news.example' } }, 0, 256, 700_000],
  ['the domain of its page', { imp: [BANNER], site: { page: 'https://news.example/a' } }, 0, 256, 700_000],
  [
    'its domain, where the id is not ours',
    { imp: [BANNER], site: { domain: 'news.example', publisher: { id: '7' } } },
    0,
    256,
    700_000,
  ],
  ['nothing', { imp: [BANNER], site: { domain: 'other.example' } }, 0, 0, 800_000],
])('a publisher is known by %s', async (_name, request, placement, publisher, sharePpm) => {
  const world = edgeOver()
  const [bid] = await bidsOf(await ask(world, { id: '1', ...request }))
  expect(tokenOf(world, bid!)).toMatchObject({ placement, publisher, sharePpm })
})

test.each([
  ['what the device says', { geo: { country: 'USA' }, ip: '203.0.113.9' }, ['USA'], [], 1],
  ['its address', { ip: '203.0.113.9' }, ['DEU'], [], 1],
  ['neither: no campaign of a country', {}, ['DEU'], [], 0],
  ['a region of the country', { geo: { country: 'USA', region: 'wi' } }, [], ['US-WI'], 1],
  ['another region', { geo: { country: 'USA', region: 'CA' } }, [], ['US-WI'], 0],
])('the country is known by %s', async (_name, device, countries, regions, bids) => {
  const plain = plainCampaign(1)
  const world = edgeOver([{ ...plain, targeting: { ...plain.targeting, countries, regions } }])
  expect(await bidsOf(await ask(world, { ...REQUEST, device }))).toHaveLength(bids)
})

const IPAD =
  'Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Version/16.0 Mobile/15E148 Safari/604.1'
test.each([
  [{ devicetype: 2 }, 1],
  [{ devicetype: 1 }, 2],
  [{ devicetype: 1, ua: IPAD }, 3],
  [{ devicetype: 4, ua: IPAD }, 2],
  [{ devicetype: 5 }, 3],
  [{ devicetype: 3 }, 4],
  [{ devicetype: 7 }, 4],
  [{ ua: BROWSER }, 1],
  [{}, 0],
])('device %j is of type %i', async (device, type) => {
  const world = edgeOver()
  const [bid] = await bidsOf(await ask(world, { ...REQUEST, device }))
  expect(tokenOf(world, bid!).device).toBe(type)
})

test('a test bids, and counts for nothing', async () => {
  const world = edgeOver([plainCampaign(1, { frequencyCap: { impressions: 1, perSeconds: 3600 } })])
  const request = { ...REQUEST, user: { id: 'u' } }
  for (let i = 0; i < 3; i++) {
    const [bid] = await bidsOf(await ask(world, { ...request, test: 1 }))
    expect(tokenOf(world, bid!).test).toBe(true)
  }
  expect(world.requestCounts.take()).toEqual([])
  expect(await bidsOf(await ask(world, request))).toHaveLength(1)
  expect(await bidsOf(await ask(world, request))).toHaveLength(0)
})

test('people whose devices hide who they are do not share a frequency cap', async () => {
  const world = edgeOver([plainCampaign(1, { frequencyCap: { impressions: 1, perSeconds: 3600 } })])
  for (const ip of ['192.0.2.1', '192.0.2.2']) {
    const device = { ip, ua: BROWSER, ifa: '00000000-0000-0000-0000-000000000000' }
    expect(await bidsOf(await ask(world, { ...REQUEST, device, user: { id: '' } }))).toHaveLength(1)
    expect(await bidsOf(await ask(world, { ...REQUEST, device }))).toHaveLength(0)
  }
})

test('an ad cannot break out of its markup, and its HTML runs in a frame without an origin', async () => {
  const evil = `"><script>steal()</script>\${CLICK_URL}|\${CLICK_URL_ENC}`
  const html = plainCampaign(1, {
    ads: [plainAd(1, 0, { creative: { kind: 'html', w: 300, h: 250, html: evil } })],
  })
  const [bid] = await bidsOf(await ask(edgeOver([html]), REQUEST))
  const { farthing } = bid!['ext'] as { farthing: { clickUrl: string } }
  const adm = bid!['adm'] as string
  expect(adm).not.toContain('<script')
  expect(adm).toContain('sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"')
  expect(adm).toContain(`${farthing.clickUrl}|${encodeURIComponent(farthing.clickUrl)}`)
})

test('secure: 1 gets no asset over plain HTTP', async () => {
  const plain = plainAd(1, 0, {
    creative: { kind: 'image', w: 300, h: 250, imageUrl: 'http://cdn.example/a.png' },
  })
  const world = edgeOver([plainCampaign(1, { ads: [plain] })])
  expect(await bidsOf(await ask(world, { ...REQUEST, imp: [{ ...IMP, secure: 1 }] }))).toHaveLength(0)
  expect(await bidsOf(await ask(world, REQUEST))).toHaveLength(1)
})

test('requests are counted by what they are, and a record never holds more rows than fit', () => {
  const counts = new RequestCounts()
  for (let i = 0; i < 70_000; i++) counts.add(NOW, i + 1, 1, 1, 1)
  counts.add(NOW, 1, 1, 1, 1)
  let requests = 0
  let kept = 0
  for (let rows = counts.take(); rows.length > 0; rows = counts.take()) {
    expect(rows.length).toBeLessThanOrEqual(ROWS_TAKEN_MAX)
    for (const row of rows) requests += row.requests
    kept += rows.length
  }
  expect(requests).toBe(70_001)
  // And one for the minute alone.
  expect(kept).toBe(65_537)
  // What was taken leaves its room to others.
  counts.add(NOW, 1, 1, 1, 1)
  expect(counts.take()).toMatchObject([{ placement: 1, country: 1, requests: 1 }])
})
