/** Bounds of what comes from outside: a table with a row for each, at the wire. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { BROWSER, campaignBody, DEPOSIT_MICROS, Installation, type Json, type Scene } from './installation.ts'

const TEST_MS = 10_000
/** Of all headers together, the address included. */
const HEADER_BYTES_MAX = 16_384
const CPC = { model: 'cpc', amountMicros: 1000 } as const

let farthing: Installation
let scene: Scene
beforeAll(async () => {
  farthing = await Installation.start()
  scene = await farthing.campaign(CPC)
})
afterAll(async () => farthing?.remove())

function namesOf(body: Json): string[] {
  return body.errors.map(({ path }: { path: string }) => path)
}

describe('headers', () => {
  test.each([
    ['a header', '/readyz', HEADER_BYTES_MAX - 1000, 200],
    ['a header', '/readyz', HEADER_BYTES_MAX, 431],
    ['a header', '/readyz', 1 << 20, 431],
  ])(
    '%s on %s of %d bytes is %d',
    async (_what, path, bytes, status) => {
      const answer = await farthing.call('GET', path, undefined, { 'X-Long': 'x'.repeat(bytes) })
      expect(answer.status).toBe(status)
      expect((await farthing.call('GET', '/livez')).status).toBe(200)
    },
    TEST_MS,
  )

  test(
    'an address that is longer than the headers may be is 431',
    async () => {
      expect((await farthing.call('GET', `/readyz?${'x'.repeat(HEADER_BYTES_MAX)}`)).status).toBe(431)
    },
    TEST_MS,
  )
})

const YEAR_ONE = '0001-01-01T00:00:00.000Z'
const LAST_YEAR = '9999-12-31T23:59:59.999Z'
const TOO_FAR = '+275760-09-13T00:00:00.000Z'

describe('a query is 400 and names', () => {
  const span = (start: string, end: string, granularity = 'minute') =>
    `start=${start}&end=${end}&granularity=${granularity}`
  test.each([
    ['/v1/campaigns?limit=0', 'limit'],
    ['/v1/campaigns?limit=201', 'limit'],
    ['/v1/campaigns?limit=-1', 'limit'],
    ['/v1/campaigns?limit=1.5', 'limit'],
    ['/v1/campaigns?limit=x', 'limit'],
    ['/v1/campaigns?limit=1&limit=2', 'limit'],
    [`/v1/campaigns?cursor=${'a'.repeat(5000)}`, 'cursor'],
    ['/v1/campaigns?colour=red', 'colour'],
    ['/aggregates?ad_id=AD', 'start'],
    [`/aggregates?ad_id=AD&${span('x', 'y')}`, 'start'],
    [`/aggregates?ad_id=AD&${span(YEAR_ONE, LAST_YEAR)}`, 'start'],
    [`/aggregates?ad_id=AD&${span(TOO_FAR, LAST_YEAR)}`, 'start'],
    [`/aggregates?ad_id=AD&${span('2026-11-02T00:00:00Z', '2026-11-01T00:00:00Z')}`, 'end'],
    [`/aggregates?ad_id=AD&${span('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', 'second')}`, 'granularity'],
    ['/aggregates/realtime?ad_id=AD&window=0m', 'window'],
    ['/aggregates/realtime?ad_id=AD&window=-5m', 'window'],
    ['/aggregates/realtime?ad_id=AD&window=99999999999999d', 'window'],
    ['/v1/reports?from=x', 'from'],
    ['/v1/reports?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z', 'to'],
    [`/v1/reports?from=${YEAR_ONE}&to=${LAST_YEAR}&granularity=minute`, 'from'],
    ['/v1/reports?groupBy=colour', 'groupBy'],
    ['/v1/reports?timeZone=Mars/Olympus', 'timeZone'],
    ['/v1/reports?granularity=week', 'granularity'],
  ])(
    '%s',
    async (path, name) => {
      const answer = await farthing.call('GET', path.replace('AD', scene.adId))
      expect(answer.status).toBe(400)
      expect(namesOf(answer.body)).toContain(name)
    },
    TEST_MS,
  )
})

describe('a campaign is 400 and names', () => {
  test.each([
    ['schedule.startAt', { schedule: { startAt: YEAR_ONE } }],
    ['schedule.startAt', { schedule: { startAt: TOO_FAR } }],
    ['schedule.startAt', { schedule: { startAt: '2026-02-30T00:00:00.000Z' } }],
    ['schedule.timeZone', { schedule: { timeZone: 'Mars/Olympus' } }],
    ['budget.totalMicros', { budget: { totalMicros: -1 } }],
    ['budget.totalMicros', { budget: { totalMicros: '1' } }],
    ['budget.dailyMicros', { budget: { dailyMicros: 2 ** 53 } }],
    ['targeting.countries', { targeting: { countries: new Array(100_000).fill('USA') } }],
    ['frequencyCap.impressions', { frequencyCap: { impressions: 0, perSeconds: 1 } }],
    ['frequencyCap.perSeconds', { frequencyCap: { impressions: 1, perSeconds: 1e18 } }],
    ['whenAuthorityLost', { whenAuthorityLost: 'maybe' }],
    ['name', { name: 5 }],
    ['ads', { ads: 'x' }],
  ])(
    '%s',
    async (name, change) => {
      const body = campaignBody(scene.advertiserId, CPC, change)
      const answer = await farthing.call('POST', '/v1/campaigns', body)
      expect(answer.status).toBe(400)
      expect(namesOf(answer.body).some(path => path.startsWith(name))).toBe(true)
    },
    TEST_MS,
  )
})

describe('an event is 400 and names', () => {
  test.each([
    ['click_id', { click_id: '' }],
    ['click_id', { click_id: 5 }],
    ['click_id', { click_id: 'x'.repeat(201) }],
    ['ad_id', { ad_id: 5 }],
    ['timestamp', { timestamp: 5 }],
    ['timestamp', { timestamp: YEAR_ONE }],
    ['timestamp', { timestamp: LAST_YEAR }],
    ['timestamp', { timestamp: TOO_FAR }],
    ['timestamp', { timestamp: '2026-11-31T00:00:00Z' }],
    ['user_agent', { user_agent: 'x'.repeat(2049) }],
    ['ip', { ip: 5 }],
    ['country', { country: {} }],
  ])(
    '%s',
    async (name, change) => {
      const event = { click_id: 'bounds', ad_id: scene.adId, timestamp: new Date().toISOString(), ...change }
      const answer = await farthing.call('POST', '/events/click', event)
      expect(answer.status).toBe(400)
      expect(namesOf(answer.body)).toContain(name)
    },
    TEST_MS,
  )

  test(
    'nothing but the number, for more than 1,000 of them',
    async () => {
      const event = { click_id: 'bounds', ad_id: scene.adId, timestamp: new Date().toISOString() }
      const many = (count: number) =>
        Array.from({ length: count }, (_, i) => ({ ...event, click_id: `b${i}` }))
      expect((await farthing.call('POST', '/events/click', many(1001))).status).toBe(400)
      expect((await farthing.call('POST', '/events/click', many(1000))).body.accepted).toBe(1000)
    },
    TEST_MS,
  )
})

describe('a bid request is 400 and names', () => {
  const imp = { id: '1', banner: { format: [{ w: 728, h: 90 }] } }
  const request = {
    id: 'r',
    imp: [imp],
    device: { ua: BROWSER, ip: '81.2.69.142' },
    site: { domain: 'a.com' },
  }
  test.each([
    ['id', { id: 5 }],
    ['id', { id: 'x'.repeat(513) }],
    ['imp', { imp: [] }],
    ['imp', { imp: 'x' }],
    ['imp', { imp: new Array(101).fill(imp) }],
    ['tmax', { tmax: -1 }],
    ['tmax', { tmax: 2 ** 40 }],
    ['at', { at: '2' }],
    ['test', { test: 5 }],
    ['imp[0].bidfloor', { imp: [{ ...imp, bidfloor: 1e10 }] }],
    ['imp[0].bidfloor', { imp: [{ ...imp, bidfloor: -1 }] }],
    ['bcat', { bcat: new Array(20_001).fill('IAB1') }],
    ['device.ua', { device: { ua: 'x'.repeat(4097) } }],
    ['site.page', { site: { page: 'x'.repeat(65_537) } }],
  ])(
    '%s',
    async (name, change) => {
      const answer = await farthing.call('POST', '/openrtb2/auction', { ...request, ...change })
      expect(answer.status).toBe(400)
      expect(namesOf(answer.body)).toContain(name)
    },
    TEST_MS,
  )

  test(
    'nothing for fields that it does not know',
    async () => {
      const answer = await farthing.call('POST', '/openrtb2/auction', {
        ...request,
        colour: 1,
        ext: { a: [1] },
      })
      expect([200, 204]).toContain(answer.status)
    },
    TEST_MS,
  )
})

test(
  'a token with any of its characters changed, cut or added to is forged; the true one counts after all of them',
  async () => {
    const served = await farthing.serve(scene)
    const { pathname, searchParams } = new URL(served.clickUrl)
    const token = searchParams.get('t')!
    const other = (letter: string) => (letter === 'A' ? 'B' : 'A')
    const forgeries = [...token].map((letter, at) => token.slice(0, at) + other(letter) + token.slice(at + 1))
    for (const cut of [1, 2, 40, token.length - 1]) forgeries.push(token.slice(0, -cut), token.slice(cut))
    forgeries.push(`${token}A`, `${token}==`, token.toLowerCase(), token + token)
    const statuses = new Set<number>()
    for (const forged of forgeries) statuses.add((await farthing.browse(`${pathname}?t=${forged}`)).status)
    expect([...statuses]).toEqual([400])
    await farthing.browse(served.impressionUrl)
    await Bun.sleep(600)
    expect((await farthing.browse(served.clickUrl)).status).toBe(302)
    expect(await farthing.chargeIn(served.impressionId, 'charged')).toMatchObject({ duplicates: 0 })
  },
  TEST_MS,
)

test(
  'the highest price is taken, and neither chosen nor a fault: what it costs is charged as far as there is money',
  async () => {
    const most = Number.MAX_SAFE_INTEGER
    const rich = await farthing.untouched(
      { model: 'cpc', amountMicros: most },
      { budget: { totalMicros: most } },
    )
    expect(rich.status).toBe('unfunded')
    await farthing.must(201, 'POST', `/v1/advertisers/${rich.advertiserId}/deposits`, {
      amountMicros: most - DEPOSIT_MICROS,
    })
    const serve = () => farthing.browse(`/serve?placement=${rich.placementId}&format=json`)
    const timestamp = new Date().toISOString()
    const report = (click_id: string) =>
      farthing.must(202, 'POST', '/events/click', { click_id, ad_id: rich.adId, timestamp })
    const statuses = new Set<number>()
    for (let i = 0; i < 20; i++) {
      statuses.add((await serve()).status)
      await Bun.sleep(20)
    }
    expect([...statuses]).toEqual([204])
    await report('dearest')
    expect(await farthing.chargeIn('dearest', 'charged')).toMatchObject({ amountMicros: most })
    await report('one more')
    expect(await farthing.chargeIn('one more', 'rejected')).toMatchObject({ reason: 'budgetExhausted' })
    // Taken back and charged again, the day's totals would not be exact.
    await farthing.must(201, 'POST', '/v1/charges/dearest/refund', { reason: 'r' })
    await report('again')
    expect(await farthing.chargeIn('again', 'rejected')).toMatchObject({ reason: 'budgetExhausted' })
    expect((await farthing.call('GET', '/readyz')).status).toBe(200)
    expect(await farthing.must(200, 'GET', '/v1/ledger/verify')).toMatchObject({ ok: true, sumMicros: 0 })
  },
  TEST_MS,
)
