import { Database, SQLiteError } from 'bun:sqlite'
import { assert } from '../../core/assert.ts'
import type { Clock, EpochMs } from '../../core/time.ts'
import { type EventLog, type LogRecord, LogUnavailable } from '../../ports/event-log.ts'
import { checkRecords } from '../../records/check-records.ts'
import { readHeader } from '../../records/record.ts'
import { LOG_LAYOUT, LOG_SCHEMA, LogReader, readMeta } from './log-reader.ts'
import { isUnreadable } from './passing-fault.ts'

export interface SqliteLogOptions {
  readonly path: string
  /** Fixed for the life of the file. */
  readonly partitions: number
  readonly clock: Clock
  /** For tests: the file is full at so many pages. */
  readonly pagesMax?: number
}

/** A read takes a batch from the file whole, so a batch is not much larger than what a reader asks for. */
const BATCH_BYTES_MAX = 1 << 20
/**
 * Pages in the write-ahead log before they are copied into the file: 16 MB, as the store has it. All that wait for a
 * commit wait for the copy. At 60,000 clicks a second SQLite's own 1,000 pages came three times a second, 5 to 6 ms
 * each: a stall in the answers of one click in eighty.
 */
const CHECKPOINT_PAGES = 4000

/**
 * The log in a SQLite file of its own. The one writer of that file: LogClient puts it on a thread and commits together
 * what many wait for. A commit is on disk before it can be read (WAL with synchronous=FULL).
 */
export class SqliteLog implements EventLog {
  private readonly options: SqliteLogOptions
  readonly partitions: number
  private readonly db: Database
  private readonly reader: LogReader
  private readonly insert
  private readonly listeners = new Set<() => void>()
  /** Where the log ends; null where that has to be read again. */
  private tail: { next: number; appendedAt: number } | null = null
  private closed = false

  constructor(options: SqliteLogOptions) {
    this.options = options
    this.partitions = options.partitions
    this.db = openFile(options)
    this.reader = new LogReader(this.db)
    this.insert = this.db.query<never, [number, number, Uint8Array]>('INSERT INTO batch VALUES (?, ?, ?)')
    this.tail = this.readTail()
  }

  static openReadonly(path: string): LogReader {
    return LogReader.open(path)
  }

  /** 0 where the log is empty. */
  get lastAppendedAt(): EpochMs {
    return this.tail?.appendedAt ?? 0
  }

  /** Durable when it returns; throws LogUnavailable when the disk did not take it, and none of it can be seen then. */
  appendSync(records: Uint8Array<ArrayBuffer>, now: EpochMs): void {
    if (this.closed) throw new LogUnavailable('the log is closed')
    const count = checkRecords(records, this.partitions)
    if (count === 0) return
    try {
      this.tail ??= this.readTail()
      this.commit(records, this.tail.next, Math.max(Math.floor(now), this.tail.appendedAt))
      this.tail = {
        next: this.tail.next + count,
        appendedAt: Math.max(Math.floor(now), this.tail.appendedAt),
      }
    } catch (error) {
      // A commit that failed in its fsync may yet be found in the file: where the log ends is read again.
      this.tail = null
      if (this.db.inTransaction) this.db.run('ROLLBACK')
      if (error instanceof SQLiteError)
        throw new LogUnavailable(`${error.code}: ${error.message}`, { cause: error })
      throw error
    }
  }

  async append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    this.appendSync(records, this.options.clock.now())
    if (records.length > 0) for (const wake of this.listeners) wake()
  }

  read(from: readonly number[], bytesMax: number): LogRecord[] {
    return this.reader.read(from, bytesMax)
  }

  onAppend(wake: () => void): () => void {
    this.listeners.add(wake)
    return () => this.listeners.delete(wake)
  }

  async close(): Promise<void> {
    this.closeSync()
  }

  closeSync(): void {
    if (this.closed) return
    this.closed = true
    this.db.close()
  }

  private commit(records: Uint8Array, next: number, appendedAt: EpochMs): void {
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
    this.db.run('BEGIN IMMEDIATE')
    let id = next
    let offset = next
    let start = 0
    let at = 0
    while (at < records.length) {
      const { length } = readHeader(view, at)
      if (at > start && at + length - start > BATCH_BYTES_MAX) {
        this.insert.run(id, appendedAt, records.subarray(start, at))
        id = offset
        start = at
      }
      at += length
      offset++
    }
    this.insert.run(id, appendedAt, records.subarray(start, at))
    this.db.run('COMMIT')
  }

  private readTail(): { next: number; appendedAt: number } {
    const last = this.db
      .query<{ id: number; appended_at: number; bytes: Uint8Array }, []>(
        'SELECT * FROM batch ORDER BY id DESC LIMIT 1',
      )
      .get()
    if (last === null) return { next: 0, appendedAt: 0 }
    return { next: last.id + checkRecords(last.bytes, this.partitions), appendedAt: last.appended_at }
  }
}

function openFile(options: SqliteLogOptions): Database {
  assert(options.partitions > 0, 'a log has partitions')
  const db = new Database(options.path, { create: true })
  db.run('PRAGMA busy_timeout = 5000')
  try {
    db.run('PRAGMA journal_mode = WAL')
  } catch (error) {
    if (!isUnreadable(error)) throw error
    db.close()
    throw new Error(
      `${options.path} cannot be read (${error.message}). It is the log, all else is made from it: put back a backup of the folder.`,
    )
  }
  db.run('PRAGMA synchronous = FULL')
  db.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  if (options.pagesMax !== undefined) db.run(`PRAGMA max_page_count = ${options.pagesMax}`)
  db.run(LOG_SCHEMA)
  const set = db.query('INSERT OR IGNORE INTO log_meta VALUES (?, ?)')
  set.run('layout', LOG_LAYOUT)
  set.run('partitions', options.partitions)
  const partitions = readMeta(db, 'partitions')
  if (partitions !== options.partitions) {
    db.close()
    throw new Error(
      `${options.path} was made with ${partitions} partitions, not ${options.partitions}: their number is fixed for life`,
    )
  }
  return db
}
