import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Answer, campaignBody, eventually, Installation, type Json } from './installation.ts'
import { schemaFaults } from './schema-faults.ts'

/** What the server answers, held to what its own document says of it. */

const TEST_MS = 30_000
const HUMAN_MS = 650

let farthing: Installation
let document: Json
beforeAll(async () => {
  farthing = await Installation.start()
  document = await farthing.must(200, 'GET', '/openapi.json')
})
afterAll(async () => farthing?.remove())

const held = new Set<string>()

/** Asks, and holds the answer to the document: its status, its type, and every field at any depth. */
async function hold(status: number, method: string, path: string, body?: Json, headers = {}): Promise<Json> {
  const answer = await farthing.call(method, path, body, headers)
  expect([method, path, answer.status, answer.status === status ? '' : answer.text]).toEqual([
    method,
    path,
    status,
    '',
  ])
  holdAnswer(method, path, answer)
  if (status === 201) await holdLocation(method, path, answer)
  return answer.body
}

/** What was made is where the answer says. A refund is a state of its charge. */
async function holdLocation(method: string, path: string, { headers, body }: Answer): Promise<void> {
  const location = headers.get('location') ?? 'nowhere'
  const { id, eventId } = (await farthing.call('GET', location)).body
  const expected = path.endsWith('/refund') ? { eventId: body.eventId } : { id: body.id }
  expect({ id, eventId }, `${method} ${path}: ${location}`).toMatchObject(expected)
}

function holdAnswer(method: string, path: string, answer: Answer): void {
  const operation = `${method} ${nameOf(path, method)}`
  const said = document.paths[nameOf(path, method)][method.toLowerCase()].responses[answer.status]
  expect(said, `${operation} ${answer.status}`).toBeDefined()
  held.add(operation)
  const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
  if (said.content === undefined) {
    expect([operation, answer.text]).toEqual([operation, ''])
    return
  }
  expect(Object.keys(said.content), operation).toContain(type)
  if (type.endsWith('json'))
    expect([operation, schemaFaults(document, said.content[type].schema, answer.body)]).toEqual([
      operation,
      [],
    ])
}

/** The path of the document that a path asked for is of: the one with the fewest parameters. */
function nameOf(path: string, method: string): string {
  const asked = path.split('?')[0]!
  const names = Object.keys(document.paths).filter(
    name =>
      document.paths[name][method.toLowerCase()] !== undefined &&
      new RegExp(`^${name.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(asked),
  )
  const parameters = (name: string) => name.split('{').length
  const [found] = names.sort((a, b) => parameters(a) - parameters(b))
  if (found === undefined) throw new Error(`${method} ${path} is not in the document`)
  return found
}

test(
  'every operation answers as the document says, with every field of it and no other',
  async () => {
    await accounts()
    const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
    await campaigns(scene.advertiserId, scene.campaignId, scene.adId)
    const charged = await serving(scene.placementId)
    await events(scene.adId)
    await books(charged, scene.adId)
    const all = Object.entries<Json>(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
    )
    expect(all.filter(operation => !held.has(operation))).toEqual([])
  },
  TEST_MS,
)

async function accounts(): Promise<void> {
  const key = await hold(201, 'POST', '/v1/keys', { role: 'reader' })
  await hold(200, 'GET', '/v1/keys')
  await hold(200, 'GET', `/v1/keys/${key.id}`)
  await hold(204, 'DELETE', `/v1/keys/${key.id}`)
  const advertiser = `/v1/advertisers/${(await hold(201, 'POST', '/v1/advertisers', { name: 'A' })).id}`
  const deposit = await hold(201, 'POST', `${advertiser}/deposits`, { amountMicros: 5 })
  await hold(200, 'GET', `${advertiser}/deposits`)
  await hold(200, 'GET', `${advertiser}/deposits/${deposit.id}`)
  const { id: publisherId } = await hold(201, 'POST', '/v1/publishers', { name: 'P' })
  const body = { publisherId, name: 'Top', format: { w: 1, h: 1 } }
  const placement = `/v1/placements/${(await hold(201, 'POST', '/v1/placements', body)).id}`
  for (const path of [advertiser, `/v1/publishers/${publisherId}`, placement]) {
    await hold(200, 'GET', path.slice(0, path.lastIndexOf('/')))
    await hold(200, 'GET', path)
    await hold(200, 'PATCH', path, { name: 'B' })
    await hold(200, 'GET', `${path}/history`)
    await hold(400, 'PATCH', path, { name: null })
  }
  await hold(415, 'POST', '/v1/publishers', '{}', { 'Content-Encoding': 'gzip' })
}

async function campaigns(advertiserId: string, campaignId: string, adId: string): Promise<void> {
  const bid = { model: 'cpm', amountMicros: 1 } as const
  const elsewhere = { targeting: { domains: ['elsewhere.example'] } }
  await hold(201, 'POST', '/v1/campaigns', campaignBody(advertiserId, bid, elsewhere))
  await hold(422, 'POST', '/v1/campaigns', campaignBody('adv_zzzz', bid))
  const path = `/v1/campaigns/${campaignId}`
  await hold(200, 'GET', '/v1/campaigns')
  await hold(200, 'PATCH', path, { name: 'C' })
  await hold(200, 'POST', `${path}/pause`)
  await hold(200, 'POST', `${path}/resume`)
  const creative = { kind: 'html', w: 2, h: 2, html: 'x' }
  await hold(201, 'POST', `${path}/ads`, { name: 'B', landingUrl: 'https://b.example/', creative })
  for (const way of ['', '/history', '/explain', '/ads']) await hold(200, 'GET', path + way)
  await hold(200, 'GET', '/v1/ads')
  await hold(200, 'GET', `/v1/ads/${adId}`)
  await hold(200, 'PATCH', `/v1/ads/${adId}`, { name: 'D' })
}

/** The id of an impression whose click was charged. */
async function serving(placementId: string): Promise<string> {
  const path = `/serve?placement=${placementId}`
  const browse = async (url: string): Promise<Answer> => {
    const response = await farthing.browse(url)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    }
  }
  const shown = await eventually(
    () => browse(`${path}&format=json`),
    ({ status }) => status === 200,
  )
  holdAnswer('GET', path, shown)
  holdAnswer('GET', path, await browse(path))
  const { impressionId, impressionUrl, clickUrl } = shown.body
  holdAnswer('GET', '/i', await browse(impressionUrl))
  await Bun.sleep(HUMAN_MS)
  holdAnswer('GET', '/click', await browse(clickUrl))
  holdAnswer('GET', '/click', await browse('/click?t=forged'))
  holdAnswer('GET', '/click', await browse('/click?adId=ad_zzzz'))
  await hold(404, 'GET', '/serve?placement=plc_zzzz')
  const imp = [{ id: '1', tagid: placementId, banner: { w: 728, h: 90 } }]
  await hold(200, 'POST', '/openrtb2/auction', { id: '1', imp })
  await hold(204, 'POST', '/openrtb2/auction', { id: '1', imp: [{ id: '1', banner: { w: 3, h: 3 } }] })
  await hold(400, 'POST', '/openrtb2/auction', { id: '1' })
  await hold(415, 'POST', '/openrtb2/auction', { id: '1', imp }, { 'Content-Encoding': 'br' })
  for (const health of ['/tag.js', '/livez', '/readyz', '/metrics']) await hold(200, 'GET', health)
  await farthing.chargeIn(impressionId, 'charged')
  return impressionId
}

async function events(adId: string): Promise<void> {
  const timestamp = new Date().toISOString()
  for (const kind of ['click', 'impression']) {
    const of = (id: string, ad: string) => ({ [`${kind}_id`]: id, ad_id: ad, timestamp })
    await hold(202, 'POST', `/events/${kind}`, [of('a', adId), of('b', 'ad_zzzz'), {}])
    await hold(400, 'POST', `/events/${kind}`, of('c', 'ad_zzzz'))
  }
  await farthing.chargeIn('a', 'charged')
}

async function books(eventId: string, adId: string): Promise<void> {
  await hold(200, 'GET', `/v1/charges/${eventId}`)
  await hold(201, 'POST', `/v1/charges/${eventId}/refund`, { reason: 'r', amountMicros: 5 })
  await hold(422, 'POST', `/v1/charges/${eventId}/refund`, { reason: 'r', amountMicros: 1_000_000 })
  await hold(200, 'GET', '/v1/ledger/balances')
  await hold(200, 'GET', '/v1/ledger/verify')
  const block = await blockOfTwo()
  const { items } = await hold(200, 'GET', '/v1/ledger/entries?limit=200')
  const single = items.find((entry: Json) => entry.kind === 'deposit').id
  expect((await hold(404, 'GET', `/v1/ledger/entries/${single}/charges`)).detail).toContain('is no block')
  expect((await hold(404, 'GET', '/v1/ledger/entries/ent_zzz/charges')).detail).toBe(
    'There is no such entry.',
  )
  await hold(200, 'GET', `/v1/ledger/entries/${block}`)
  await hold(200, 'GET', `/v1/ledger/entries/${block}/charges`)
  const page = await hold(200, 'GET', `/v1/ledger/entries/${block}/charges?limit=1`)
  await hold(200, 'GET', `/v1/ledger/entries/${block}/charges?limit=1&cursor=${page.nextCursor}`)
  const day = 'start=2026-11-01T00:00:00Z&end=2026-11-02T00:00:00Z'
  await hold(200, 'GET', `/aggregates?ad_id=${adId}&${day}`)
  await hold(200, 'GET', `/aggregates/realtime?ad_id=${adId}`)
  for (const query of ['', '?granularity=total', '?groupBy=campaign,country', '?groupBy=placement,device'])
    await hold(200, 'GET', `/v1/reports${query}`)
  await hold(200, 'GET', '/v1/reports', undefined, { Accept: 'text/csv' })
}

/** The entry of two impressions that were charged together. */
async function blockOfTwo(): Promise<string> {
  const scene = await farthing.campaign({ model: 'cpm', amountMicros: 1_000_000 })
  const shown = [await farthing.serve(scene), await farthing.serve(scene)]
  await Promise.all(shown.map(({ impressionUrl }) => farthing.browse(impressionUrl)))
  for (const { impressionId } of shown) await farthing.chargeIn(impressionId, 'charged')
  const account = `advertiser:${scene.advertiserId}`
  const { items } = await farthing.must(200, 'GET', `/v1/ledger/entries?account=${account}`)
  return items.find((entry: Json) => entry.kind === 'impressions').id
}

test('a body that the document allows is taken, and one that it does not is refused by the same field', async () => {
  const body = document.paths['/v1/campaigns/{id}'].patch.requestBody.content['application/json'].schema
  const scene = await farthing.campaign({ model: 'cpc', amountMicros: 100_000 })
  const patches: readonly [Json, number][] = [
    [{ budget: null, frequencyCap: null, pacing: null, schedule: { dayparts: null } }, 200],
    [{ name: null }, 400],
    [{ bid: null }, 400],
    [{ bid: { amountMicros: null } }, 400],
    [{ frequencyCap: { impressions: null, perSeconds: 1 } }, 400],
  ]
  for (const [patch, status] of patches) {
    const { status: answered } = await farthing.call('PATCH', `/v1/campaigns/${scene.campaignId}`, patch)
    expect([patch, answered, schemaFaults(document, body, patch).length === 0]).toEqual([
      patch,
      status,
      status === 200,
    ])
  }
})
