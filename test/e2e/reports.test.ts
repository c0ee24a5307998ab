import { afterAll, beforeAll, expect, test } from 'bun:test'
import { BROWSER, eventually, Installation, type Json, type Scene } from './installation.ts'

const TEST_MS = 20_000

let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start()
})
afterAll(async () => farthing?.remove())

const day = 86_400_000
/** Midnight may pass while the tests run: what they report on goes on to the end of tomorrow. */
const from = Math.floor(Date.now() / day - 1) * day
const to = from + 3 * day
const time = (ms: number) => new Date(ms).toISOString()

async function report(query: string): Promise<Json[]> {
  const span = `from=${time(from)}&to=${time(to)}`
  return (await farthing.must(200, 'GET', `/v1/reports?${span}&${query}`)).rows
}

/** An impression of a place that has no placement here, for whom the site names as its publisher. */
async function shownFor(publisherId: string | null, scene: Scene): Promise<void> {
  const request = {
    id: crypto.randomUUID(),
    at: 1,
    imp: [{ id: '1', banner: { format: [{ w: 728, h: 90 }] } }],
    site: { domain: 'nobody.example', ...(publisherId === null ? {} : { publisher: { id: publisherId } }) },
    device: { ip: '81.2.69.142', ua: BROWSER },
  }
  const answer = await eventually(
    () => farthing.call('POST', '/openrtb2/auction', request),
    ({ status }) => status === 200,
  )
  const { cid, ext } = answer.body.seatbid[0].bid[0]
  expect(cid).toBe(scene.campaignId)
  await farthing.browse(ext.farthing.impressionUrl)
}

test(
  'publishers without a placement are each reported what the ledger pays them',
  async () => {
    const price = { model: 'cpm', amountMicros: 10_000_000 } as const
    const scene = await farthing.campaign(price, { targeting: { placements: [] } })
    const another = await farthing.must(201, 'POST', '/v1/publishers', { name: 'Another', revenueShare: 0.7 })
    // In one batch, and in another of the same minute.
    await Promise.all([scene.publisherId, another.id, another.id].map(id => shownFor(id, scene)))
    await shownFor(another.id, scene)
    await shownFor(null, scene)
    const rows = await eventually(
      () => report(`campaignId=${scene.campaignId}&groupBy=publisher&granularity=total`),
      found => found.reduce((sum, row) => sum + row.impressions, 0) === 5,
    )
    const byPublisher = Object.fromEntries(
      rows.map(row => [row.publisher, [row.impressions, row.spendMicros]]),
    )
    expect(byPublisher).toEqual({
      [scene.publisherId]: [1, 10_000],
      [another.id]: [3, 30_000],
      null: [1, 10_000],
    })
    // A block of impressions is an entry of the ledger when its second is over.
    const earned = await eventually(
      async () => {
        const { items } = await farthing.must(200, 'GET', '/v1/ledger/balances')
        const of = (id: string) => items.find(({ account }: Json) => account === `publisher:${id}`)
        return [scene.publisherId, another.id, 'unknown'].map(id => of(id)?.balanceMicros)
      },
      ([, , last]) => last !== undefined,
    )
    expect(earned).toEqual([7000, 21_000, 8000])
    await farthing.must(200, 'POST', `/v1/campaigns/${scene.campaignId}/pause`)
  },
  TEST_MS,
)

test(
  'every window of a report has a row, of each group in which something happened',
  async () => {
    const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_000_000 })
    const { impressionUrl } = await farthing.serve(scene)
    await farthing.browse(impressionUrl)
    const ask = (query: string) => report(`campaignId=${scene.campaignId}&${query}`)
    await eventually(
      () => ask('granularity=total'),
      rows => rows[0]?.impressions === 1,
    )
    const rows = await ask('granularity=hour&groupBy=campaign')
    expect(rows.map(({ window }) => window)).toEqual(
      Array.from({ length: 72 }, (_, hour) => time(from + hour * 3_600_000)),
    )
    expect(new Set(rows.map(({ campaign }) => campaign))).toEqual(new Set([scene.campaignId]))
    expect(rows.reduce((sum, row) => sum + row.spendMicros, 0)).toBe(1000)
  },
  TEST_MS,
)

test(
  'only what is wrong with a query is said of it',
  async () => {
    const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_000_000 })
    const path = `/aggregates?ad_id=${scene.adId}&end=${time(to)}`
    const { status, body } = await farthing.call('GET', path)
    expect([status, body.errors]).toEqual([400, [{ path: 'start', message: 'is required' }]])
  },
  TEST_MS,
)
