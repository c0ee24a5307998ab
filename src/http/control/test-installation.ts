import { createHash } from 'node:crypto'
import type { ApiKey, Campaign } from '../../campaigns/campaign.ts'
import { type Directory, decideEdit, type Entity } from '../../campaigns/edit.ts'
import { assert } from '../../core/assert.ts'
import { entityNumber, parseId, partitionOf } from '../../core/ids.ts'
import {
  type CommandOutcome,
  type Commands,
  CommandsUnavailable,
  type EntityTable,
  type Queries,
  QueryRefused,
  type ReportQuery,
} from '../../ports/control.ts'
import type { Command } from '../../records/events.ts'
import { controlApp } from './app.ts'

export const NOW = Date.UTC(2026, 10, 1, 12)
const PARTITIONS = 4
export const EVENT = '019a3c00-0000-7000-8000-003000000001'

/** The log and the store in memory: commands are decided by the real decider, claims first. */
export class Installation implements Commands, Directory {
  readonly partitions = PARTITIONS
  readonly stored = new Map<string, Entity>()
  readonly claims = new Map<string, { bodyHash: string; outcome: CommandOutcome }>()
  readonly submitted: Command[] = []
  readonly reports: ReportQuery[] = []
  charge: (Record<string, unknown> & { advertiserId: string }) | null = null
  unavailable = false
  /** Look-ups that may wait at once; more are refused. */
  lookUpsMax = Number.POSITIVE_INFINITY
  #lookUps = 0
  #sequence = 0

  get(kind: EntityTable, number: number): never | undefined {
    return this.stored.get(`${kind} ${number}`) as never | undefined
  }

  async submit(partition: number, command: Command): Promise<CommandOutcome> {
    if (this.unavailable) throw new CommandsUnavailable('the log is away')
    assert(partition === (command.claim?.partition ?? command.home), 'a command at the wrong partition')
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
    assert(partitionOf(number) === command.home, 'an entity away from its home')
    this.stored.set(`${kind} ${number}`, entity)
    return { status, body: status === 204 ? null : { ...entity } }
  }

  queries(): Queries {
    const page = (items: readonly unknown[]) => ({ items, nextCursor: null })
    return {
      entity: async (table, number) => {
        if (this.#lookUps >= this.lookUpsMax) throw new QueryRefused(503, 'Too many queries are waiting.')
        this.#lookUps++
        await Bun.sleep(0)
        this.#lookUps--
        return this.get(table, number) ?? null
      },
      list: async (table, { owner }, limit, after) => {
        const rows = [...this.stored]
          .map(([key, entity]) => ({ kind: key.split(' ')[0], number: Number(key.split(' ')[1]), entity }))
          .filter(({ kind, number }) => kind === table && number > Number(after ?? 0))
          .filter(({ entity }) => owner === null || ownerOf(entity) === owner)
          .sort((a, b) => a.number - b.number)
        const shown = rows.slice(0, limit)
        return {
          items: shown.map(({ entity }) => entity),
          nextCursor: rows.length > limit ? String(shown.at(-1)!.number) : null,
        }
      },
      history: async () => page([{ action: 'create' }]),
      charge: async eventId => (this.charge?.['eventId'] === eventId ? this.charge : null),
      balances: async () => ({
        items: [
          { account: 'cash', balanceMicros: -1 },
          ...[...this.stored].map(([key, { id }]) => ({
            account: `${key.split(' ')[0]}:${id}`,
            balanceMicros: 1,
          })),
        ],
        asOf: 'now',
      }),
      deposits: async () => page([]),
      entries: async () => page([]),
      entry: async id => (id === 'ent_1' ? { id } : null),
      entryCharges: async id => (id === 'ent_1' ? { items: ['a', 'b'] } : null),
      verify: async () => {
        if (this.unavailable) throw new QueryRefused(503, 'the reader is away')
        return { ok: true }
      },
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

export const AD = {
  name: 'Leaderboard',
  landingUrl: 'https://example.com/a',
  creative: { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/a.png' },
}

/** Two advertisers with a campaign each, a publisher with a placement, and a key for each role. */
export async function populated() {
  const started = start()
  const { call } = started
  const id = async (path: string, body: unknown) => {
    const answer = await call('POST', path, body)
    assert(answer.status === 201, `${path}: ${answer.text}`)
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
