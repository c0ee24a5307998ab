import { beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import type { ApiKey, Campaign } from '../../campaigns/campaign.ts'
import { type Directory, decideEdit, type Entity } from '../../campaigns/edit.ts'
import { entityNumber, parseId, partitionOf } from '../../core/ids.ts'
import {
  type CommandOutcome,
  type Commands,
  CommandsUnavailable,
  type EntityTable,
  type Queries,
  type ReportQuery,
} from '../../ports/control.ts'
import type { Command } from '../../records/events.ts'
import { controlApp } from './app.ts'

const NOW = Date.UTC(2026, 10, 1, 12)
const PARTITIONS = 4
const EVENT = '019a3c00-0000-7000-8000-003000000001'

/** The log and the store in memory: commands are decided by the real decider, claims first. */
class Installation implements Commands, Directory {
  readonly partitions = PARTITIONS
  readonly stored = new Map<string, Entity>()
  readonly claims = new Map<string, { bodyHash: string; outcome: CommandOutcome }>()
  readonly submitted: Command[] = []
  readonly reports: ReportQuery[] = []
  charge: (Record<string, unknown> & { advertiserId: string }) | null = null
  unavailable = false
  #sequence = 0

  get(kind: EntityTable, number: number): never | undefined {
    return this.stored.get(`${kind} ${number}`) as never | undefined
  }

  async submit(partition: number, command: Command): Promise<CommandOutcome> {
    if (this.unavailable) throw new CommandsUnavailable('the log is away')
    expect(partition).toBe(command.claim?.partition ?? command.home)
    this.submitted.push(command)
    if (command.claim === undefined) return this.#decide(command)
    const { key, bodyHash } = command.claim
    const first = this.claims.get(key)
    if (first === undefined) {
      const outcome = this.#decide(command)
      this.claims.set(key, { bodyHash, outcome })
      return outcome
    }
    if (first.bodyHash !== bodyHash) return { status: 409, body: { detail: 'Another body.', errors: [] } }
    return { status: first.outcome.status, body: { ...(first.outcome.body as object), replayed: true } }
  }

  #decide(command: Command): CommandOutcome {
    if (command.name === 'deposit' || command.name === 'refund') {
      return { status: 201, body: { id: 'dep_1', ...(command.body as object) } }
    }
    const outcome = decideEdit(this, command, {
      now: command.at,
      nextNumber: () => entityNumber(++this.#sequence, command.home),
    })
    if (!outcome.ok)
      return { status: outcome.status, body: { detail: outcome.detail, errors: outcome.errors } }
    const { status, kind, number, entity } = outcome.value
    expect(partitionOf(number)).toBe(command.home)
    this.stored.set(`${kind} ${number}`, entity)
    return { status, body: status === 204 ? null : { ...entity } }
  }

  queries(): Queries {
    const page = (items: readonly unknown[]) => ({ items, nextCursor: null })
    return {
      entity: async (table, number) => this.get(table, number) ?? null,
      list: async (table, { owner }, limit) =>
        page(
          [...this.stored]
            .filter(([key]) => key.startsWith(`${table} `))
            .map(([, entity]) => entity)
            .filter(entity => owner === null || ownerOf(entity) === owner)
            .slice(0, limit),
        ),
      history: async () => page([{ action: 'create' }]),
      charge: async eventId => (this.charge?.['eventId'] === eventId ? this.charge : null),
      balances: async () => ({
        items: [
          { account: 'cash', balanceMicros: -1 },
          ...[...this.stored.values()].map(entity => ({
            account: `advertiser:${entity.id}`,
            balanceMicros: 1,
          })),
        ],
        asOf: 'now',
      }),
      entries: async () => page([]),
      entryCharges: async id => (id === 'ent_1' ? { items: [] } : null),
      verify: async () => ({ ok: true }),
      aggregates: async () => [{ impressions: 1 }],
      realtime: async query => query,
      report: async query => {
        this.reports.push(query)
        const row = {
          window: '2026-11-01T00:00:00.000Z',
          country: 'USA',
          impressions: 2,
          clicks: 1,
          charges: 1,
        }
        return {
          rows: [{ ...row, spendMicros: -5, rejected: 0 }],
          asOf: '2026-11-01T12:00:00.000Z',
          final: false,
        }
      },
    }
  }
}

function ownerOf(entity: Entity): number | null {
  if ('advertiserId' in entity) return parseId('advertiser', entity.advertiserId)
  if ('publisherId' in entity) return parseId('publisher', entity.publisherId)
  return parseId('advertiser', entity.id) ?? parseId('publisher', entity.id)
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function start() {
  const installation = new Installation()
  let serial = 0
  const app = controlApp({
    commands: installation,
    queries: installation.queries(),
    authenticate: header => {
      if (header === 'Bearer admin') return { keyId: 'key_0', role: 'admin', accountId: null }
      const hash = sha256(header?.replace('Bearer ', '') ?? '')
      const found = [...installation.stored.values()].find(
        (entity): entity is ApiKey => 'secretHash' in entity && entity.secretHash === hash && !entity.revoked,
      )
      return found === undefined ? null : { keyId: found.id, role: found.role, accountId: found.accountId }
    },
    campaignOfAd: async number => {
      for (const entity of installation.stored.values()) {
        if ('ads' in entity && entity.ads.some(ad => parseId('ad', ad.id) === number))
          return parseId('campaign', entity.id)
      }
      return null
    },
    explain: async id => ({ status: 'active', summary: id, reasons: [], windowSeconds: 60 }),
    newKeySecret: () => {
      const secret = `secret-${++serial}`
      return { secret, hash: sha256(secret) }
    },
    randomId: () => `request-${++serial}`,
    now: () => NOW,
  })

  const call = async (
    method: string,
    path: string,
    body?: unknown,
    key = 'admin',
    headers: Record<string, string> = {},
  ) => {
    const response = await app.request(path, {
      method,
      headers: { ...(key === '' ? {} : { Authorization: `Bearer ${key}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? JSON.parse(text) : null,
    }
  }
  return { app, installation, call }
}

const AD = {
  name: 'Leaderboard',
  landingUrl: 'https://example.com/a',
  creative: { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/a.png' },
}

/** Two advertisers with a campaign each, a publisher with a placement, and a key for each role. */
async function populated() {
  const started = start()
  const { call } = started
  const id = async (path: string, body: unknown) => {
    const answer = await call('POST', path, body)
    expect([path, answer.status, answer.text]).toEqual([path, 201, answer.text])
    return answer.body as { id: string; key: string }
  }
  const advertiser = (await id('/v1/advertisers', { name: 'Acme' })).id
  const rival = (await id('/v1/advertisers', { name: 'Rival' })).id
  const publisher = (await id('/v1/publishers', { name: 'Daily' })).id
  const placement = (
    await id('/v1/placements', { publisherId: publisher, name: 'Top', format: { w: 728, h: 90 } })
  ).id
  const campaignBody = {
    advertiserId: advertiser,
    name: 'Autumn',
    bid: { model: 'cpc', amountMicros: 250_000 },
    ads: [AD],
  }
  const campaign = (await id('/v1/campaigns', campaignBody)).id
  const rivalCampaign = (await id('/v1/campaigns', { ...campaignBody, advertiserId: rival })).id
  const ad = (started.installation.get('campaign', parseId('campaign', campaign)!) as unknown as Campaign)
    .ads[0]!.id
  const key = async (role: string, accountId?: string) => (await id('/v1/keys', { role, accountId })).key
  const keys = {
    admin: 'admin',
    advertiser: await key('advertiser', advertiser),
    rival: await key('advertiser', rival),
    publisher: await key('publisher', publisher),
    ingest: await key('ingest', advertiser),
    reader: await key('reader', advertiser),
    everyReader: await key('reader'),
    none: '',
    wrong: 'wrong',
  }
  started.installation.charge = {
    eventId: EVENT,
    campaignId: campaign,
    adId: ad,
    state: 'charged',
    advertiserId: advertiser,
  }
  return {
    ...started,
    advertiser,
    rival,
    publisher,
    placement,
    campaign,
    rivalCampaign,
    ad,
    campaignBody,
    keys,
  }
}

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

  test('balances show an account its own', async () => {
    const { body } = await made.call('GET', '/v1/ledger/balances', undefined, made.keys.advertiser)
    expect(body.items.map((item: { account: string }) => item.account)).toEqual([
      `advertiser:${made.advertiser}`,
    ])
  })

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
    ['an unknown parameter', 'GET', '/v1/campaigns?advertiserID=x', undefined, 400, 'advertiserID'],
    ['a time that is none', 'GET', '/v1/reports?from=yesterday', undefined, 400, 'from'],
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

  test('an edit that is not decided in time is 503 with Retry-After', async () => {
    made.installation.unavailable = true
    const answer = await made.call('POST', '/v1/advertisers', { name: 'a' })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
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

test('a refund goes to the partition of its impression', async () => {
  await made.call('POST', `/v1/charges/${EVENT}/refund`, { reason: 'asked for', amountMicros: 5 })
  const { name, home, body } = made.installation.submitted.at(-1)!
  expect({ name, home, body }).toEqual({
    name: 'refund',
    home: 3,
    body: { eventId: EVENT, reason: 'asked for', amountMicros: 5 },
  })
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
