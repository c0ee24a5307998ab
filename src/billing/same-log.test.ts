import { afterEach, beforeEach, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { MemoryLog } from '../adapters/memory/log.ts'
import type { LogRecord } from '../ports/event-log.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'

let world: TestDecider
beforeEach(async () => {
  world = new TestDecider()
  await world.open()
  await world.campaign(250_000)
  await world.pass(31_000)
})
afterEach(() => world.close())

function recordsOf(log: MemoryLog): LogRecord[] {
  return log.read(new Array<number>(log.partitions).fill(0), Number.MAX_SAFE_INTEGER)
}

/** A log of these records, at the places that they had. */
async function logOf(records: readonly Uint8Array[]): Promise<MemoryLog> {
  const log = new MemoryLog(world.partitions, { now: () => world.now })
  for (const bytes of records) await log.append(bytes.slice())
  return log
}

function tick(partition: number): Uint8Array {
  const buffer = new RecordBuffer()
  buffer.json(RecordKind.tick, partition, world.now + 1, {})
  return buffer.take()
}

const SAID =
  /The log is not the one that the books came from: record \d+, the last that partition \d decided, is /

test.each([
  ['an empty one', () => [], 'missing'],
  ['one of before', (all: LogRecord[]) => all.slice(0, -3).map(({ bytes }) => bytes), 'missing'],
  [
    'one that went another way',
    (all: LogRecord[]) => [...all.slice(0, -1).map(({ bytes }) => bytes), tick(all.at(-1)!.partition)],
    'another',
  ],
])('a store is not gone on with over another log: %s', async (_name, change, how) => {
  world.log = await logOf(change(recordsOf(world.log)))
  const before = recordsOf(world.log).length
  world.store.close()
  const opening = world.open()
  await expect(opening).rejects.toThrow(SAID)
  await expect(opening).rejects.toThrow(`is ${how}.`)
  expect(recordsOf(world.log)).toHaveLength(before)
})

test('the same log, and one that has more since, are gone on with', async () => {
  world.log = await logOf(recordsOf(world.log).map(({ bytes }) => bytes))
  await world.log.append(tick(0).slice())
  world.store.close()
  await world.open()
  await world.campaign(250_000)
})
