import { beforeEach, describe, expect, test } from 'bun:test'
import { parseId } from '../../core/ids.ts'
import { AD, EVENT, populated } from './test-installation.ts'

let made: Awaited<ReturnType<typeof populated>>
beforeEach(async () => {
  made = await populated()
})

describe('who may', () => {
  type Who = keyof typeof made.keys
  type Row = [method: string, path: string, body: unknown, statuses: Partial<Record<Who, number>>]
  const rows: Row[] = [
    [
      'GET',
      '/v1/keys',
      undefined,
      { none: 401, wrong: 401, admin: 200, advertiser: 403, everyReader: 403, ingest: 403 },
    ],
    ['POST', '/v1/keys', { role: 'admin' }, { admin: 201, advertiser: 403, reader: 403 }],
    [
      'POST',
      '/v1/advertisers',
      { name: 'a' },
      { admin: 201, advertiser: 403, publisher: 403, reader: 403, everyReader: 403 },
    ],
    [
      'GET',
      '/v1/advertisers/$advertiser',
      undefined,
      { admin: 200, advertiser: 200, reader: 200, everyReader: 200, rival: 404, publisher: 403, ingest: 403 },
    ],
    ['PATCH', '/v1/advertisers/$advertiser', { name: 'b' }, { admin: 200, advertiser: 403, reader: 403 }],
    [
      'GET',
      '/v1/advertisers/$advertiser/deposits',
      undefined,
      { admin: 200, advertiser: 200, reader: 200, everyReader: 200, rival: 404, publisher: 403, ingest: 403 },
    ],
    [
      'GET',
      '/v1/advertisers/$advertiser/deposits/dep_1',
      undefined,
      { admin: 404, advertiser: 404, reader: 404, everyReader: 404, rival: 404, publisher: 403, ingest: 403 },
    ],
    [
      'POST',
      '/v1/advertisers/$advertiser/deposits',
      { amountMicros: 5 },
      { admin: 201, advertiser: 403, reader: 403 },
    ],
    [
      'GET',
      '/v1/publishers/$publisher',
      undefined,
      { admin: 200, publisher: 200, advertiser: 403, reader: 403 },
    ],
    [
      'PATCH',
      '/v1/placements/$placement',
      { name: 'b' },
      { admin: 200, publisher: 200, advertiser: 403, reader: 403 },
    ],
    [
      'GET',
      '/v1/campaigns/$campaign',
      undefined,
      {
        none: 401,
        admin: 200,
        advertiser: 200,
        reader: 200,
        everyReader: 200,
        rival: 404,
        publisher: 403,
        ingest: 403,
      },
    ],
    [
      'PATCH',
      '/v1/campaigns/$campaign',
      { name: 'b' },
      { admin: 200, advertiser: 200, rival: 404, reader: 403, everyReader: 403 },
    ],
    [
      'POST',
      '/v1/campaigns/$campaign/pause',
      undefined,
      { admin: 200, advertiser: 200, rival: 404, reader: 403 },
    ],
    ['POST', '/v1/campaigns/$campaign/ads', AD, { admin: 201, advertiser: 201, rival: 404, reader: 403 }],
    [
      'PATCH',
      '/v1/ads/$ad',
      { name: 'b' },
      { admin: 200, advertiser: 200, rival: 404, reader: 403, publisher: 403 },
    ],
    ['GET', '/v1/ads/$ad', undefined, { admin: 200, advertiser: 200, rival: 404, reader: 200 }],
    ['GET', '/v1/campaigns/$campaign/history', undefined, { admin: 200, reader: 200, rival: 404 }],
    ['GET', '/v1/campaigns/$campaign/explain', undefined, { admin: 200, reader: 200, rival: 404 }],
    [
      'GET',
      `/v1/charges/${EVENT}`,
      undefined,
      { admin: 200, advertiser: 200, reader: 200, rival: 404, publisher: 403 },
    ],
    ['POST', `/v1/charges/${EVENT}/refund`, { reason: 'r' }, { admin: 201, advertiser: 403, reader: 403 }],
    [
      'GET',
      '/v1/ledger/entries',
      undefined,
      { admin: 200, everyReader: 200, advertiser: 403, publisher: 403 },
    ],
    ['GET', '/v1/ledger/verify', undefined, { admin: 200, everyReader: 200, advertiser: 403 }],
    [
      'GET',
      '/aggregates?ad_id=$ad&start=2026-11-01T00:00:00Z&end=2026-11-01T01:00:00+01:00',
      undefined,
      { admin: 200, advertiser: 200, rival: 404, publisher: 403, none: 401 },
    ],
    ['GET', '/aggregates/realtime?ad_id=$ad', undefined, { admin: 200, advertiser: 200, rival: 404 }],
    [
      'GET',
      '/v1/reports',
      undefined,
      { admin: 200, advertiser: 200, publisher: 200, reader: 200, ingest: 403 },
    ],
    ['GET', '/v1/reports?advertiserId=$advertiser', undefined, { admin: 200, advertiser: 200, rival: 404 }],
    [
      'GET',
      '/v1/reports?campaignId=$campaign',
      undefined,
      { admin: 200, advertiser: 200, publisher: 200, rival: 404 },
    ],
    ['GET', '/v1/campaigns?advertiserId=$advertiser', undefined, { admin: 200, advertiser: 200, rival: 404 }],
  ]
  const cases = rows.flatMap(([method, path, body, statuses]) =>
    Object.entries(statuses).map(([who, status]) => [method, path, who as Who, status, body] as const),
  )
  test.each(cases)('%s %s as %s is %d', async (method, path, who, status, body) => {
    const filled = path.replace(/\$(\w+)/, (_, name) => String(made[name as 'campaign']))
    const answer = await made.call(method, filled, body, made.keys[who])
    expect([answer.status, answer.text]).toEqual([status, answer.text])
    if (status >= 400) {
      expect(answer.headers.get('content-type')).toBe('application/problem+json')
      expect(answer.body).toMatchObject({ status, type: 'about:blank', title: expect.any(String) })
    }
  })

  test("a campaign for another's account is 404, for nobody's 422", async () => {
    const { call, keys, campaignBody, rival } = made
    expect(
      (await call('POST', '/v1/campaigns', { ...campaignBody, advertiserId: rival }, keys.advertiser)).status,
    ).toBe(404)
    const answer = await call('POST', '/v1/campaigns', { ...campaignBody, advertiserId: 'adv_zzz' })
    expect(answer.status).toBe(422)
    expect(answer.body.errors[0].path).toBe('advertiserId')
  })

  test('lists hold what belongs to the account', async () => {
    const list = async (path: string, key: string) =>
      (await made.call('GET', path, undefined, key)).body.items.map((item: { id: string }) => item.id)
    expect(await list('/v1/campaigns', made.keys.advertiser)).toEqual([made.campaign])
    expect(await list('/v1/campaigns', 'admin')).toEqual([made.campaign, made.rivalCampaign])
    expect(await list('/v1/advertisers', made.keys.rival)).toEqual([made.rival])
    expect(await list('/v1/placements', made.keys.publisher)).toEqual([made.placement])
  })

  test.each(['advertiser', 'publisher'] as const)(
    'balances show the account of the %s its own',
    async kind => {
      const { body } = await made.call('GET', '/v1/ledger/balances', undefined, made.keys[kind])
      expect(body.items.map((item: { account: string }) => item.account)).toEqual([`${kind}:${made[kind]}`])
    },
  )

  test('a report is narrowed to the account that asks', async () => {
    await made.call('GET', '/v1/reports', undefined, made.keys.publisher)
    await made.call('GET', '/v1/reports', undefined, made.keys.advertiser)
    expect(made.installation.reports).toMatchObject([
      { publisher: parseId('publisher', made.publisher), advertiser: null },
      { publisher: null, advertiser: parseId('advertiser', made.advertiser) },
    ])
  })

  test('a revoked key opens nothing', async () => {
    const { call, keys } = made
    const listed = (await call('GET', '/v1/keys')).body.items as {
      id: string
      role: string
      secretHash?: string
    }[]
    expect(listed.every(key => key.secretHash === undefined)).toBe(true)
    const id = listed.find(key => key.role === 'ingest')!.id
    const revoked = await call('DELETE', `/v1/keys/${id}`)
    expect([revoked.status, revoked.text]).toEqual([204, ''])
    expect((await call('GET', '/v1/reports', undefined, keys.ingest)).status).toBe(401)
  })
})
