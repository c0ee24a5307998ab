import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { formatUuid, writeImpressionId } from '../core/ids.ts'
import { appendEvent, type EpochOpenedRecord } from '../records/events.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../records/token-body.ts'
import { Bits } from './bits.ts'
import { BlockItems } from './block.ts'
import { Changes } from './changes.ts'
import { decide } from './decide.ts'
import { closesAt } from './decide-block.ts'
import { newHead, Partition } from './partition.ts'

const PRICE = 1_000_000
/** The decider's thread looks for what is due this often. */
const TURN_MS = 25

let world: TestDecider
let of: { campaign: number; ad: number }
let serial: number

beforeEach(async () => {
  world = new TestDecider()
  await world.open()
  of = await world.campaign(PRICE, 1_000_000_000, 'cpm')
  // To a whole second.
  await world.pass(1000 - (world.now % 1000))
  serial = 0
})

afterEach(() => world.close())

/** Renders of one moment, in one append; the ids. */
async function shown(count: number): Promise<string[]> {
  const ids: string[] = []
  const buffer = new RecordBuffer()
  for (let i = 0; i < count; i++) {
    const token = new Uint8Array(TOKEN_BODY_BYTES)
    const view = new DataView(token.buffer)
    writeTokenBody(view, 0, {
      keyNumber: 0,
      ...of,
      placement: 0,
      publisher: 0,
      shard: 0,
      sharePpm: 800_000,
      priceMicros: PRICE,
      clickRatePpb: 1_000_000,
      epoch: 1,
      country: 0,
      device: 1,
      cpm: true,
      test: false,
      clickExpiresAt: world.now + 86_400_000,
    })
    writeImpressionId(view, 2, world.now, 1, 0, serial++)
    ids.push(formatUuid(token, 2))
    const event = { partition: 0, receivedAt: world.now, token, verdict: Reason.none, fromServer: false }
    appendEvent(buffer, { ...event, kind: RecordKind.impression })
  }
  await world.append(buffer)
  return ids
}

async function decided(count: number): Promise<string[]> {
  const ids = await shown(count)
  await world.drain()
  return ids
}

/** Turns as the thread takes them, and nothing else. */
async function idle(ms: number): Promise<void> {
  for (let i = 0; i < ms / TURN_MS; i++) await world.pass(TURN_MS)
}

const blocks = () =>
  world.store.all<{ at: number; charges: number; amount: number }>(
    'SELECT at, length(items) / 82 AS charges, amount FROM entry WHERE kind = 2 ORDER BY number',
    [],
  )
const sizes = () => blocks().map(({ charges }) => charges)
const chain = () => world.store.all('SELECT number, hex(hash), hex(items) FROM entry ORDER BY number', [])

describe('a block', () => {
  test('that is not full takes in two seconds, and closes at once when they are over', async () => {
    const start = world.now
    await decided(30)
    await idle(1500)
    await decided(30)
    await idle(475)
    expect(blocks()).toEqual([])
    await idle(TURN_MS)
    expect(blocks()).toEqual([{ at: start + 2000, charges: 60, amount: 60 * 1000 }])
    expect(world.count('open_block')).toBe(0)
  })

  test('that is full closes when its second is over', async () => {
    const start = world.now
    await decided(99)
    await idle(900)
    await decided(1)
    expect(blocks()).toEqual([])
    await idle(100)
    expect(blocks()).toEqual([{ at: start + 1000, charges: 100, amount: 100 * 1000 }])
  })

  test('closes with the next record where none of time passing came', async () => {
    await decided(5)
    world.now += 1999
    await decided(5)
    expect(blocks()).toEqual([])
    world.now += 1
    await decided(5)
    expect(sizes()).toEqual([10])
  })

  test('of 50 impressions a second is at most 0.02 rows an impression, whatever else is written with it', async () => {
    const rows = () => {
      const tables = world.store.all<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        [],
      )
      return tables.reduce((sum, { name }) => sum + world.count(`"${name}"`), 0)
    }
    const before = rows()
    for (let second = 0; second < 120; second++) {
      for (let part = 0; part < 5; part++) {
        await decided(10)
        await idle(200)
      }
    }
    expect(rows() - before).toBeLessThanOrEqual(0.02 * 6000)
    expect(sizes().reduce((sum, charges) => sum + charges, 0)).toBeGreaterThan(5800)
  })

  test('is the same to the byte in any split of the log into batches', async () => {
    let random = 7
    for (let i = 0; i < 120; i++) {
      random = (random * 48_271) % 2_147_483_647
      await decided(random % 60)
      await world.pass(random % 700)
    }
    await idle(3000)
    expect(sizes().length).toBeGreaterThan(20)
    expect(Math.max(...sizes())).toBeGreaterThanOrEqual(100)
    const oneByOne = chain()
    // The whole log in batches as large as they may be.
    await world.replay()
    expect(chain()).toEqual(oneByOne)
  })

  test('closes with what it holds after a restart', async () => {
    await decided(7)
    await world.restart()
    await idle(2000)
    expect(sizes()).toEqual([7])
  })
})

test('a refund of an impression that is reserved closes its block first', async () => {
  const [first] = await decided(3)
  await world.command('refund', of.campaign, { eventId: first, reason: 'a mistake', amountMicros: 400 })
  const kinds = world.store.all<{ kind: number }>('SELECT kind FROM entry ORDER BY number', [])
  expect(kinds.map(({ kind }) => kind)).toEqual([4, 2, 3])
  // A charge that is an entry leaves the open block alone.
  await decided(1)
  await world.command('refund', of.campaign, { eventId: first, reason: 'the rest' })
  expect(sizes()).toEqual([3])
})

test('refunds of one batch find the block that the first of them closed', async () => {
  const [first, second] = await decided(2)
  const buffer = new RecordBuffer()
  const ids = [first, second, first].map(eventId =>
    world.writeCommand(buffer, {
      name: 'refund',
      target: of.campaign,
      body: { eventId, reason: 'a mistake' },
    }),
  )
  await world.append(buffer)
  await world.drain()
  expect(ids.map(id => world.outcomeOf(id)?.status)).toEqual([201, 201, 422])
  expect(sizes()).toEqual([2])
})

test('a refund finds the block of its impression, however late that closed and whatever came behind it', async () => {
  for (let i = 0; i < 5; i++) {
    await decided(2)
    await idle(3000)
  }
  const [first] = await decided(3)
  world.now += 3 * 86_400_000
  await world.restart()
  for (let i = 0; i < 5; i++) {
    await idle(3000)
    await decided(2)
  }
  const refunds = () => world.count('entry WHERE kind = 3')
  await world.command('refund', of.campaign, { eventId: first, reason: 'a mistake' })
  expect(refunds()).toBe(1)
})

test('blocks are of one second where the log does not say that they take in two', () => {
  const partition = new Partition(0, newHead(), new Bits(() => null))
  const take = (said: EpochOpenedRecord) => {
    const buffer = new RecordBuffer()
    buffer.json(RecordKind.epochOpened, 0, 0, said)
    decide(partition, new Changes(), { bytes: buffer.take(), appendedAt: 0 }, NO_LOOKUPS)
    return closesAt({ second: 10, items: new BlockItems() }, partition.head.blockSeconds)
  }
  expect(take({ epoch: 1, holdMs: 60_000 })).toBe(11_000)
  expect(take({ epoch: 2, holdMs: 60_000, blockSeconds: 2 })).toBe(12_000)
  expect(take({ epoch: 3, holdMs: 60_000 })).toBe(12_000)
})

const NO_LOOKUPS = {
  findCharge: () => null,
  findClaim: () => null,
  claimIngested: () => new Uint8Array(1),
}
