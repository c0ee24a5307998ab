import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type EventLog, type LogRecord, LogUnavailable } from '../../src/ports/event-log.ts'
import { BrokenRecord, HEADER_BYTES, RECORD_BYTES_MAX, RecordKind } from '../../src/records/record.ts'
import { RecordBuffer } from '../../src/records/record-buffer.ts'

export const PARTITIONS = 4

/** One log, kept somewhere, that the suite may close and open again. */
export interface KeptLog {
  /** The first call makes it. */
  open(): Promise<EventLog>
  /** Opens one whose disk is full after some tens of kilobytes; absent where there is no disk. */
  openNearlyFull?(): Promise<EventLog>
  remove(): Promise<void>
}

/** What every adapter of the port promises. */
export function eventLogContract(name: string, make: () => Promise<KeptLog>): void {
  describe(`event log: ${name}`, () => {
    let kept: KeptLog
    let log: EventLog

    beforeEach(async () => {
      kept = await make()
      log = await kept.open()
    })
    afterEach(async () => {
      await log.close()
      await kept.remove()
    })

    const reopen = async () => {
      await log.close()
      log = await kept.open()
    }
    const read = (from = [0, 0, 0, 0], bytesMax = 1 << 30) => log.read(from, bytesMax)

    test('records of a partition come back in the order of their appends, with growing offsets', async () => {
      await log.append(records([1, 'a'], [2, 'b'], [1, 'c']))
      await log.append(records([2, 'd'], [1, 'e']))
      expect(texts(read(), 1)).toEqual(['a', 'c', 'e'])
      expect(texts(read(), 2)).toEqual(['b', 'd'])
      expectGrowing(read())
    })

    test('appends that wait together keep the order in which they were called', async () => {
      const names = Array.from({ length: 500 }, (_, i) => `${i}`)
      await Promise.all(names.map(text => log.append(records([3, text]))))
      expect(texts(read(), 3)).toEqual(names)
      expectGrowing(read())
    })

    test('a read goes on from any offset, also within a batch', async () => {
      await log.append(records([0, 'a'], [1, 'b'], [0, 'c'], [0, 'd'], [1, 'e']))
      const [, second] = read().filter(record => record.partition === 0)
      const rest = read([second!.offset, 0, 0, 0])
      expect(texts(rest, 0)).toEqual(['c', 'd'])
      expect(texts(rest, 1)).toEqual(['b', 'e'])
    })

    test('reading on by offset + 1 in slices of any size gives each record once', async () => {
      const names = Array.from({ length: 60 }, (_, i) => `${i}`)
      for (let i = 0; i < 60; i += 6) {
        await log.append(records(...names.slice(i, i + 6).map((text, j) => [j % 3, text] as const)))
      }
      for (const bytesMax of [1, 40, 100, 1000]) {
        const from = [0, 0, 0, 0]
        const seen: string[] = []
        for (let slice = read(from, bytesMax); slice.length > 0; slice = read(from, bytesMax)) {
          for (const record of slice) {
            expect(record.offset).toBeGreaterThanOrEqual(from[record.partition]!)
            from[record.partition] = record.offset + 1
            seen.push(text(record))
          }
        }
        expect(seen.sort((a, b) => Number(a) - Number(b))).toEqual(names)
      }
    })

    test('a partition that was quiet for long gives its next record, and its old ones when asked again', async () => {
      await log.append(records([2, 'old']))
      const from = [0, 0, 0, 0]
      for (let i = 0; i < 20; i++) {
        await log.append(records([0, `${i}`]))
        for (const record of read(from)) from[record.partition] = record.offset + 1
      }
      await log.append(records([2, 'new'], [3, 'first']))
      expect(read(from).map(text)).toEqual(['new', 'first'])
      expect(texts(read([from[0]!, 0, 0, 0]), 2)).toEqual(['old', 'new'])
    })

    test('a read at the end is empty, until something is appended', async () => {
      expect(read()).toEqual([])
      await log.append(records([0, 'a']))
      const end = read()[0]!.offset + 1
      expect(read([end, end, end, end])).toEqual([])
      await log.append(records([1, 'b']))
      expect(read([end, end, end, end]).map(text)).toEqual(['b'])
    })

    test('a read gives one record even where it is larger than was asked for', async () => {
      await log.append(records([0, 'x'.repeat(1000)], [0, 'y']))
      expect(read([0, 0, 0, 0], 10)).toHaveLength(1)
    })

    test('a record of the largest size is kept, several of them in one append', async () => {
      const large = 'x'.repeat(RECORD_BYTES_MAX - HEADER_BYTES)
      await log.append(records([0, large], [1, large], [0, 'small']))
      expect(read().map(record => record.bytes.length)).toEqual([
        RECORD_BYTES_MAX,
        RECORD_BYTES_MAX,
        HEADER_BYTES + 5,
      ])
      expectGrowing(read())
    })

    const whole = () => records([0, 'whole'])
    const broken: [string, () => Uint8Array<ArrayBuffer>][] = [
      ['a record over the limit', () => tooLarge()],
      ['a record of a partition that the log has not', () => records([PARTITIONS, 'x'])],
      ['a record that is cut short', () => whole().slice(0, -1)],
      ['a header that is cut short', () => whole().slice(0, HEADER_BYTES - 1)],
      ['a length that is cut short', () => whole().slice(0, 3)],
      ['another version', () => whole().fill(9, 4, 5)],
      ['a whole record before a broken one', () => joined(whole(), whole().slice(0, -1))],
    ]
    for (const [what, bytes] of broken) {
      test(`${what} is refused, and nothing of its append is kept`, async () => {
        expect(await fault(log.append(bytes()))).toBeInstanceOf(BrokenRecord)
        await log.append(records([0, 'good']))
        expect(read().map(text)).toEqual(['good'])
      })
    }

    test('an append of nothing resolves', async () => {
      await log.append(new Uint8Array(0))
      expect(read()).toEqual([])
    })

    test('the bytes may be used again once append was called', async () => {
      const bytes = records([0, 'kept'])
      const appended = log.append(bytes)
      bytes.fill(0)
      await appended
      expect(read().map(text)).toEqual(['kept'])
    })

    test('reopening keeps all records at their offsets, and goes on behind them in time and offset', async () => {
      await log.append(records([0, 'a'], [1, 'b']))
      const before = read()
      await reopen()
      expect(read()).toEqual(before)
      await log.append(records([0, 'c'], [1, 'd']))
      expect(read().map(text)).toEqual(['a', 'b', 'c', 'd'])
      expectGrowing(read())
      const times = read().map(record => record.appendedAt)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    })

    test('what was written before close is durable', async () => {
      const appended = log.append(records([0, 'last words']))
      await reopen()
      await appended
      expect(read().map(text)).toEqual(['last words'])
    })

    test('an append wakes those who follow, until they end it', async () => {
      let woken = 0
      const end = log.onAppend(() => woken++)
      await log.append(records([0, 'a']))
      expect(woken).toBeGreaterThan(0)
      end()
      woken = 0
      await log.append(records([0, 'b']))
      expect(woken).toBe(0)
    })

    test('a closed log refuses appends', async () => {
      await log.close()
      expect(await fault(log.append(records([0, 'a'])))).toBeInstanceOf(LogUnavailable)
      log = await kept.open()
    })

    test('a full disk refuses an append whole, and the log goes on with what fits', async () => {
      if (kept.openNearlyFull === undefined) return
      await log.close()
      log = await kept.openNearlyFull()
      await log.append(records([0, 'before']))
      const big = records([0, 'small part'], [0, 'x'.repeat(400_000)], [1, 'y'.repeat(900_000)])
      for (let i = 0; i < 3; i++) expect(await fault(log.append(big))).toBeInstanceOf(LogUnavailable)
      expect(read().map(text)).toEqual(['before'])
      await log.append(records([0, 'after']))
      expect(read().map(text)).toEqual(['before', 'after'])
      await reopen()
      await log.append(records([1, 'room again']))
      expect(read().map(text)).toEqual(['before', 'after', 'room again'])
    })
  })
}

export function records(...all: (readonly [partition: number, text: string])[]): Uint8Array<ArrayBuffer> {
  const buffer = new RecordBuffer()
  for (const [partition, text] of all) write(buffer, partition, text)
  return buffer.take()
}

export function write(buffer: RecordBuffer, partition: number, text: string): void {
  const payload = new TextEncoder().encode(text)
  const at = buffer.begin(RecordKind.click, partition, 1_700_000_000_000, payload.length)
  buffer.payloadBytes().set(payload, at)
}

export function text(record: LogRecord): string {
  return new TextDecoder().decode(record.bytes.subarray(HEADER_BYTES))
}

/** What a promise rejects with. (Bun's `rejects` blocks the event loop that the answer has to come over.) */
export function fault(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no fault',
    error => error,
  )
}

function texts(all: readonly LogRecord[], partition: number): string[] {
  return all.filter(record => record.partition === partition).map(text)
}

function expectGrowing(all: readonly LogRecord[]): void {
  const last = new Map<number, number>()
  for (const { partition, offset } of all) {
    expect(offset).toBeGreaterThan(last.get(partition) ?? -1)
    last.set(partition, offset)
  }
}

/** As a writer that knows no limit would make it. */
function tooLarge(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_BYTES_MAX + 1)
  bytes.set(records([0, '']))
  new DataView(bytes.buffer).setUint32(0, bytes.length)
  return bytes
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap(part => [...part]))
}
