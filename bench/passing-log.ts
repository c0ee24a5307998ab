import type { Clock } from '../src/core/time.ts'
import type { EventLog, LogRecord } from '../src/ports/event-log.ts'
import { readHeader } from '../src/records/record.ts'

/** A log for measurements of billing alone: it keeps what was not read yet, so that 40 million records fit the memory. */
export class PassingLog implements EventLog {
  private waiting: LogRecord[] = []
  private next = 0

  constructor(
    readonly partitions: number,
    private readonly clock: Clock,
  ) {}

  async append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    const appendedAt = this.clock.now()
    for (let at = 0; at < records.length; ) {
      const { length, partition } = readHeader(view, at)
      this.waiting.push({
        partition,
        offset: this.next++,
        appendedAt,
        bytes: records.subarray(at, at + length),
      })
      at += length
    }
  }

  /** The decider reads all partitions together, so what it has read of one offset it has read of all. */
  read(from: readonly number[], bytesMax: number): LogRecord[] {
    const first = this.waiting.findIndex(({ partition, offset }) => offset >= from[partition]!)
    this.waiting = first < 0 ? [] : this.waiting.slice(first)
    const records: LogRecord[] = []
    let bytes = 0
    for (const record of this.waiting) {
      bytes += record.bytes.length
      if (records.length > 0 && bytes > bytesMax) break
      records.push(record)
    }
    return records
  }

  onAppend(): () => void {
    return () => {}
  }

  async close(): Promise<void> {}
}
