import { Database } from 'bun:sqlite'
import { assert } from '../../core/assert.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import { BrokenRecord, readHeader } from '../../records/record.ts'

/**
 * The tables of the log. A row is one batch as it was committed, `id` the number of its first record since the log
 * began: the offset of a record is `id` + its place in the batch. So offsets grow in commit order over all partitions,
 * and 2^53 of them outlast any log. (Row number * 2^20 + place would run out after 99 days of 1,000 commits a second.)
 */
export const LOG_SCHEMA = `
CREATE TABLE IF NOT EXISTS log_meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS batch (id INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
`

export const LOG_LAYOUT = 1

interface Batch {
  readonly id: number
  readonly appended_at: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Reads the log's file, on a connection of its own or on the writer's. */
export class LogReader {
  private readonly db: Database
  readonly partitions: number
  private readonly batchHolding
  private readonly batchFrom
  /** No record of a partition has an offset in `[quietFrom, quietTo)`: an idle partition is not scanned for again. */
  private readonly quietFrom: number[]
  private readonly quietTo: number[]
  /** Where a batch ended that was read whole: at the end of the log, polling does not read the last batch again. */
  private batchEnd = -1

  constructor(db: Database) {
    this.db = db
    assert(readMeta(db, 'layout') === LOG_LAYOUT, `log file has another layout than ${LOG_LAYOUT}`)
    this.partitions = readMeta(db, 'partitions') ?? 0
    this.quietFrom = new Array<number>(this.partitions).fill(0)
    this.quietTo = new Array<number>(this.partitions).fill(0)
    this.batchHolding = db.query<Batch, [number]>(
      'SELECT * FROM batch WHERE id <= ? ORDER BY id DESC LIMIT 1',
    )
    this.batchFrom = db.query<Batch, [number]>('SELECT * FROM batch WHERE id >= ? ORDER BY id LIMIT 1')
  }

  /** Only for a log that a writer has open: that one keeps the shared index of the WAL. */
  static open(path: string): LogReader {
    const db = new Database(path, { readonly: true })
    db.run('PRAGMA busy_timeout = 5000')
    return new LogReader(db)
  }

  /** At least one record where there is any, however small `bytesMax`. */
  read(from: readonly number[], bytesMax: number): LogRecord[] {
    assert(from.length === this.partitions, 'one offset a partition')
    const starts = from.map((offset, partition) => this.afterQuiet(partition, offset))
    const seen = from.slice()
    const records: LogRecord[] = []
    let bytes = 0
    let offset = Math.min(...starts)
    let batch = offset === this.batchEnd ? this.batchFrom.get(offset) : this.batchAt(offset)
    scan: while (batch !== null) {
      offset = batch.id
      const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength)
      for (let at = 0; at < view.byteLength; offset++) {
        const { length, partition } = readHeader(view, at)
        if (partition >= this.partitions)
          throw new BrokenRecord(`offset ${offset} is of partition ${partition}`)
        if (offset >= starts[partition]!) {
          if (records.length > 0 && bytes + length > bytesMax) break scan
          const record = batch.bytes.subarray(at, at + length)
          records.push({ partition, offset, appendedAt: batch.appended_at, bytes: record })
          bytes += length
          seen[partition] = offset + 1
        }
        at += length
      }
      this.batchEnd = offset
      batch = this.batchFrom.get(offset)
    }
    for (let partition = 0; partition < this.partitions; partition++) {
      this.quietFrom[partition] = seen[partition]!
      this.quietTo[partition] = offset
    }
    return records
  }

  close(): void {
    this.db.close()
  }

  private batchAt(offset: number): Batch | null {
    return this.batchHolding.get(offset) ?? this.batchFrom.get(offset)
  }

  private afterQuiet(partition: number, offset: number): number {
    const quiet = offset >= this.quietFrom[partition]! && offset < this.quietTo[partition]!
    return quiet ? this.quietTo[partition]! : offset
  }
}

export function readMeta(db: Database, name: string): number | null {
  return (
    db.query<{ value: number }, [string]>('SELECT value FROM log_meta WHERE name = ?').get(name)?.value ??
    null
  )
}
