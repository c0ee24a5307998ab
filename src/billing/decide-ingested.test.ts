import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { DeciderScene } from '../../test/decider-scene.ts'
import type { Campaign } from '../campaigns/campaign.ts'
import { parseId } from '../core/ids.ts'
import type { EffectRecord, IngestedEvent } from '../records/events.ts'
import {
  EFFECTS_BYTES,
  INGESTED_BYTES_MAX,
  IngestedReader,
  ingestedBytes,
  writeEffectsHeader,
  writeKept,
} from '../records/ingested.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'

let world: DeciderScene
beforeEach(async () => {
  world = new DeciderScene()
  await world.open()
})
afterEach(() => world.close())

interface Ad {
  readonly campaign: number
  readonly ad: number
}

const charges = () => world.count('entry WHERE kind = 1')

function reported(of: Ad, eventId: string): IngestedEvent {
  return {
    type: 'click',
    eventId,
    contentHash: '0123456789abcdef0123456789abcdef',
    campaign: of.campaign,
    ad: of.ad,
    placement: 0,
    publisher: 0,
    sharePpm: 800_000,
    timestamp: world.now,
    country: 0,
    device: 1,
    verdict: Reason.none,
  }
}

function eventsOf(of: Ad, ids: readonly string[]): Uint8Array {
  return Buffer.concat(ids.map(id => ingestedBytes(reported(of, id), world.now)))
}

/** As the edge lays down what a server reports, on the partition of the ids. */
async function report(of: Ad, ids: readonly string[], partition = 1): Promise<void> {
  const buffer = new RecordBuffer()
  const bytes = eventsOf(of, ids)
  const at = buffer.begin(RecordKind.ingestedEvents, partition, world.now, bytes.length)
  buffer.payloadBytes().set(bytes, at)
  await world.append(buffer)
}

/** As the outbox of partition 1 sends them to the campaign's. */
async function effects(
  of: Ad,
  first: number,
  ids: readonly string[],
  change = (payload: Uint8Array) => payload,
): Promise<void> {
  const events = eventsOf(of, ids)
  const payload = new Uint8Array(EFFECTS_BYTES + events.length)
  writeEffectsHeader(new DataView(payload.buffer), 0, { source: 1, first, count: ids.length })
  payload.set(events, EFFECTS_BYTES)
  const sent = change(payload)
  const buffer = new RecordBuffer()
  const at = buffer.begin(RecordKind.ingestedEffects, 0, world.now, sent.length)
  buffer.payloadBytes().set(sent, at)
  await world.append(buffer)
  await world.drain()
}

describe('ingested clicks', () => {
  test('are charged when their effects waited through a crash and others came before they could be sent', async () => {
    const of = await world.campaign(250_000)
    await report(of, ['one'])
    await world.drain()
    expect([world.count('outbox_events'), charges()]).toEqual([1, 0])
    await report(of, ['two'])
    await world.restart()
    await world.pass(1100)
    expect([world.count('outbox_events'), charges()]).toEqual([0, 2])
    // The edge learns click rates from auctions alone.
    expect(world.told.flatMap(({ observed }) => observed)).toEqual([])
  })

  test('of a batch for which there was no room are charged once there is', async () => {
    const of = await world.campaign(250_000)
    const { db } = world.store
    const pages = db.query<{ page_count: number }, []>('PRAGMA page_count').get()!.page_count
    db.run(`PRAGMA max_page_count = ${pages}`)
    const ids = Array.from({ length: 30 }, (_, i) => `${i}`.padStart(200, '-'))
    await report(of, ids)
    expect(() => world.decider.batch()).toThrow('full')
    db.run(`PRAGMA max_page_count = ${pages * 2}`)
    await world.renew()
    await world.pass(1100)
    expect([charges(), world.count('repeat')]).toEqual([30, 0])
  })

  test('are paid with what nodes have leased for another campaign of the balance', async () => {
    const of = await world.campaign(250_000, 1_000_000)
    const { advertiserId } = (await world.command('patchCampaign', of.campaign, {})) as Campaign
    const bid = { model: 'cpc', amountMicros: 250_000 }
    const creative = { kind: 'html', w: 300, h: 250, html: 'ad' }
    const ads = [{ name: 'Ad', landingUrl: 'https://example.com/', creative }]
    const made = await world.command('createCampaign', null, { advertiserId, name: 'Idle', bid, ads })
    const idle = parseId('campaign', (made as Campaign).id)!
    const { left, talk } = world.edge()
    for (let i = 0; i < 8; i++) await talk(250)
    expect(left(idle)).toBeGreaterThan(0)
    await report(of, ['1', '2', '3', '4', '5'])
    for (let i = 0; i < 16; i++) await talk(250)
    expect(charges()).toBe(4)
    expect(world.count(`transition WHERE reason = ${Reason.budgetExhausted}`)).toBe(1)
    expect(left(idle)).toBe(0)
  })

  test('of the older kind of record are read as they were', async () => {
    const of = await world.campaign(250_000)
    const buffer = new RecordBuffer()
    for (const id of ['old', 'old', 'new']) buffer.json(RecordKind.ingested, 1, world.now, reported(of, id))
    const sent: EffectRecord = {
      source: 0,
      sequence: 1,
      effect: { kind: 'ingested', event: reported(of, 'sent'), receivedAt: world.now },
    }
    buffer.json(RecordKind.effect, 0, world.now, sent)
    await world.append(buffer)
    await world.drain()
    expect(charges()).toBe(1)
    await report(of, ['new'])
    await world.pass(1100)
    expect(charges()).toBe(3)
    expect(world.store.all('SELECT event, kind, count FROM repeat ORDER BY event', [])).toEqual([
      { event: 'new', kind: 2, count: 1 },
      { event: 'old', kind: 2, count: 1 },
    ])
  })

  test.each(['late', '4d3c2b1a-0f9e-7d6c-8b5a-493827160504'])(
    'of days before their campaign opened one are charged to the day that it is: %s',
    async id => {
      const of = await world.campaign(250_000)
      const buffer = new RecordBuffer()
      const timestamp = world.now - 2 * 86_400_000
      buffer.json(RecordKind.ingested, 1, world.now, { ...reported(of, id), timestamp })
      await world.append(buffer)
      // Decided on the partition of its id, then on that of its campaign.
      for (let i = 0; i < 2; i++) await world.pass(1100)
      expect(charges()).toBe(1)
      const days = world.store.all<{ day: string }>(
        `SELECT state ->> '$.day.name' AS day FROM money WHERE kind = 'campaign'`,
        [],
      )
      expect(days).toEqual([{ day: new Date(world.now).toISOString().slice(0, 10) }])
      // So does the money that is given back.
      await world.command('refund', of.campaign, { eventId: id, reason: 'r' })
      const spent = `SELECT state ->> '$.day.spentMicros' AS spent FROM money WHERE kind = 'campaign'`
      expect(world.store.all(spent, [])).toEqual([{ spent: 0 }])
    },
  )

  test('count in the minute of their own time, and of their arrival once that may be final', async () => {
    const of = await world.campaign(250_000)
    const buffer = new RecordBuffer()
    for (const time of ['11:02:00', '11:01:59', '11:00:30']) {
      const timestamp = Date.parse(`2026-11-24T${time}.000Z`)
      buffer.json(RecordKind.ingested, 1, world.now, { ...reported(of, time), timestamp })
    }
    world.now = Date.parse('2026-11-24T12:00:50.000Z')
    await world.append(buffer)
    for (let i = 0; i < 2; i++) await world.pass(1100)
    const rows = world.store.all('SELECT minute, clicks FROM rollup ORDER BY minute', [])
    // A minute is final from an hour after its end on.
    expect(rows).toEqual([
      { minute: Date.parse('2026-11-24T11:02:00.000Z'), clicks: 1 },
      { minute: Date.parse('2026-11-24T12:00:00.000Z'), clicks: 2 },
    ])
  })

  test('that are impressions at a CPM price cost N x price / 1000, rounded down once', async () => {
    const of = await world.campaign(1_500, 10_000_000, 'cpm')
    const buffer = new RecordBuffer()
    for (let i = 0; i < 7; i++) {
      buffer.json(RecordKind.ingested, 1, world.now, { ...reported(of, `i${i}`), type: 'impression' })
    }
    await world.append(buffer)
    for (let i = 0; i < 2; i++) await world.pass(1100)
    expect(world.store.all('SELECT sum(amount) AS sum FROM entry WHERE kind = 1', [])).toEqual([{ sum: 10 }])
  })

  test('give the same tables whatever the batches that they are decided in', async () => {
    const of = await world.campaign(250_001, 5_000_000)
    for (let i = 0; i < 12; i++) {
      await report(
        of,
        Array.from({ length: 5 }, (_, n) => `id-${(i * 3 + n) % 31}`),
      )
      if (i % 5 === 4) await world.pass(50)
    }
    await world.pass(1100)
    await world.pass(1100)
    const tables = () =>
      ['entry', 'transition', 'repeat', 'rollup', 'account', 'outbox_events', 'ingested_run'].map(table =>
        JSON.stringify(world.store.all(`SELECT * FROM ${table} ORDER BY 1, 2, 3`, [])),
      )
    const before = tables()
    expect([charges(), world.count("transition WHERE state = 'rejected'")]).toEqual([19, 12])
    await world.replay()
    expect(tables()).toEqual(before)
  })

  test('that come in records that overlap are each charged once', async () => {
    const of = await world.campaign(250_000)
    await effects(of, 1, ['a', 'b'])
    await effects(of, 1, ['a', 'b', 'c'])
    await effects(of, 3, ['c', 'd'])
    await effects(of, 2, ['b', 'c'])
    // Number 5 is missing: what is behind it waits for the outbox to send it again.
    await effects(of, 6, ['f'])
    expect(world.store.all('SELECT event FROM entry WHERE kind = 1 ORDER BY number', [])).toEqual(
      ['a', 'b', 'c', 'd'].map(event => ({ event })),
    )
  })

  test('of which an earlier record brought a part are sent still, and each charged once', async () => {
    const of = await world.campaign(250_000)
    await report(of, ['a', 'b', 'c', 'd'])
    await world.drain()
    await effects(of, 1, ['a', 'b'])
    expect([world.count('outbox_events'), charges()]).toEqual([1, 2])
    await world.restart()
    await world.pass(1100)
    expect([world.count('outbox_events'), charges()]).toEqual([0, 4])
  })

  test('in a record that cannot be read use their numbers up, and those behind them are charged', async () => {
    const of = await world.campaign(250_000)
    await effects(of, 1, ['a', 'b'], bytes => bytes.subarray(0, bytes.length - 1))
    await effects(of, 1, ['a', 'b'], bytes => bytes.fill(0, 12))
    await effects(of, 3, ['c'])
    expect([world.count('dead_letter'), charges()]).toEqual([1, 1])
    const buffer = new RecordBuffer()
    buffer.begin(RecordKind.ingestedEvents, 1, world.now, 5)
    buffer.begin(RecordKind.ingestedEffects, 0, world.now, 3)
    buffer.begin(RecordKind.ingestedEvents, 1, world.now, 0)
    await world.append(buffer)
    await world.drain()
    expect(world.count('dead_letter')).toBe(4)
  })

  test('are charged under their ids alone: what is kept of them stays in the record of the log', async () => {
    const of = await world.campaign(250_000)
    const events = [
      keeping(of, 'a'),
      ingestedBytes(reported(of, 'b'), world.now),
      keeping(of, 'c'),
      keeping(of, 'a'),
    ]
    const bytes = Buffer.concat(events)
    const buffer = new RecordBuffer()
    const at = buffer.begin(RecordKind.ingestedEvents, 1, world.now, bytes.length)
    buffer.payloadBytes().set(bytes, at)
    await world.append(buffer)
    await world.drain()
    const sent = world.store.all<{ events: Uint8Array }>('SELECT events FROM outbox_events', [])
    expect(sent.map(row => Buffer.from(row.events).includes('person'))).toEqual([false])
    await world.pass(1100)
    expect(world.store.all('SELECT event FROM entry WHERE kind = 1 ORDER BY number', [])).toEqual(
      ['a', 'b', 'c'].map(event => ({ event })),
    )
    expect(world.store.all('SELECT event, kind FROM repeat', [])).toEqual([{ event: 'a', kind: 2 }])

    const read = new IngestedReader(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    const found = []
    for (let from = 0; from < bytes.length; found.push([read.eventId, read.kept])) from = read.read(from)
    expect(found).toEqual([
      ['a', KEPT],
      ['b', ''],
      ['c', KEPT],
      ['a', KEPT],
    ])
  })

  test('that say to keep more than they have, or leave no room for an id, are put aside', async () => {
    const of = await world.campaign(250_000)
    for (const keptLength of [KEPT.length + 1, KEPT.length + 2, 65_535]) {
      const event = keeping(of, 'a')
      new DataView(event.buffer).setUint16(event.length - 2, keptLength)
      const buffer = new RecordBuffer()
      const at = buffer.begin(RecordKind.ingestedEvents, 1, world.now, event.length)
      buffer.payloadBytes().set(event, at)
      await world.append(buffer)
    }
    await world.drain()
    expect([world.count('dead_letter'), charges()]).toEqual([3, 0])
  })
})

test('a click and an impression under one id, of two campaigns, are each refunded as what they were charged', async () => {
  const clicked = await world.campaign(250_000)
  const seen = await world.campaign(1_000_000, 10_000_000, 'cpm')
  for (const event of [reported(seen, 'same'), reported(clicked, 'same')]) {
    const buffer = new RecordBuffer()
    const bytes = ingestedBytes(
      { ...event, type: event.campaign === seen.campaign ? 'impression' : 'click' },
      world.now,
    )
    const at = buffer.begin(RecordKind.ingestedEvents, 1, world.now, bytes.length)
    buffer.payloadBytes().set(bytes, at)
    await world.append(buffer)
    await world.drain()
    await world.pass(1100)
  }
  expect(charges()).toBe(2)
  for (const [of, amountMicros] of [
    [clicked, 250_000],
    [seen, 1000],
  ] as const) {
    const refund = await world.command('refund', of.campaign, { eventId: 'same', reason: 'r' })
    expect(refund).toMatchObject({ amountMicros, refundedMicros: amountMicros })
    const again = world.command('refund', of.campaign, { eventId: 'same', reason: 'r' })
    await expect(again).rejects.toThrow('refused')
  }
})

/** A day in some thousand passes of a store on disk: no second of it is waited for, but all of it is work. */
const DAY_OF_PASSES_MS = 60_000

test.each([
  ['without a break', false],
  ['after a restart', true],
])(
  'a campaign that spent its day serves again within two seconds of midnight, %s',
  async (_, restarts) => {
    const of = await world.campaign(250_000)
    await world.command('patchCampaign', of.campaign, { budget: { dailyMicros: 250_000 } })
    await effects(of, 1, ['a'])
    // Its day goes on for hours.
    const other = await world.campaign(250_000)
    const schedule = { timeZone: 'America/New_York' }
    await world.command('patchCampaign', other.campaign, { schedule, budget: { dailyMicros: 250_000 } })
    await world.pass(1100)
    await effects(other, 2, ['b'])
    const stops = () =>
      world.told
        .flatMap(({ catalog }) => catalog)
        .flatMap(change => (change.kind === 'money' ? change.money : []))
    expect(stops().at(-1)).toEqual({ stopped: 'exhaustedDaily' })
    const midnight = Date.parse('2026-11-25T00:00:00.000Z')
    while (world.now < midnight - 40_000) await world.pass(39_000)
    if (restarts) await world.restart()
    while (world.now < midnight - 1000) await world.pass(500)
    expect(stops().at(-1)).toEqual({ stopped: 'exhaustedDaily' })
    while (world.now < midnight + 2000) await world.pass(500)
    expect(stops().at(-1)).toEqual({ stopped: null })
  },
  DAY_OF_PASSES_MS,
)

const KEPT = '{"metadata":{"of":"a person"}}'

/** As `ingestedBytes`, with something that is only kept. */
function keeping(of: Ad, eventId: string): Uint8Array {
  const plain = ingestedBytes(reported(of, eventId), world.now)
  const bytes = new Uint8Array(INGESTED_BYTES_MAX)
  bytes.set(plain)
  const length = writeKept(bytes, new DataView(bytes.buffer), plain.length, KEPT)
  return bytes.slice(0, length)
}
