import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { writeImpressionId } from '../core/ids.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { appendEvent, type EpochOpenedRecord } from '../records/events.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../records/token-body.ts'
import { PAGE_BITS } from './bits.ts'
import { TOKEN_KEPT_MS } from './floor.ts'

const PRICE = 250_000

let world: TestDecider
let of: { campaign: number; ad: number }
let serial: number

beforeEach(async () => {
  serial = 0
  world = new TestDecider()
  await world.open()
  of = await world.campaign(PRICE, 1_000_000_000)
})
afterEach(() => world.close())

/** A token of this moment. */
function token(at: { boot: number; serial: number } = { boot: 1, serial: serial++ }, cpm = false) {
  const bytes = new Uint8Array(TOKEN_BODY_BYTES)
  const view = new DataView(bytes.buffer)
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
    cpm,
    test: false,
    clickExpiresAt: world.now + DAY_MS,
  })
  writeImpressionId(view, 2, world.now, at.boot, 0, at.serial)
  return bytes
}

async function send(kind: 1 | 2, bytes: Uint8Array, receivedAt = world.now): Promise<void> {
  const buffer = new RecordBuffer()
  appendEvent(buffer, {
    kind,
    partition: 0,
    receivedAt,
    token: bytes,
    verdict: Reason.none,
    fromServer: false,
  })
  await world.append(buffer)
  await world.drain()
}

/** Shown, clicked a second later, clicked again. */
async function clicked(bytes: Uint8Array): Promise<void> {
  await send(RecordKind.impression, bytes)
  await world.pass(1000)
  await send(RecordKind.click, bytes)
  await send(RecordKind.click, bytes)
}

const charges = () => world.count('entry WHERE kind = 1')
const pages = () => world.count('bits')
const repeats = () => world.count('token_repeat')
const expired = () => world.told.reduce((sum, { refused }) => sum + (refused[Reason.expired] ?? 0), 0)
const tables = () => ({
  bits: world.store.all(
    'SELECT boot, partition, kind, page, issued_until, lower(hex(bytes)) AS bytes FROM bits ORDER BY 1, 2, 3, 4',
    [],
  ),
  repeats: world.store.all('SELECT * FROM token_repeat ORDER BY partition, event, kind', []),
})
function floor(): number {
  const [row] = world.store.all<{ floor: number }>(
    "SELECT json_extract(state, '$.floor') AS floor FROM position WHERE partition = 0",
    [],
  )
  return row!.floor
}

/** From here on impressions are known for so long: shorter than in earnest, and the tests with it. */
async function keepFor(keptMs: number): Promise<void> {
  const buffer = new RecordBuffer()
  // Beyond the epoch of any start before.
  const opened: EpochOpenedRecord = { epoch: world.now, holdMs: 60_000, keptMs }
  buffer.json(RecordKind.epochOpened, 0, world.now, opened)
  await world.append(buffer)
  await letFloorFollow()
}

/** Seconds until the floor is where it should be, in one batch. */
async function letFloorFollow(): Promise<void> {
  await appendSeconds()
  await world.drain()
}

async function appendSeconds(): Promise<void> {
  for (let seconds = 0; seconds < 10_000; seconds++) {
    world.now += 1000
    const buffer = new RecordBuffer()
    buffer.json(RecordKind.tick, 0, world.now, {})
    await world.append(buffer)
  }
}

/** So long in steps of ten minutes, none of them without a second in which the floor may move. */
async function passInSteps(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10 * MINUTE_MS) await world.pass(10 * MINUTE_MS)
}

describe('a charged click', () => {
  test.each([
    ['an hour', HOUR_MS, true],
    ['25 hours', 25 * HOUR_MS, true],
    ['35 days', 35 * DAY_MS, true],
    ['60 days', 60 * DAY_MS, false],
  ])('that comes again after %s is charged once, by its old record too', async (_name, later, isKnown) => {
    const bytes = token()
    const { now } = world
    await send(RecordKind.impression, bytes)
    await world.pass(1000)
    await send(RecordKind.click, bytes)
    await world.pass(later)
    await letFloorFollow()
    await world.restart()
    await send(RecordKind.click, bytes)
    // A spool that is forwarded a second time: received when it still counted.
    await send(RecordKind.impression, bytes, now)
    await send(RecordKind.click, bytes, now + 1000)
    expect(charges()).toBe(1)
    const [row] = world.store.all<{ count: number }>('SELECT count FROM token_repeat', [])
    expect(row?.count ?? 0).toBe(isKnown ? 2 : 0)
    expect(expired()).toBe(isKnown ? 0 : 3)
  })

  test('is charged once where its bits are gone', async () => {
    await keepFor(2 * HOUR_MS)
    const bytes = token()
    const { now } = world
    await clicked(bytes)
    await passInSteps(4 * HOUR_MS)
    expect([pages(), repeats()]).toEqual([0, 0])
    await send(RecordKind.impression, bytes, now)
    await send(RecordKind.click, bytes, now + 1000)
    expect(charges()).toBe(1)
  })

  test('is charged once while it is above the floor, though others of its page are below', async () => {
    await keepFor(2 * HOUR_MS)
    await clicked(token({ boot: 2, serial: 0 }))
    await passInSteps(90 * MINUTE_MS)
    const bytes = token({ boot: 2, serial: 1 })
    const { now } = world
    await clicked(bytes)
    await passInSteps(60 * MINUTE_MS)
    for (const restarts of [false, true]) {
      if (restarts) await world.restart()
      await send(RecordKind.impression, bytes, now)
      await send(RecordKind.click, bytes, now + 1000)
    }
    expect(charges()).toBe(2)
  })
})

test('what was never seen and is below the floor is refused as expired, and leaves no row', async () => {
  const late = token()
  const cpm = token(undefined, true)
  await world.pass(TOKEN_KEPT_MS + 2 * MINUTE_MS)
  await letFloorFollow()
  const received = world.now - TOKEN_KEPT_MS
  await send(RecordKind.impression, late, received)
  await send(RecordKind.click, late, received)
  await send(RecordKind.impression, cpm, received)
  expect([charges(), pages(), repeats(), world.count('transition'), world.count('held')]).toEqual([
    0, 0, 0, 0, 0,
  ])
  expect(expired()).toBe(3)
})

describe('the store', () => {
  test('stops growing: what it keeps to know repeats by is of the time above the floor', async () => {
    await keepFor(2 * HOUR_MS)
    const kept: { pages: number; repeats: number }[] = []
    for (let boot = 2; boot < 50; boot++) {
      await clicked(token({ boot, serial: 0 }))
      await world.pass(10 * MINUTE_MS)
      kept.push({ pages: pages(), repeats: repeats() })
    }
    expect(kept[6]).toEqual({ pages: 14, repeats: 7 })
    // Twelve lots in two hours, and those of the step under way.
    for (const { pages, repeats } of kept.slice(20)) {
      expect(pages).toBeLessThanOrEqual(28)
      expect(repeats).toBeLessThanOrEqual(14)
    }
    expect(charges()).toBe(48)
  })

  test('that was off for long deletes little at a time', async () => {
    await keepFor(2 * HOUR_MS)
    for (let boot = 2; boot < 14; boot++) {
      await clicked(token({ boot, serial: 0 }))
      await world.pass(10 * MINUTE_MS)
    }
    await world.pass(3 * DAY_MS)
    let before = pages()
    const deleted: number[] = []
    for (let turn = 0; turn < 30 && before > 0; turn++) {
      // The tick of a partition where nothing happens.
      await world.pass(31_000)
      deleted.push(before - pages())
      before = pages()
    }
    expect(before).toBe(0)
    expect(Math.max(...deleted)).toBeLessThanOrEqual(4)
    expect(deleted.length).toBeGreaterThan(5)
  })

  test('has the same bits and repeats after a replay, whatever the batches', async () => {
    await keepFor(2 * HOUR_MS)
    // A page that is written below the floor, forgotten, and written again.
    for (let i = 0; i < 3; i++) {
      for (const boot of [2, 3]) await clicked(token({ boot, serial: i * 3 }))
      await clicked(token({ boot: 4 + i, serial: i * PAGE_BITS }))
      await passInSteps(3 * HOUR_MS)
      await clicked(token({ boot: 2, serial: i * 3 + 1 }))
    }
    await expectSameAfterReplay()
  })

  test('has the same bits after a replay where a page was read back in the batch that forgot it', async () => {
    await clicked(token({ boot: 9, serial: 0 }))
    await world.restart()
    await keepFor(3 * HOUR_MS)
    await appendSeconds()
    await send(RecordKind.impression, token({ boot: 9, serial: 1 }))
    await expectSameAfterReplay()
  })

  async function expectSameAfterReplay(): Promise<void> {
    const live = tables()
    expect(live.bits).not.toEqual([])
    const at = floor()
    await world.replay()
    expect(floor()).toBe(at)
    expect(tables()).toEqual(live)
  }
})
