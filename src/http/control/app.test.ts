import { beforeEach, describe, expect, test } from 'bun:test'
import { parseId, partitionOf } from '../../core/ids.ts'
import { AD, EVENT, NOW, populated } from './test-installation.ts'

let made: Awaited<ReturnType<typeof populated>>
beforeEach(async () => {
  made = await populated()
})

describe('an Idempotency-Key', () => {
  const once = { 'Idempotency-Key': 'once' }

  test('gives the first answer again, and makes nothing twice', async () => {
    const { call, installation } = made
    const first = await call('POST', '/v1/advertisers', { name: 'a', email: null }, 'admin', once)
    const size = installation.stored.size
    const second = await call('POST', '/v1/advertisers', { email: null, name: 'a' }, 'admin', once)
    expect(second.body).toEqual(first.body)
    expect(second.status).toBe(201)
    expect(installation.stored.size).toBe(size)
  })

  test.each([
    ['body', '/v1/advertisers', { name: 'b' }],
    ['path', '/v1/publishers', { name: 'a' }],
  ])('with another %s is 409', async (_what, path, body) => {
    await made.call('POST', '/v1/advertisers', { name: 'a' }, 'admin', once)
    expect((await made.call('POST', path, body, 'admin', once)).status).toBe(409)
  })

  test('is scoped to the account', async () => {
    const { call, keys, campaignBody, rival } = made
    expect((await call('POST', '/v1/campaigns', campaignBody, keys.advertiser, once)).status).toBe(201)
    const other = await call(
      'POST',
      '/v1/campaigns',
      { ...campaignBody, advertiserId: rival },
      keys.rival,
      once,
    )
    expect(other.status).toBe(201)
  })

  test('shows a new key once', async () => {
    const first = await made.call('POST', '/v1/keys', { role: 'admin' }, 'admin', once)
    const second = await made.call('POST', '/v1/keys', { role: 'admin' }, 'admin', once)
    expect(first.body.key).toStartWith('secret-')
    expect(second.body).toEqual({ ...first.body, key: null })
    expect(first.body).not.toHaveProperty('secretHash')
  })

  test('gives an added ad again, though others came after it', async () => {
    const path = `/v1/campaigns/${made.campaign}/ads`
    const first = await made.call('POST', path, { ...AD, name: 'Second' }, 'admin', once)
    await made.call('POST', path, { ...AD, name: 'Third' })
    const again = await made.call('POST', path, { ...AD, name: 'Second' }, 'admin', once)
    expect(first.body).toMatchObject({ name: 'Second', campaignId: made.campaign })
    expect(again.body).toEqual(first.body)
  })

  test.each(['', 'x'.repeat(256)])('of %p characters is 400', async key => {
    const answer = await made.call('POST', '/v1/advertisers', { name: 'a' }, 'admin', {
      'Idempotency-Key': key,
    })
    expect(answer.status).toBe(400)
  })
})

describe('refused', () => {
  type Row = [title: string, method: string, path: string, body: unknown, status: number, at: string | null]
  const rows: Row[] = [
    ['malformed JSON', 'POST', '/v1/advertisers', '{', 400, null],
    ['a missing body', 'POST', '/v1/advertisers', undefined, 400, ''],
    ['an array', 'POST', '/v1/advertisers', [], 400, ''],
    ['deep nesting', 'POST', '/v1/advertisers', '['.repeat(10_000), 400, null],
    [
      'a prototype',
      'POST',
      '/v1/advertisers',
      '{"name":"a","__proto__":{"verified":true}}',
      400,
      '__proto__',
    ],
    ['an unknown field', 'POST', '/v1/advertisers', { name: 'a', colour: 1 }, 400, 'colour'],
    ['a body over a mebibyte', 'POST', '/v1/advertisers', `{"name":"${'a'.repeat(1 << 20)}"}`, 413, null],
    [
      'an unknown zone',
      'PATCH',
      '/v1/campaigns/$campaign',
      { schedule: { timeZone: 'Mars/Base' } },
      400,
      'schedule.timeZone',
    ],
    [
      // As it was said it is of the year 9999; in UTC, as it is kept, it is not.
      'an end behind all years',
      'PATCH',
      '/v1/campaigns/$campaign',
      { schedule: { endAt: '9999-12-31T23:59:59-05:00' } },
      400,
      'schedule.endAt',
    ],
    [
      'a placement that is not there',
      'PATCH',
      '/v1/campaigns/$campaign',
      { targeting: { placements: ['$placement', 'plc_zz'] } },
      422,
      'targeting.placements[1]',
    ],
    ['a patch of ads', 'PATCH', '/v1/campaigns/$campaign', { ads: [] }, 422, 'ads'],
    ['a body for pause', 'POST', '/v1/campaigns/$campaign/pause', { now: true }, 400, 'now'],
    [
      'a deposit of 0',
      'POST',
      '/v1/advertisers/$advertiser/deposits',
      { amountMicros: 0 },
      400,
      'amountMicros',
    ],
    ['a refund without reason', 'POST', `/v1/charges/${EVENT}/refund`, {}, 400, 'reason'],
    ['a refund of nothing there', 'POST', '/v1/charges/unknown/refund', { reason: 'r' }, 404, null],
    ['an id that is none', 'GET', '/v1/campaigns/x', undefined, 404, null],
    ['an id of another partition count', 'GET', '/v1/campaigns/cmp_7y', undefined, 404, null],
    ['a limit of 0', 'GET', '/v1/campaigns?limit=0', undefined, 400, 'limit'],
    ['a limit of 201', 'GET', '/v1/campaigns?limit=201', undefined, 400, 'limit'],
    ['a cursor of another list', 'GET', '/v1/campaigns?cursor=ent_1', undefined, 400, 'cursor'],
    ['an entry’s cursor that is a number', 'GET', '/v1/ledger/entries?cursor=7', undefined, 400, 'cursor'],
    ['an ad’s cursor that is a number', 'GET', '/v1/ads?cursor=7', undefined, 400, 'cursor'],
    ['an entry that none can be', 'GET', '/v1/ledger/entries?after=ent_zzzzzzzzzzz', undefined, 400, 'after'],
    ['a parameter that is given twice', 'GET', '/v1/campaigns?limit=1&limit=2', undefined, 400, 'limit'],
    [
      'a cursor of no ad of the list',
      'GET',
      '/v1/ads?campaignId=$campaign&cursor=ad_z',
      undefined,
      400,
      'cursor',
    ],
    ['an unknown parameter', 'GET', '/v1/campaigns?advertiserID=x', undefined, 400, 'advertiserID'],
    ['a time that is none', 'GET', '/v1/reports?from=yesterday', undefined, 400, 'from'],
    ['a time behind all years', 'GET', '/v1/reports?to=9999-12-31T23:59:59-05:00', undefined, 400, 'to'],
    ['an unknown dimension', 'GET', '/v1/reports?groupBy=campaign,mood', undefined, 400, 'groupBy'],
    [
      'too many windows',
      'GET',
      '/v1/reports?from=2020-01-01T00:00:00Z&granularity=minute',
      undefined,
      400,
      'to',
    ],
    [
      'no ad',
      'GET',
      '/aggregates?start=2026-11-01T00:00:00Z&end=2026-11-01T01:00:00Z',
      undefined,
      400,
      'ad_id',
    ],
    ['an endless window', 'GET', '/aggregates/realtime?ad_id=$ad&window=8d', undefined, 400, 'window'],
    ['a path that is not there', 'GET', '/v1/nothing', undefined, 404, null],
    ['a method that is not there', 'PUT', '/v1/campaigns/$campaign', {}, 405, null],
  ]
  test.each(rows)('%s: %s %s', async (_title, method, path, body, status, at) => {
    const fill = (text: string) => text.replace(/\$(\w+)/g, (_, name) => String(made[name as 'campaign']))
    const sent = body === undefined ? undefined : fill(typeof body === 'string' ? body : JSON.stringify(body))
    const before = made.installation.stored.size
    const answer = await made.call(method, fill(path), sent)
    expect([answer.status, answer.text.slice(0, 300)]).toEqual([status, answer.text.slice(0, 300)])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    if (at !== null) expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(at)
    if (status === 405) expect(answer.headers.get('allow')).toBe('GET, HEAD, PATCH')
    expect(made.installation.stored.size).toBe(before)
  })

  test('reports of more than 50,000 windows', async () => {
    const until = (to: string) =>
      made.call('GET', `/v1/reports?from=2026-09-01T00:00:00Z&to=${to}&granularity=minute`)
    expect((await until('2026-10-05T17:21:00Z')).status).toBe(400)
    expect((await until('2026-10-05T17:20:00Z')).status).toBe(200)
  })

  test('a body that nests beyond 32 levels, which it is told; one within them for its field', async () => {
    const nested = (lists: number) => `{"name":"a","colour":${'['.repeat(lists)}${']'.repeat(lists)}}`
    const over = await made.call('POST', '/v1/advertisers', nested(32))
    expect([over.status, over.body.detail]).toEqual([400, 'The body nests deeper than 32 levels.'])
    const within = await made.call('POST', '/v1/advertisers', nested(31))
    expect([within.status, within.body.errors[0].path]).toEqual([400, 'colour'])
  })

  test('a body within its limit that makes no record with what goes with it', async () => {
    const before = made.installation.submitted.length
    const creative = { kind: 'html', w: 1, h: 1, html: 'x'.repeat(65_000) }
    const ads = Array.from({ length: 16 }, () => ({ ...AD, creative }))
    const answer = await made.call('POST', '/v1/campaigns', { ...made.campaignBody, ads })
    expect(answer.status).toBe(413)
    expect(made.installation.submitted).toHaveLength(before)
  })

  test.each([
    ['an edit that is not decided in time', 'POST', '/v1/advertisers', { name: 'a' }],
    ['what cannot be read now', 'GET', '/v1/ledger/verify', undefined],
  ])('%s is 503 with Retry-After', async (_what, method, path, body) => {
    made.installation.unavailable = true
    const answer = await made.call(method, path, body)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  })
})

test('a command carries the body as sent, to where its entity lives', async () => {
  const { call, campaign, installation } = made
  await call('PATCH', `/v1/campaigns/${campaign}`, { budget: { dailyMicros: 5 } })
  expect(installation.submitted.at(-1)).toMatchObject({
    name: 'patchCampaign',
    target: parseId('campaign', campaign),
    home: partitionOf(parseId('campaign', campaign)!),
    body: { budget: { dailyMicros: 5 } },
    actor: { keyId: 'key_0', role: 'admin', accountId: null },
    at: NOW,
  })
})

test('a refund goes to the partition of its campaign', async () => {
  await made.call('POST', `/v1/charges/${EVENT}/refund`, { reason: 'asked for', amountMicros: 5 })
  const { name, home, body } = made.installation.submitted.at(-1)!
  expect({ name, home, body }).toEqual({
    name: 'refund',
    home: partitionOf(parseId('campaign', made.campaign)!),
    body: { eventId: EVENT, reason: 'asked for', amountMicros: 5 },
  })
})

test.each([
  ['pending', 409],
  ['reserved', 409],
  ['rejected', 422],
  ['charged', 201],
  ['refunded', 201],
])('a refund of a charge that is %s is %d', async (state, status) => {
  const { call, installation } = made
  installation.charge = { ...installation.charge!, state }
  const before = installation.submitted.length
  const answer = await call('POST', `/v1/charges/${EVENT}/refund`, { reason: 'r' })
  expect([answer.status, installation.submitted.length - before]).toEqual([status, status === 201 ? 1 : 0])
})

test('pause and resume answer the campaign', async () => {
  const paused = await made.call('POST', `/v1/campaigns/${made.campaign}/pause`)
  expect([paused.status, paused.body.id, paused.body.paused]).toEqual([200, made.campaign, true])
  expect((await made.call('POST', `/v1/campaigns/${made.campaign}/resume`, {})).body.paused).toBe(false)
})

test('ads page in their order', async () => {
  for (const name of ['b', 'c'])
    await made.call('POST', `/v1/campaigns/${made.campaign}/ads`, { ...AD, name })
  const first = await made.call('GET', `/v1/ads?campaignId=${made.campaign}&limit=2`)
  expect(first.body.items.map((ad: { name: string }) => ad.name)).toEqual(['Leaderboard', 'b'])
  const second = await made.call(
    'GET',
    `/v1/ads?campaignId=${made.campaign}&limit=2&cursor=${first.body.nextCursor}`,
  )
  expect(second.body.items.map((ad: { name: string }) => ad.name)).toEqual(['c'])
  expect(second.body.nextCursor).toBeNull()
})

test('a campaign with all the placements that it may have leaves room for the look-ups of others', async () => {
  const { call, installation, campaign, placement, publisher } = made
  const other = (
    await call('POST', '/v1/placements', { publisherId: publisher, name: 'b', format: { w: 1, h: 1 } })
  ).body.id
  const placements = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? placement : other))
  const patched = (targeting: object) => call('PATCH', `/v1/campaigns/${campaign}`, { targeting })
  installation.lookUpsMax = 50
  expect((await patched({ placements })).status).toBe(200)
  const unknown = Array.from({ length: 1000 }, (_, i) => `plc_${(i + 1).toString(36)}0`)
  const { status, body } = await patched({ placements: [placement, ...unknown.slice(1)] })
  expect([status, body.errors.length, body.errors[0].path]).toEqual([422, 999, 'targeting.placements[1]'])
})

test('a body that breaks off is no fault of ours', async () => {
  let sent = 0
  const body = new ReadableStream({
    pull: controller => {
      if (sent++ === 0) controller.enqueue(new TextEncoder().encode('{"name":'))
      else controller.error(new DOMException('The connection was closed.', 'AbortError'))
    },
  })
  const headers = { Authorization: 'Bearer admin' }
  const answer = await made.app.request('/v1/advertisers', { method: 'POST', headers, body })
  expect([answer.status, ((await answer.json()) as { detail: string }).detail]).toEqual([
    400,
    'The body broke off.',
  ])
})

test('a cursor is not called wrong where it could not be looked up', async () => {
  const ofAds = `/v1/ads?cursor=${made.ad}`
  made.installation.lookUpsMax = 0
  const busy = await made.call('GET', ofAds)
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1'])
  made.installation.lookUpsMax = 1
  expect((await made.call('GET', ofAds)).status).toBe(200)
  expect((await made.call('GET', '/v1/ads?cursor=ad_zz')).body.errors[0].path).toBe('cursor')
})

test('ads of more campaigns than are read at once are all listed, each once', async () => {
  for (let i = 0; i < 21; i++) await made.call('POST', '/v1/campaigns', made.campaignBody)
  const ids: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await made.call('GET', `/v1/ads?limit=20${cursor === '' ? '' : `&cursor=${cursor}`}`)
    ids.push(...page.body.items.map((ad: { id: string }) => ad.id))
    cursor = page.body.nextCursor
  }
  expect([ids.length, new Set(ids).size]).toEqual([23, 23])
})

test.each([
  ['limit=1', ['a'], '1'],
  ['limit=1&cursor=1', ['b'], null],
  ['limit=2', ['a', 'b'], null],
  ['limit=200', ['a', 'b'], null],
  ['', ['a', 'b'], null],
])('the charges of a block, asked for with "%s"', async (query, items, nextCursor) => {
  const { body } = await made.call('GET', `/v1/ledger/entries/ent_1/charges?${query}`)
  expect(body).toEqual({ items, nextCursor })
})

test('a report is CSV where that is accepted', async () => {
  const answer = await made.call('GET', '/v1/reports?groupBy=country', undefined, 'admin', {
    Accept: 'text/csv',
  })
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  expect(answer.headers.get('farthing-final')).toBe('false')
  expect(answer.text).toBe(
    'window,country,impressions,clicks,charges,spendMicros,rejected\r\n2026-11-01T00:00:00.000Z,USA,2,1,1,-5,0\r\n',
  )
})

test('the document and its page describe every operation', async () => {
  const document = (await made.call('GET', '/openapi.json', undefined, '')).body
  expect(document.openapi).toBe('3.1.0')
  const operations = Object.entries(document.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item).map(method => [method, path] as const),
  )
  expect(operations.length).toBeGreaterThan(45)
  const page = await made.call('GET', '/docs', undefined, '')
  expect(page.headers.get('content-type')).toStartWith('text/html')
  for (const [method, path] of operations) {
    expect(page.text).toContain(`<b class="${method}">${method.toUpperCase()}</b> ${path}`)
  }
  expect(page.text).not.toMatch(/<script|src="|href="http/)
})
