import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { DeciderScene } from '../../test/decider-scene.ts'
import { SqliteStore } from '../adapters/sqlite/store.ts'
import { DRAIN_MS } from '../budgets/lease-time.ts'
import { parseId } from '../core/ids.ts'
import { Fenced } from '../ports/store.ts'
import { appendEvent } from '../records/events.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { FUTURE_MS, TOO_SOON_MS } from './decide-impression.ts'

let scene: DeciderScene

beforeEach(async () => {
  scene = new DeciderScene()
  await scene.open()
})

afterEach(() => scene.close())

test.each([
  ['cpc', 2],
  ['cpm', 0],
] as const)(
  'the edge hears once a batch how often each ad was shown and clicked, %s',
  async (model, paid) => {
    const of = await scene.served({ model, amountMicros: 250_000 })
    const ad = parseId('ad', of.ad)!
    const buffer = new RecordBuffer()
    for (let i = 0; i < 3; i++) {
      const { bytes } = scene.token(of, { cpm: model === 'cpm', price: 250_000 })
      const event = { partition: 0, token: bytes, verdict: Reason.none, fromServer: false }
      appendEvent(buffer, { ...event, kind: RecordKind.impression, receivedAt: scene.now })
      if (i < 2) appendEvent(buffer, { ...event, kind: RecordKind.click, receivedAt: scene.now + 1000 })
    }
    await scene.log.append(buffer.take())
    scene.told.length = 0
    await scene.drain()
    expect(scene.charges()).toBe(paid)
    expect(scene.told.map(({ observed }) => observed).filter(({ length }) => length > 0)).toEqual([
      [ad, 0, 3, 2],
    ])
  },
)

test('requests that edges report of one minute and placement add up, in one batch and in the next', async () => {
  const minute = scene.now - 60_000
  const said = { minute, placement: 256, publisher: 256, country: 0, device: 1 }
  for (const counts of [[1, 2], [4]]) {
    const buffer = new RecordBuffer()
    for (const requests of counts) {
      buffer.json(RecordKind.requests, 0, scene.now, { minutes: [{ ...said, requests }] })
    }
    await scene.log.append(buffer.take())
    await scene.drain()
  }
  expect(scene.store.all('SELECT minute, placement, requests FROM requests', [])).toEqual([
    { minute, placement: 256, requests: 7 },
  ])
})

describe('a click', () => {
  test('is charged once, whatever is repeated', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes)
    scene.now += 1000
    for (let i = 0; i < 50; i++) await scene.clicked(bytes)
    expect(scene.charges()).toBe(1)
    expect(scene.store.all('SELECT count FROM token_repeat WHERE kind = 2', [])).toEqual([{ count: 49 }])
    expect(scene.told.reduce((sum, { repeated }) => sum + repeated, 0)).toBe(49)
    expect(scene.sumOfAccounts()).toBe(0)
  })

  test('is charged once when it is replayed after a restart, an hour, a day and 35 days later', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes)
    scene.now += 1000
    await scene.clicked(bytes)
    for (const later of [0, 3_600_000, 90_000_000, 35 * 86_400_000]) {
      scene.now += later
      await scene.restart()
      await scene.clicked(bytes)
    }
    expect(scene.charges()).toBe(1)
  })

  test('before its impression waits for it', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.clicked(bytes)
    expect(scene.charges()).toBe(0)
    await scene.restart()
    await scene.shown(bytes)
    expect(scene.charges()).toBe(1)
  })

  test('that waits is not charged for an impression that is refused', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.clicked(bytes)
    await scene.shown(bytes, Reason.rate)
    expect(scene.charges()).toBe(0)
    await scene.pass(61_000)
    expect(scene.refusals()).toEqual([Reason.unrendered])
  })

  test('whose impression never comes is refused after the hold', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    await scene.clicked(scene.token(of, { price: 250_000 }).bytes)
    await scene.pass(61_000)
    await scene.pass(1100)
    expect(scene.refusals()).toEqual([Reason.unrendered])
    expect(scene.count('held')).toBe(0)
  })

  test.each([
    ['too soon', 200, Reason.none, false, Reason.tooSoon],
    ['a flood', 1000, Reason.rate, false, Reason.rate],
    ['of a test', 1000, Reason.none, true, Reason.test],
    ['a day late', 86_400_001, Reason.none, false, Reason.expired],
  ])('%s is refused', async (_name, afterMs, verdict, isTest, reason) => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes)
    if (isTest) {
      const flagged = scene.token(of, { price: 250_000, test: true })
      await scene.clicked(flagged.bytes, verdict)
    } else {
      scene.now += afterMs
      await scene.clicked(bytes, verdict)
    }
    expect(scene.charges()).toBe(0)
    expect(scene.refusals().at(-1)).toBe(reason)
    expect(scene.told.reduce((sum, { refused }) => sum + (refused[reason] ?? 0), 0)).toBe(1)
  })

  test.each([
    ['half a second after its impression', TOO_SOON_MS, []],
    ['by a clock that is as far behind as clocks may be', -FUTURE_MS, []],
    ['by one that is further behind', -FUTURE_MS - 1, [Reason.future]],
  ])('%s is refused only where it must be', async (_name, afterMs, reasons) => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    if (afterMs > 0) await scene.shown(bytes)
    scene.now += afterMs
    await scene.clicked(bytes)
    if (afterMs < 0) await scene.shown(bytes)
    expect(scene.refusals()).toEqual(reasons)
    expect(scene.charges()).toBe(1 - reasons.length)
  })

  test('whose impression was refused is refused at once, and not held for one that comes again', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes, Reason.rate)
    scene.now += 1000
    await scene.clicked(bytes)
    expect([scene.refusals(), scene.count('held')]).toEqual([[Reason.unrendered], 0])
    await scene.shown(bytes)
    expect(scene.charges()).toBe(0)
  })

  test('of a crawler uses the token up for nobody', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes)
    scene.now += 1000
    await scene.clicked(bytes, Reason.crawler)
    expect(scene.refusals()).toEqual([Reason.crawler])
    await scene.clicked(bytes)
    expect(scene.charges()).toBe(1)
  })
})

describe('a decider that is renewed while its edge lives on', () => {
  test.each([
    { what: 'leaves what the edge had in hand reserved until it tells', drainMs: DRAIN_MS, held: 5_000 },
    { what: 'or that ended with it, too, has all of it back at once', drainMs: 0, held: 0 },
  ])('$what', async ({ drainMs, held }) => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_000_000 }, { totalMicros: 5_000 })
    const number = parseId('campaign', of.campaign)!
    const { left, talk } = scene.edge()
    for (let i = 0; i < 4; i++) await talk(250)
    scene.store.close()
    await scene.open(drainMs)
    const { body } = await scene.commanded('patchCampaign', number, {})
    expect(body).toMatchObject({ mayStillSpendMicros: held })
    for (let i = 0; i < 12; i++) await talk(250)
    expect(left(number)).toBe(5_000_000)
  })
})

test('a decider whose partitions another has taken over writes nothing any more', async () => {
  const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
  const { bytes } = scene.token(of, { price: 250_000 })
  await scene.shown(bytes)
  scene.now += 1000
  const rival = new SqliteStore(join(scene.folder, 'store.sqlite'), scene.partitions)
  rival.takeOver()
  await expect(scene.clicked(bytes)).rejects.toThrow(Fenced)
  rival.close()
  expect(scene.charges()).toBe(0)
  await scene.restart()
  expect(scene.charges()).toBe(1)
})

describe('the log', () => {
  test('replayed into an empty store gives the same ledger, to the byte', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    for (let i = 0; i < 10; i++) {
      const { bytes } = scene.token(of, { price: 250_000 })
      await scene.shown(bytes)
      scene.now += 700
      await scene.clicked(bytes)
    }
    const heads = () =>
      scene.store.all('SELECT number, lower(hex(hash)) AS hash FROM entry ORDER BY number', [])
    const before = heads()
    await scene.replay()
    expect(heads()).toEqual(before)
    expect(before.length).toBe(11)
  })

  test('has records put aside that cannot be read, and goes on', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 })
    const buffer = new RecordBuffer()
    buffer.json(77 as RecordKind, 0, scene.now, {})
    await scene.log.append(buffer.take())
    await scene.drain()
    expect(scene.count('dead_letter')).toBe(1)
    const { bytes } = scene.token(of, { price: 250_000 })
    await scene.shown(bytes)
    scene.now += 1000
    await scene.clicked(bytes)
    expect(scene.charges()).toBe(1)
  })
})
