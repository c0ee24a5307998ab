import { beforeEach, expect, test } from 'bun:test'
import { writeImpressionId } from '../core/ids.ts'
import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { appendEvent } from '../records/events.ts'
import { Reason } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../records/token-body.ts'
import { Bits } from './bits.ts'
import { Changes } from './changes.ts'
import { decide } from './decide.ts'
import { newHead, Partition } from './partition.ts'

const START = Date.parse('2026-11-24T12:00:00.000Z')
const HOLD_MS = 60_000

let partition: Partition
let changes: Changes
beforeEach(() => {
  partition = new Partition(0, newHead(), new Bits(() => null))
  changes = new Changes()
})

const lookups = {
  findCharge: () => null,
  findClaim: () => null,
  claimIngested: () => new Uint8Array(1),
}

function take(write: (buffer: RecordBuffer) => void, appendedAt: number): void {
  const buffer = new RecordBuffer()
  write(buffer)
  decide(partition, changes, { bytes: buffer.take(), appendedAt }, lookups)
}

function tick(appendedAt: number): void {
  take(buffer => buffer.json(RecordKind.tick, 0, appendedAt, {}), appendedAt)
}

function timePassed(to: number): void {
  take(buffer => buffer.json(RecordKind.timePassed, 0, to, { to }), to)
}

/** A click that waits for its impression. */
function holdClick(at: number): void {
  const token = new Uint8Array(TOKEN_BODY_BYTES)
  const view = new DataView(token.buffer)
  writeTokenBody(view, 0, {
    keyNumber: 0,
    campaign: 256,
    ad: 256,
    placement: 0,
    publisher: 0,
    shard: 0,
    sharePpm: 0,
    priceMicros: 1000,
    clickRatePpb: 0,
    epoch: 0,
    country: 0,
    device: 0,
    cpm: false,
    test: false,
    clickExpiresAt: at + HOUR_MS,
  })
  writeImpressionId(view, 2, at, 1, 0, 0)
  const event = { kind: RecordKind.click, partition: 0, receivedAt: at, token, verdict: 0, fromServer: false }
  take(buffer => appendEvent(buffer, event), at)
}

const unrendered = () =>
  changes.transitions.filter(({ state, reason }) => state === 'rejected' && reason === Reason.unrendered)

test('a record appended far ahead settles no hold, until the log says that so much time has passed', () => {
  timePassed(START)
  holdClick(START + 10)
  tick(START + 2 * HOUR_MS)
  expect(partition.head.time).toBe(START + 10)
  expect(partition.held.size).toBe(1)
  timePassed(START + 2 * HOUR_MS)
  expect(partition.head.time).toBe(START + 2 * HOUR_MS)
  expect(partition.held.size).toBe(0)
  expect(unrendered()).toHaveLength(1)
})

test('after a step back, time stands until it is passed again, and a hold ends by its deadline', () => {
  timePassed(START)
  holdClick(START + 10)
  tick(START - HOUR_MS)
  timePassed(START - HOUR_MS)
  expect(partition.head.time).toBe(START + 10)
  for (let at = START + 1000; at < START + 10 + HOLD_MS; at += 1000) tick(at)
  expect(partition.held.size).toBe(1)
  tick(START + 10 + HOLD_MS + 1000)
  expect(partition.held.size).toBe(0)
  expect(unrendered()).toHaveLength(1)
})

test('small gaps add up without being logged', () => {
  timePassed(START)
  for (let minute = 1; minute <= 120; minute++) tick(START + minute * MINUTE_MS)
  expect(partition.head.time).toBe(START + 2 * HOUR_MS)
})

test('a log from before such records moves time as it did', () => {
  tick(START)
  tick(START + 9 * HOUR_MS)
  expect(partition.head.time).toBe(START + 9 * HOUR_MS)
})
