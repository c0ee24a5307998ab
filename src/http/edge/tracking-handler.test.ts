import { expect, test } from 'bun:test'
import { plainAd, plainCampaign, randomFrom } from '../../../test/random-campaigns.ts'
import { MemoryLog } from '../../adapters/memory/log.ts'
import { TOKEN_KEPT_MS } from '../../billing/floor.ts'
import type { Campaign } from '../../campaigns/campaign.ts'
import { Reason } from '../../records/reasons.ts'
import { RecordKind } from '../../records/record.ts'
import { bid } from './auction-handler.ts'
import { get, NOW, PARTITIONS, PLACEMENT, PUBLIC_URL, TestEdge } from './test-edge.ts'
import { handleClick, handleImpression } from './tracking-handler.ts'

const SEED = Number(process.env['SEED'] ?? 20261124)
const VERDICT = 72
const FLAGS = 73

interface Bid {
  readonly burl: string
  readonly crid: string
  readonly cid: string
  readonly ext: {
    readonly farthing: {
      readonly impressionId: string
      readonly impressionUrl: string
      readonly clickUrl: string
    }
  }
}

function edgeOver(campaigns: readonly Campaign[] = [plainCampaign(1)]) {
  return new TestEdge(campaigns, new MemoryLog(PARTITIONS, { now: () => NOW }))
}

function offer(world: ReturnType<typeof edgeOver>): Bid {
  const text = bid(world.auction, {
    id: 'r',
    imp: [{ id: '1', tagid: PLACEMENT.id, banner: { w: 300, h: 250 } }],
  })
  return (JSON.parse(text!) as { seatbid: [{ bid: [Bid] }] }).seatbid[0].bid[0]
}

test('an impression is in the log when the pixel is answered, and the pixel is never cached', async () => {
  const world = edgeOver()
  const answer = await handleImpression(world.edge, get(offer(world).ext.farthing.impressionUrl))
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('image/gif')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(Buffer.from(await answer.arrayBuffer()).toString('latin1', 0, 6)).toBe('GIF89a')
  const [record] = world.records()
  expect(record!.kind).toBe(RecordKind.impression)
  expect([record!.payload[VERDICT], record!.payload[FLAGS]]).toEqual([Reason.none, 0])
  expect(world.counter('impressions')).toBe(1)
})

test('a click and an impression are answered once the log has them, not before', async () => {
  const log = new MemoryLog(PARTITIONS, { now: () => NOW })
  const append = log.append.bind(log)
  const onDisk = Promise.withResolvers<void>()
  log.append = async records => {
    await onDisk.promise
    await append(records)
  }
  const world = new TestEdge([plainCampaign(1)], log)
  const { ext, crid } = offer(world)
  const answered: number[] = []
  const answers = [
    handleImpression(world.edge, get(ext.farthing.impressionUrl)),
    handleClick(world.edge, get(ext.farthing.clickUrl)),
    handleClick(world.edge, get(`${PUBLIC_URL}/click?adId=${crid}`)),
  ].map(async answer => {
    const { status } = await answer
    answered.push(status)
  })
  await new Promise(resolve => setImmediate(resolve))
  expect(answered).toEqual([])
  onDisk.resolve()
  await Promise.all(answers)
  expect(answered.toSorted()).toEqual([200, 302, 302])
  expect(world.records()).toHaveLength(3)
})

test('a click is in the log when it is redirected to the landing page, its macros filled in', async () => {
  const campaign = plainCampaign(1, {
    ads: [
      plainAd(1, 0, {
        landingUrl: 'https://shop.example/?c=${CLICK_ID}&k=${CAMPAIGN_ID}&a=${AD_ID}&c2=${CLICK_ID}',
      }),
    ],
  })
  const world = edgeOver([campaign])
  const { ext, cid, crid } = offer(world)
  const answer = await handleClick(world.edge, get(ext.farthing.clickUrl))
  const id = ext.farthing.impressionId
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toBe(`https://shop.example/?c=${id}&k=${cid}&a=${crid}&c2=${id}`)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(world.records().map(({ kind }) => kind)).toEqual([RecordKind.click])
})

test('clicks that are answered together go each to its own page', async () => {
  const pages = [0, 1, 2, 3].map(place => `https://shop${place}.example/`)
  const worlds = pages.map(landingUrl =>
    edgeOver([plainCampaign(1, { ads: [plainAd(1, 0, { landingUrl })] })]),
  )
  const answers = await Promise.all(
    worlds.map(world => handleClick(world.edge, get(offer(world).ext.farthing.clickUrl))),
  )
  expect(answers.map(answer => answer.headers.get('location'))).toEqual(pages)
})

const SCREENED: readonly [name: string, headers: Record<string, string>, method: string, verdict: number][] =
  [
    ['a browser', {}, 'GET', Reason.none],
    ['a HEAD', {}, 'HEAD', Reason.crawler],
    ['a prefetch', { 'sec-purpose': 'prefetch;prerender' }, 'GET', Reason.crawler],
    ['a crawler', { 'user-agent': 'Googlebot/2.1 (+http://www.google.com/bot.html)' }, 'GET', Reason.crawler],
    ['a tool', { 'user-agent': 'curl/8.5.0' }, 'GET', Reason.crawler],
    ['an empty user agent', { 'user-agent': '' }, 'GET', Reason.crawler],
  ]
test.each(SCREENED)(
  '%s is redirected, and its record says what was found',
  async (_name, headers, method, verdict) => {
    const world = edgeOver()
    const { ext } = offer(world)
    const click = await handleClick(world.edge, get(ext.farthing.clickUrl, headers, method))
    const pixel = await handleImpression(world.edge, get(ext.farthing.impressionUrl, headers, method))
    expect([click.status, pixel.status]).toEqual([302, 200])
    expect(world.records().map(({ payload }) => payload[VERDICT])).toEqual([verdict, verdict])
  },
)

test('a burl is told from the pixel and not judged by its agent, but a HEAD of it is nothing', async () => {
  const world = edgeOver()
  const { burl, ext } = offer(world)
  expect(burl).not.toBe(ext.farthing.impressionUrl)
  await handleImpression(world.edge, get(burl, { 'user-agent': 'Go-http-client/1.1' }))
  await handleImpression(world.edge, get(burl, {}, 'HEAD'))
  const seen = world.records().map(({ payload }) => [payload[VERDICT], payload[FLAGS]])
  expect(seen).toEqual([
    [Reason.none, 1],
    [Reason.crawler, 1],
  ])
})

test('the 31st click of a minute from one address and user agent is rate, and still redirected', async () => {
  const world = edgeOver()
  const { clickUrl } = offer(world).ext.farthing
  for (let i = 0; i < 31; i++) expect((await handleClick(world.edge, get(clickUrl))).status).toBe(302)
  const verdicts = world.records().map(({ payload }) => payload[VERDICT])
  expect(verdicts).toEqual([...new Array(30).fill(Reason.none), Reason.rate])
})

test('when the log refuses, clicks are redirected and pixels answered all the same, and counted as lost', async () => {
  const world = edgeOver()
  const { ext, crid } = offer(world)
  const ways = [
    () => handleClick(world.edge, get(ext.farthing.clickUrl)),
    () => handleImpression(world.edge, get(ext.farthing.impressionUrl)),
    () => handleClick(world.edge, get(`${PUBLIC_URL}/click?adId=${crid}`)),
  ]
  for (const [i, way] of ways.entries()) {
    world.log.failNext('lost')
    expect((await way()).status).toBe(i === 1 ? 200 : 302)
  }
  expect([world.counter('lost'), world.records().length]).toEqual([3, 0])
})

test('a link of so long ago that repeats are not known any more is answered, and writes nothing', async () => {
  const world = edgeOver()
  const { ext } = offer(world)
  world.now += TOKEN_KEPT_MS
  await handleClick(world.edge, get(ext.farthing.clickUrl))
  expect(world.records().length).toBe(1)
  world.now++
  const click = await handleClick(world.edge, get(ext.farthing.clickUrl))
  expect(click.status).toBe(302)
  expect(click.headers.get('location')).toStartWith('https://shop1.example.com/landing?click=')
  expect((await handleImpression(world.edge, get(ext.farthing.impressionUrl))).status).toBe(200)
  expect([world.records().length, world.counter('longExpired'), world.counter('clicks')]).toEqual([1, 2, 1])
})

test('when the log is overloaded nothing is written into its buffer, which so never grows', async () => {
  const world = edgeOver()
  world.overloaded = true
  const { ext, crid } = offer(world)
  expect((await handleClick(world.edge, get(ext.farthing.clickUrl))).status).toBe(302)
  expect((await handleClick(world.edge, get(`${PUBLIC_URL}/click?adId=${crid}`))).status).toBe(302)
  expect((await handleImpression(world.edge, get(ext.farthing.impressionUrl))).status).toBe(200)
  expect(world.edge.log.buffer.byteLength).toBe(0)
  expect([world.counter('lost'), world.counter('shed')]).toEqual([3, 3])
})

test('a click without a token is redirected and counted apart; of an unknown ad it is 404', async () => {
  const world = edgeOver()
  const { crid } = offer(world)
  const answer = await handleClick(world.edge, get(`${PUBLIC_URL}/click?adId=${crid}`))
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toStartWith('https://shop1.example.com/landing?click=')
  expect(world.records().map(({ kind }) => kind)).toEqual([RecordKind.unsignedClick])
  expect([world.counter('unsignedClicks'), world.counter('clicks')]).toEqual([1, 0])
  for (const id of ['ad_zzzz', 'ad_', 'x', '']) {
    const unknown = await handleClick(world.edge, get(`${PUBLIC_URL}/click?adId=${id}`))
    expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
  }
})

test('10,000 garbage tokens: clicks are 400, pixels 200, all counted and none in the log', async () => {
  console.log(`tracking tests: SEED=${SEED}`)
  const random = randomFrom(SEED)
  const world = edgeOver()
  const { clickUrl } = offer(world).ext.farthing
  const token = clickUrl.slice(clickUrl.indexOf('=') + 1)
  const alphabet = 'ABCxyz019-_+/=%&?# é'
  for (let i = 0; i < 10_000; i++) {
    const at = Math.floor(random() * token.length)
    const other = token[at] === 'A' ? 'B' : 'A'
    const length = Math.floor(random() * 200)
    const garbage =
      i % 2 === 0
        ? token.slice(0, at) + other + token.slice(at + 1)
        : Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join('')
    if (i % 4 < 2) {
      const answer = await handleClick(world.edge, get(`${PUBLIC_URL}/click?t=${garbage}`))
      expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
    } else {
      expect((await handleImpression(world.edge, get(`${PUBLIC_URL}/i?t=${garbage}`))).status).toBe(200)
    }
  }
  for (const url of [
    `${PUBLIC_URL}/click`,
    `${PUBLIC_URL}/click?t=&adId=ad_1`,
    `${PUBLIC_URL}/click?t=${token}&t=`,
  ]) {
    const expected = url.endsWith('&t=') ? 302 : 400
    expect((await handleClick(world.edge, get(url))).status).toBe(expected)
  }
  expect(world.counter('forged')).toBe(10_002)
  expect(world.records().length).toBe(1)
})
