import { assert } from '../../core/assert.ts'
import type { Clock } from '../../core/time.ts'
import { type EventLog, type LogRecord, LogUnavailable } from '../../ports/event-log.ts'
import { checkRecords } from '../../records/check-records.ts'
import { readHeader } from '../../records/record.ts'

/** What an append may come to, besides going well. Each fault befalls one append, in the order they were given. */
export type AppendFault =
  /** Refused; nothing is kept. */
  | 'lost'
  /** Kept, but the answer is an error: a crash or a cut between the commit and its answer. */
  | 'keptButFailed'
  /** Kept twice, at two offsets: a sender that tried again after its answer was lost. */
  | 'keptTwice'

/** The log of tests and of the simulator: durable for as long as the object is kept, with faults on request. */
export class MemoryLog implements EventLog {
  readonly partitions: number
  private readonly clock: Clock
  private readonly kept: LogRecord[][]
  private readonly faults: AppendFault[] = []
  private readonly listeners = new Set<() => void>()
  private closed = false
  private next = 0
  lastAppendedAt = 0

  constructor(
    partitions: number,
    clock: Clock,
    kept: LogRecord[][] = Array.from({ length: partitions }, () => []),
  ) {
    this.partitions = partitions
    this.clock = clock
    this.kept = kept
    for (const records of kept) {
      const last = records.at(-1)
      if (last === undefined) continue
      this.next = Math.max(this.next, last.offset + 1)
      this.lastAppendedAt = Math.max(this.lastAppendedAt, last.appendedAt)
    }
  }

  /** The log as it is found after a crash or a restart: the same records, nothing that was under way. */
  reopened(): MemoryLog {
    this.closed = true
    return new MemoryLog(this.partitions, this.clock, this.kept)
  }

  failNext(fault: AppendFault): void {
    this.faults.push(fault)
  }

  async append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.closed) throw new LogUnavailable('the log is closed')
    if (checkRecords(records, this.partitions) === 0) return
    const fault = this.faults.shift()
    if (fault === 'lost') throw new LogUnavailable('fault: lost')
    this.keep(records)
    if (fault === 'keptTwice') this.keep(records)
    for (const wake of this.listeners) wake()
    if (fault === 'keptButFailed') throw new LogUnavailable('fault: kept, but failed')
  }

  read(from: readonly number[], bytesMax: number): LogRecord[] {
    assert(from.length === this.partitions, 'one offset a partition')
    const places = from.map((offset, partition) => firstAtOrAfter(this.kept[partition]!, offset))
    const records: LogRecord[] = []
    let bytes = 0
    for (;;) {
      const partition = this.earliest(places)
      if (partition === null) return records
      const record = this.kept[partition]![places[partition]!]!
      if (records.length > 0 && bytes + record.bytes.length > bytesMax) return records
      records.push(record)
      bytes += record.bytes.length
      places[partition]!++
    }
  }

  onAppend(wake: () => void): () => void {
    this.listeners.add(wake)
    return () => this.listeners.delete(wake)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  private keep(records: Uint8Array): void {
    const bytes = records.slice()
    const view = new DataView(bytes.buffer)
    this.lastAppendedAt = Math.max(this.lastAppendedAt, this.clock.now())
    for (let at = 0; at < bytes.length; ) {
      const { length, partition } = readHeader(view, at)
      this.kept[partition]!.push({
        partition,
        offset: this.next++,
        appendedAt: this.lastAppendedAt,
        bytes: bytes.subarray(at, at + length),
      })
      at += length
    }
  }

  /** The partition whose record at its place was appended first; null where all are at their end. */
  private earliest(places: readonly number[]): number | null {
    let found: number | null = null
    let offsetMin = Number.POSITIVE_INFINITY
    for (let partition = 0; partition < this.partitions; partition++) {
      const record = this.kept[partition]![places[partition]!]
      if (record === undefined || record.offset >= offsetMin) continue
      found = partition
      offsetMin = record.offset
    }
    return found
  }
}

function firstAtOrAfter(records: readonly LogRecord[], offset: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (records[middle]!.offset < offset) low = middle + 1
    else high = middle
  }
  return low
}
