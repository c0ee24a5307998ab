import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../adapters/memory/log.ts'
import { SqliteStore } from '../adapters/sqlite/store.ts'
import { DRAIN_MS } from '../budgets/lease-time.ts'
import { NodeLeases } from '../budgets/node-leases.ts'
import { LAPSE_SLACK_MS, RENDER_LIFE_MS } from '../budgets/render-holds.ts'
import { formatUuid, parseId, writeImpressionId } from '../core/ids.ts'
import type { CommandOutcome } from '../ports/control.ts'
import { Fenced } from '../ports/store.ts'
import { appendEvent, type Command } from '../records/events.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../records/token-body.ts'
import { FUTURE_MS, TOO_SOON_MS } from './decide-impression.ts'
import type { Decided } from './decided.ts'
import { Decider } from './decider.ts'

const START = Date.parse('2026-11-24T12:00:00.000Z')
const PARTITIONS = 2

let folder: string
let now: number
let log: MemoryLog
let store: SqliteStore
let decider: Decider
let told: Decided[]
let serial = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'farthing-decider-'))
  now = START
  serial = 0
  told = []
  log = new MemoryLog(PARTITIONS, { now: () => now })
  await open()
})

afterEach(() => {
  store.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(drainMs = 0): Promise<void> {
  store = new SqliteStore(join(folder, 'store.sqlite'), PARTITIONS)
  decider = new Decider({
    log,
    store,
    clock: { now: () => now },
    holdMs: 60_000,
    hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
    tell: decided => told.push(decided),
    warn: () => {},
  })
  await decider.start(drainMs)
}

/** An edge's leases; `talk` lets it ask, lets time pass, and tells it what it was granted. */
function edge() {
  const node = new NodeLeases(1, PARTITIONS)
  let heard = told.length
  const left = (campaign: number) => node.left(node.leaseOf(0, campaign, 0), now)
  const talk = async (ms: number) => {
    node.returnIdle(now)
    for (const ask of node.asks(now)) decider.onAsk(ask)
    await pass(ms)
    for (const { grants } of told.slice(heard)) for (const grant of grants) node.onGrant(grant, now)
    heard = told.length
  }
  return { node, left, talk }
}

/** A crash after the last commit, and a start on what is on disk. */
async function restart(): Promise<void> {
  store.close()
  log = log.reopened()
  await open()
}

async function drain(): Promise<void> {
  while (decider.batch() > 0) await Promise.resolve()
}

async function pass(ms: number): Promise<void> {
  now += ms
  await decider.turn()
  await drain()
}

let requests = 0
async function command(
  name: string,
  target: number | null,
  body: unknown,
  partition = 0,
): Promise<CommandOutcome> {
  const requestId = `request-${++requests}`
  const buffer = new RecordBuffer()
  const sent: Command = {
    requestId,
    actor: { keyId: 'key_test', role: 'admin', accountId: null },
    at: now,
    name,
    home: partition,
    target,
    body,
  }
  buffer.json(RecordKind.command, partition, now, sent)
  await log.append(buffer.take())
  await drain()
  const found = told.flatMap(({ outcomes }) => outcomes).find(outcome => outcome.requestId === requestId)
  if (found === undefined) throw new Error(`no outcome of ${name}`)
  return found.outcome
}

interface Served {
  readonly advertiser: string
  readonly campaign: string
  readonly ad: string
}

const AD = {
  name: 'Ad',
  landingUrl: 'https://example.com/a',
  creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
}

async function campaign(
  bid: { model: 'cpc' | 'cpm'; amountMicros: number },
  budget = {},
  deposit = 10_000_000,
): Promise<Served> {
  const advertiser = (await command('createAdvertiser', null, { name: 'A' })).body as { id: string }
  await command('deposit', parseId('advertiser', advertiser.id), { amountMicros: deposit })
  const created = await command('createCampaign', null, {
    advertiserId: advertiser.id,
    name: 'C',
    bid,
    budget,
    ads: [AD],
  })
  expect(created.status).toBe(201)
  const body = created.body as { id: string; ads: { id: string }[] }
  await pass(1100)
  return { advertiser: advertiser.id, campaign: body.id, ad: body.ads[0]!.id }
}

function token(
  of: Served,
  terms: { cpm?: boolean; price: number; test?: boolean },
): { bytes: Uint8Array; id: string } {
  const bytes = new Uint8Array(TOKEN_BODY_BYTES)
  const view = new DataView(bytes.buffer)
  writeTokenBody(view, 0, {
    keyNumber: 0,
    campaign: parseId('campaign', of.campaign)!,
    ad: parseId('ad', of.ad)!,
    placement: 0,
    publisher: 0,
    shard: 0,
    sharePpm: 800_000,
    priceMicros: terms.price,
    clickRatePpb: 1_000_000,
    epoch: 1,
    country: 0,
    device: 1,
    cpm: terms.cpm ?? false,
    test: terms.test ?? false,
    clickExpiresAt: now + 86_400_000,
  })
  writeImpressionId(view, 2, now, 1, 0, serial++)
  return { bytes, id: formatUuid(bytes, 2) }
}

async function send(kind: 1 | 2, bytes: Uint8Array, verdict: number = Reason.none): Promise<void> {
  const buffer = new RecordBuffer()
  appendEvent(buffer, { kind, partition: 0, receivedAt: now, token: bytes, verdict, fromServer: false })
  await log.append(buffer.take())
  await drain()
}
const shown = (bytes: Uint8Array, verdict?: number) => send(RecordKind.impression, bytes, verdict)
const clicked = (bytes: Uint8Array, verdict?: number) => send(RecordKind.click, bytes, verdict)

const count = (sql: string) => store.all<{ n: number }>(`SELECT count(*) AS n FROM ${sql}`, [])[0]!.n
const charges = () => count('entry WHERE kind = 1')
const refusals = () =>
  store
    .all<{ reason: number }>(`SELECT reason FROM transition WHERE state = 'rejected' ORDER BY number`, [])
    .map(({ reason }) => reason)
const sumOfAccounts = () =>
  store.all<{ sum: number }>('SELECT coalesce(sum(balance), 0) AS sum FROM account', [])[0]!.sum

test.each([
  ['cpc', 2],
  ['cpm', 0],
] as const)(
  'the edge hears once a batch how often each ad was shown and clicked, %s',
  async (model, paid) => {
    const of = await campaign({ model, amountMicros: 250_000 })
    const ad = parseId('ad', of.ad)!
    const buffer = new RecordBuffer()
    for (let i = 0; i < 3; i++) {
      const { bytes } = token(of, { cpm: model === 'cpm', price: 250_000 })
      const event = { partition: 0, token: bytes, verdict: Reason.none, fromServer: false }
      appendEvent(buffer, { ...event, kind: RecordKind.impression, receivedAt: now })
      if (i < 2) appendEvent(buffer, { ...event, kind: RecordKind.click, receivedAt: now + 1000 })
    }
    await log.append(buffer.take())
    told.length = 0
    await drain()
    expect(charges()).toBe(paid)
    expect(told.map(({ observed }) => observed).filter(({ length }) => length > 0)).toEqual([[ad, 0, 3, 2]])
  },
)

test('requests that edges report of one minute and placement add up, in one batch and in the next', async () => {
  const minute = START - 60_000
  const said = { minute, placement: 256, publisher: 256, country: 0, device: 1 }
  for (const counts of [[1, 2], [4]]) {
    const buffer = new RecordBuffer()
    for (const requests of counts) {
      buffer.json(RecordKind.requests, 0, now, { minutes: [{ ...said, requests }] })
    }
    await log.append(buffer.take())
    await drain()
  }
  expect(store.all('SELECT minute, placement, requests FROM requests', [])).toEqual([
    { minute, placement: 256, requests: 7 },
  ])
})

describe('a click', () => {
  test('is charged once, whatever is repeated', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes)
    now += 1000
    for (let i = 0; i < 50; i++) await clicked(bytes)
    expect(charges()).toBe(1)
    expect(store.all('SELECT count FROM token_repeat WHERE kind = 2', [])).toEqual([{ count: 49 }])
    expect(told.reduce((sum, { repeated }) => sum + repeated, 0)).toBe(49)
    expect(sumOfAccounts()).toBe(0)
  })

  test('is charged once when it is replayed after a restart, an hour, a day and 35 days later', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes)
    now += 1000
    await clicked(bytes)
    for (const later of [0, 3_600_000, 90_000_000, 35 * 86_400_000]) {
      now += later
      await restart()
      await clicked(bytes)
    }
    expect(charges()).toBe(1)
  })

  test('before its impression waits for it', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await clicked(bytes)
    expect(charges()).toBe(0)
    await restart()
    await shown(bytes)
    expect(charges()).toBe(1)
  })

  test('that waits is not charged for an impression that is refused', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await clicked(bytes)
    await shown(bytes, Reason.rate)
    expect(charges()).toBe(0)
    await pass(61_000)
    expect(refusals()).toEqual([Reason.unrendered])
  })

  test('whose impression never comes is refused after the hold', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    await clicked(token(of, { price: 250_000 }).bytes)
    await pass(61_000)
    await pass(1100)
    expect(refusals()).toEqual([Reason.unrendered])
    expect(count('held')).toBe(0)
  })

  test.each([
    ['too soon', 200, Reason.none, false, Reason.tooSoon],
    ['a flood', 1000, Reason.rate, false, Reason.rate],
    ['of a test', 1000, Reason.none, true, Reason.test],
    ['a day late', 86_400_001, Reason.none, false, Reason.expired],
  ])('%s is refused', async (_name, afterMs, verdict, isTest, reason) => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes)
    if (isTest) {
      const flagged = token(of, { price: 250_000, test: true })
      await clicked(flagged.bytes, verdict)
    } else {
      now += afterMs
      await clicked(bytes, verdict)
    }
    expect(charges()).toBe(0)
    expect(refusals().at(-1)).toBe(reason)
    expect(told.reduce((sum, { refused }) => sum + (refused[reason] ?? 0), 0)).toBe(1)
  })

  test.each([
    ['half a second after its impression', TOO_SOON_MS, []],
    ['by a clock that is as far behind as clocks may be', -FUTURE_MS, []],
    ['by one that is further behind', -FUTURE_MS - 1, [Reason.future]],
  ])('%s is refused only where it must be', async (_name, afterMs, reasons) => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    if (afterMs > 0) await shown(bytes)
    now += afterMs
    await clicked(bytes)
    if (afterMs < 0) await shown(bytes)
    expect(refusals()).toEqual(reasons)
    expect(charges()).toBe(1 - reasons.length)
  })

  test('whose impression was refused is refused at once, and not held for one that comes again', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes, Reason.rate)
    now += 1000
    await clicked(bytes)
    expect([refusals(), count('held')]).toEqual([[Reason.unrendered], 0])
    await shown(bytes)
    expect(charges()).toBe(0)
  })

  test('of a crawler uses the token up for nobody', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes)
    now += 1000
    await clicked(bytes, Reason.crawler)
    expect(refusals()).toEqual([Reason.crawler])
    await clicked(bytes)
    expect(charges()).toBe(1)
  })
})

describe('a budget', () => {
  test('of three clicks pays for three, and the campaign is exhausted', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 750_000 })
    for (let i = 0; i < 5; i++) {
      const { bytes } = token(of, { price: 250_000 })
      await shown(bytes)
      now += 1000
      await clicked(bytes)
    }
    expect(charges()).toBe(3)
    expect(refusals()).toEqual([Reason.budgetExhausted, Reason.budgetExhausted])
    const stops = told.flatMap(({ catalog }) => catalog).filter(change => change.kind === 'money')
    expect(stops.at(-1)).toMatchObject({ money: { stopped: 'exhausted' } })
  })

  test('is never passed by several campaigns on one balance', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 300_000 }, {}, 1_000_000)
    for (let i = 0; i < 5; i++) {
      const { bytes } = token(of, { price: 300_000 })
      await shown(bytes)
      now += 1000
      await clicked(bytes)
    }
    expect(charges()).toBe(3)
  })

  test('of a day is open again on the next', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    for (let day = 0; day < 2; day++) {
      for (let i = 0; i < 2; i++) {
        const { bytes } = token(of, { price: 250_000 })
        await shown(bytes)
        now += 1000
        await clicked(bytes)
      }
      await pass(86_400_000)
      await pass(1100)
      await pass(1100)
    }
    expect(charges()).toBe(2)
  })

  test('of a day is not reopened by a refund of what the day before was charged', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    const click = async () => {
      const { bytes, id } = token(of, { price: 250_000 })
      await shown(bytes)
      now += 1000
      await clicked(bytes)
      return id
    }
    const eventId = await click()
    for (const ms of [86_400_000, 1100, 1100]) await pass(ms)
    await click()
    const refund = await command('refund', parseId('campaign', of.campaign), { eventId, reason: 'goodwill' })
    expect(refund.status).toBe(201)
    await click()
    expect([charges(), refusals()]).toEqual([2, [Reason.budgetExhausted]])
  })

  test('raised wakes a campaign, cut below its spend stops it at once', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 250_000 })
    const target = parseId('campaign', of.campaign)
    const click = async () => {
      const { bytes } = token(of, { price: 250_000 })
      await shown(bytes)
      now += 1000
      await clicked(bytes)
    }
    await click()
    await click()
    expect(charges()).toBe(1)
    const raised = await command('patchCampaign', target, { budget: { totalMicros: 1_000_000 } })
    expect(raised.body).toMatchObject({ status: 'active', remaining: { totalMicros: 750_000 } })
    await click()
    expect(charges()).toBe(2)
    const cut = await command('patchCampaign', target, { budget: { totalMicros: 300_000 } })
    expect(cut.body).toMatchObject({ status: 'exhausted', remaining: { totalMicros: 0 } })
    await click()
    expect(charges()).toBe(2)
  })
})

describe('campaigns on one balance', () => {
  test('that are not chosen give their money to one that is', async () => {
    const advertiser = (await command('createAdvertiser', null, { name: 'A' })).body as { id: string }
    await command('deposit', parseId('advertiser', advertiser.id), { amountMicros: 4_000_000 })
    const make = async () => {
      const terms = { name: 'C', bid: { model: 'cpc', amountMicros: 500_000 }, ads: [AD] }
      const created = await command('createCampaign', null, { advertiserId: advertiser.id, ...terms })
      return parseId('campaign', (created.body as { id: string }).id)!
    }
    const { left, talk } = edge()
    for (let i = 0; i < 6; i++) await make()
    for (let i = 0; i < 40; i++) await talk(250)
    const late = await make()
    let most = 0
    for (let i = 0; i < 200; i++) {
      await talk(250)
      most = Math.max(most, left(late))
    }
    expect(most).toBeGreaterThan(0)
  })
})

describe('impressions at a CPM price', () => {
  test.each([
    ['ten minutes after their choice', RENDER_LIFE_MS, []],
    ['later than that', RENDER_LIFE_MS + 1, [Reason.expired]],
    ['by a clock that is as far behind as clocks may be', -FUTURE_MS, []],
    ['by one that is further behind', -FUTURE_MS - 1, [Reason.future]],
  ])('shown %s are refused only where they must be', async (_name, afterMs, reasons) => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_000_000 })
    const { bytes } = token(of, { cpm: true, price: 1_000_000 })
    now += afterMs
    await shown(bytes)
    expect(refusals()).toEqual(reasons)
    expect(count('open_block')).toBe(1 - reasons.length)
  })

  test('of a test are refused', async () => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_000_000 })
    await shown(token(of, { cpm: true, price: 1_000_000, test: true }).bytes)
    expect([refusals(), count('open_block')]).toEqual([[Reason.test], 0])
  })

  test('that were refused once are not charged when they come again', async () => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_000_000 })
    const { bytes } = token(of, { cpm: true, price: 1_000_000 })
    await shown(bytes, Reason.rate)
    await shown(bytes)
    expect([refusals(), count('open_block'), count('token_repeat')]).toEqual([[Reason.rate], 0, 1])
  })

  test('cost N x price / 1000 rounded down, in blocks that add up', async () => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_333 })
    for (let i = 0; i < 100; i++) {
      const { bytes } = token(of, { cpm: true, price: 1_333 })
      await shown(bytes)
      await shown(bytes)
      now += 100
    }
    await pass(1100)
    await pass(1100)
    const [row] = store.all<{ sum: number }>('SELECT sum(amount) AS sum FROM entry WHERE kind = 2', [])
    expect(row!.sum).toBe(133)
    expect(sumOfAccounts()).toBe(0)
    expect(count('open_block')).toBe(0)
  })

  test('that were leased and never shown give their money back', async () => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_000_000 }, { totalMicros: 5_000 })
    const number = parseId('campaign', of.campaign)!
    const { node, left, talk } = edge()
    const chooseAll = () => {
      let chosen = 0
      for (; left(number) >= 1_000_000; chosen++)
        node.record(node.leaseOf(0, number, 0), 1, 1_000_000, 0, now)
      return chosen
    }
    let chosen = 0
    for (let i = 0; i < 20; i++) {
      await talk(1100)
      chosen += chooseAll()
    }
    expect(chosen).toBe(5)
    for (let i = 0; i < 14; i++) {
      await talk((RENDER_LIFE_MS + 2 * LAPSE_SLACK_MS) / 12)
      await talk(50)
      await talk(50)
    }
    expect(chooseAll()).toBeGreaterThan(0)
  })
})

describe('a decider that is renewed while its edge lives on', () => {
  test.each([
    { what: 'leaves what the edge had in hand reserved until it tells', drainMs: DRAIN_MS, held: 5_000 },
    { what: 'or that ended with it, too, has all of it back at once', drainMs: 0, held: 0 },
  ])('$what', async ({ drainMs, held }) => {
    const of = await campaign({ model: 'cpm', amountMicros: 1_000_000 }, { totalMicros: 5_000 })
    const number = parseId('campaign', of.campaign)!
    const { left, talk } = edge()
    for (let i = 0; i < 4; i++) await talk(250)
    store.close()
    await open(drainMs)
    const { body } = await command('patchCampaign', number, {})
    expect(body).toMatchObject({ mayStillSpendMicros: held })
    for (let i = 0; i < 12; i++) await talk(250)
    expect(left(number)).toBe(5_000_000)
  })
})

test('a decider whose partitions another has taken over writes nothing any more', async () => {
  const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
  const { bytes } = token(of, { price: 250_000 })
  await shown(bytes)
  now += 1000
  const rival = new SqliteStore(join(folder, 'store.sqlite'), PARTITIONS)
  rival.takeOver()
  await expect(clicked(bytes)).rejects.toThrow(Fenced)
  rival.close()
  expect(charges()).toBe(0)
  await restart()
  expect(charges()).toBe(1)
})

describe('a refund', () => {
  test('gives the money back to all, never more than was charged', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_001 }, { totalMicros: 250_001 })
    const { bytes, id } = token(of, { price: 250_001 })
    await shown(bytes)
    now += 1000
    await clicked(bytes)
    const target = parseId('campaign', of.campaign)
    const part = await command('refund', target, { eventId: id, reason: 'goodwill', amountMicros: 100_000 })
    expect(part.status).toBe(201)
    const tooMuch = await command('refund', target, {
      eventId: id,
      reason: 'goodwill',
      amountMicros: 200_000,
    })
    expect(tooMuch.status).toBe(422)
    const rest = await command('refund', target, { eventId: id, reason: 'goodwill' })
    expect(rest.body).toMatchObject({ refundedMicros: 250_001 })
    expect((await command('refund', target, { eventId: id, reason: 'goodwill' })).status).toBe(422)
    expect(count('entry WHERE kind = 3')).toBe(2)
    expect(store.all('SELECT sum(spend) AS sum FROM rollup', [])).toEqual([{ sum: 0 }])
    const nonZero = store.all<{ account: string; sum: number }>(
      'SELECT account, sum(balance) AS sum FROM account GROUP BY account HAVING sum(balance) <> 0',
      [],
    )
    expect(nonZero.map(({ account }) => account.split(':')[0])).toEqual(['advertiser', 'cash'])
    expect(sumOfAccounts()).toBe(0)
  })

  test.each([
    { what: 'while its day lasts opens that day again', afterMs: 3_600_000, charged: 2 },
    { what: 'after its day opens the total again and not that day', afterMs: 43_200_000, charged: 1 },
  ])('$what', async ({ afterMs, charged }) => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    const [first, late] = [token(of, { price: 250_000 }), token(of, { price: 250_000 })]
    for (const { bytes } of [first, late]) await shown(bytes)
    now += 1000
    await clicked(first.bytes)
    expect(charges()).toBe(1)
    for (let i = 0; i < 3; i++) await pass(i === 0 ? afterMs : 1100)
    const target = parseId('campaign', of.campaign)
    expect((await command('refund', target, { eventId: first.id, reason: 'goodwill' })).status).toBe(201)
    expect((await command('patchCampaign', target, {})).body).toMatchObject({
      spend: { todayMicros: 0, totalMicros: 0 },
    })
    await clicked(late.bytes)
    expect(charges()).toBe(charged)
  })
})

describe('a refund of the one click that a budget paid for', () => {
  let of: Served
  let id: string
  const refund = () =>
    command('refund', parseId('campaign', of.campaign), { eventId: id, reason: 'goodwill' })
  beforeEach(async () => {
    of = await campaign({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 250_000 })
    const made = token(of, { price: 250_000 })
    id = made.id
    await shown(made.bytes)
    now += 1000
    await clicked(made.bytes)
  })

  test('lets the campaign be chosen again', async () => {
    const stops = () =>
      told.flatMap(({ catalog }) => catalog).flatMap(change => (change.kind === 'money' ? change.money : []))
    expect(stops().at(-1)).toEqual({ stopped: 'exhausted' })
    await refund()
    expect(stops().at(-1)).toEqual({ stopped: null })
  })

  test('is refused where the balance would not be exact any more', async () => {
    const advertiser = parseId('advertiser', of.advertiser)
    const amountMicros = Number.MAX_SAFE_INTEGER - (10_000_000 - 250_000)
    expect((await command('deposit', advertiser, { amountMicros })).status).toBe(201)
    expect((await refund()).status).toBe(422)
    expect(count('entry WHERE kind = 3')).toBe(0)
  })
})

describe('the log', () => {
  test('replayed into an empty store gives the same ledger, to the byte', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    for (let i = 0; i < 10; i++) {
      const { bytes } = token(of, { price: 250_000 })
      await shown(bytes)
      now += 700
      await clicked(bytes)
    }
    const heads = () => store.all('SELECT number, lower(hex(hash)) AS hash FROM entry ORDER BY number', [])
    const before = heads()
    store.close()
    rmSync(join(folder, 'store.sqlite'))
    rmSync(join(folder, 'store.sqlite-wal'), { force: true })
    rmSync(join(folder, 'store.sqlite-shm'), { force: true })
    log = log.reopened()
    await open()
    expect(heads()).toEqual(before)
    expect(before.length).toBe(11)
  })

  test('has records put aside that cannot be read, and goes on', async () => {
    const of = await campaign({ model: 'cpc', amountMicros: 250_000 })
    const buffer = new RecordBuffer()
    buffer.json(77 as RecordKind, 0, now, {})
    await log.append(buffer.take())
    await drain()
    expect(count('dead_letter')).toBe(1)
    const { bytes } = token(of, { price: 250_000 })
    await shown(bytes)
    now += 1000
    await clicked(bytes)
    expect(charges()).toBe(1)
  })
})
