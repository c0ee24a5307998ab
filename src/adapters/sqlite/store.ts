import type { Database } from 'bun:sqlite'
import { Bits } from '../../billing/bits.ts'
import { BlockItems } from '../../billing/block.ts'
import type { Changes } from '../../billing/changes.ts'
import type { Lookups } from '../../billing/decide.ts'
import type { Unsent } from '../../billing/decider.ts'
import { newHead, Partition, type PartitionHead } from '../../billing/partition.ts'
import type { Balance } from '../../budgets/balance.ts'
import type { CampaignBudget } from '../../budgets/budget.ts'
import type { EntityTable } from '../../ports/control.ts'
import { type Batch, BooksRefused, Fenced, type Position } from '../../ports/store.ts'
import { IngestedIds } from '../../tracking/ingested-ids.ts'
import { fillIngestedRows, ROW_WORDS } from '../../tracking/ingested-row.ts'
import { findCharge } from './find-charge.ts'
import { openStore } from './open-store.ts'
import { SqliteRunStorage } from './run-storage.ts'
import { makeTables, POSITIONS } from './schema.ts'
import { Statements } from './statements.ts'
import { deleteForgotten, writeRows, writeState } from './write-batch.ts'

/** Pages of 4 KiB that the page cache may hold: enough for the hot right edges of all trees. */
const CACHE_KIB = 256 * 1024
/** While it waits for a lock the thread does nothing else. */
const BUSY_MS_MAX = 500

/**
 * The store on SQLite: one connection that writes, on the decider's thread. A batch is one transaction: its first
 * statement moves the offsets from what was read, under the owner's epoch.
 */
export class SqliteStore {
  readonly db: Database
  private rows = new Uint32Array(0)
  private seen = new Uint8Array(0)
  private readonly ingested = new Map<number, IngestedIds>()
  private readonly statements: Statements

  constructor(
    path: string,
    readonly partitions: number,
  ) {
    this.db = openStore(path, { create: true })
    this.statements = new Statements(this.db)
    // Another program may look into the file, and hold it for a moment.
    this.db.run(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`)
    this.db.run('PRAGMA journal_mode = WAL')
    this.db.run('PRAGMA synchronous = FULL')
    this.db.run(`PRAGMA cache_size = -${CACHE_KIB}`)
    this.db.run('PRAGMA wal_autocheckpoint = 4000')
    this.db.transaction(() => {
      makeTables(this.db)
      this.statements.run('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING', [
        'partitions',
        String(partitions),
      ])
      for (let partition = 0; partition < partitions; partition++) {
        this.statements.run(
          `INSERT INTO position (partition, next, epoch, last_hash, state) VALUES (?, 0, 0, x'', ?) ON CONFLICT DO NOTHING`,
          [partition, JSON.stringify(newHead())],
        )
      }
    })()
    const kept = Number(this.meta('partitions'))
    if (kept !== partitions) {
      throw new BooksRefused(
        `This data folder has ${kept} partitions; it cannot be opened with ${partitions}: the count is fixed for life.`,
      )
    }
  }

  meta(name: string): string | null {
    const row = this.db.query<{ value: string }, [string]>('SELECT value FROM meta WHERE name = ?').get(name)
    return row?.value ?? null
  }

  /** Takes ownership of all partitions: any other owner's commits fail from now on. */
  takeOver(): Position[] {
    this.db.run('UPDATE position SET epoch = epoch + 1')
    return this.positions()
  }

  positions(): Position[] {
    return this.all<Position>(POSITIONS, [])
  }

  begin(): void {
    this.db.run('BEGIN IMMEDIATE')
  }

  rollback(): void {
    this.ingested.clear()
    if (this.db.inTransaction) this.db.run('ROLLBACK')
  }

  /** Writes the batch and commits the transaction that `begin` opened. Throws Fenced where the offsets moved. */
  commit(batch: Batch): void {
    for (const { from, next, lastHash, partition } of batch.moves) {
      const moved = this.statements.run(
        'UPDATE position SET next = ?, last_hash = ?, state = ? WHERE partition = ? AND next = ? AND epoch = ?',
        [
          next,
          Buffer.from(lastHash, 'hex'),
          JSON.stringify(partition.head),
          from.partition,
          from.next,
          from.epoch,
        ],
      )
      if (moved !== 1) throw new Fenced(`partition ${from.partition} has another owner`)
      writeState(this.statements, partition, batch.changes)
    }
    writeRows(this.statements, batch.changes)
    for (const { partition } of batch.moves) deleteForgotten(this.statements, partition)
    for (const ids of this.ingested.values()) ids.save()
    this.db.run('COMMIT')
    for (const { partition } of batch.moves) partition.bits.written()
  }

  /** Reads a partition whole. */
  load(number: number): Partition {
    const row = this.db
      .query<{ state: string }, [number]>('SELECT state FROM position WHERE partition = ?')
      .get(number)
    const head = { ...newHead(), ...(JSON.parse(row!.state) as PartitionHead) }
    const bits = new Bits((boot, kind, page) => this.loadPage(boot, number, kind, page))
    const partition = new Partition(number, head, bits)
    this.loadEntities(partition)
    this.loadMoney(partition)
    for (const held of this.all<{ event: string; deadline: number; record: Uint8Array }>(
      'SELECT event, deadline, record FROM held WHERE partition = ? ORDER BY deadline, event',
      [number],
    )) {
      partition.held.set(held.event, { deadline: held.deadline, record: held.record })
    }
    for (const block of this.all<{ currency: string; second: number; items: Uint8Array }>(
      'SELECT currency, second, items FROM open_block WHERE partition = ?',
      [number],
    )) {
      partition.openBlocks.set(block.currency, { second: block.second, items: new BlockItems(block.items) })
    }
    return partition
  }

  /** The claims of all partitions: a claim's owner follows from its name, which only the API knows how to hash. */
  claim(name: string): { bodyHash: string; outcome: { status: number; body: unknown } | null } | null {
    const [row] = this.all<{ body_hash: string; outcome: string | null }>(
      'SELECT body_hash, outcome FROM claim WHERE name = ?',
      [name],
    )
    if (row === undefined) return null
    return { bodyHash: row.body_hash, outcome: row.outcome === null ? null : JSON.parse(row.outcome) }
  }

  /** What decisions read of committed state, and of the batch under way. */
  lookups(partitions: readonly Partition[], changes: Changes): Lookups {
    return {
      findCharge: (eventId, campaign) =>
        findCharge(this.statements, partitions, changes, { eventId, campaign }),
      findClaim: name => this.claim(name),
      claimIngested: (partition, events, from, count, nowSecond) => {
        const ids = this.ingestedIds(partition)
        ids.expire(nowSecond)
        if (count > this.seen.length) {
          this.seen = new Uint8Array(count)
          this.rows = new Uint32Array(count * ROW_WORDS)
        }
        const rows = this.rows.subarray(0, count * ROW_WORDS)
        fillIngestedRows(rows, events, from)
        ids.claim(rows, this.seen)
        return this.seen
      },
    }
  }

  /** Opened when a partition first sees an ingested event; dropped with a failed batch. */
  private ingestedIds(partition: number): IngestedIds {
    let ids = this.ingested.get(partition)
    if (ids === undefined) {
      ids = new IngestedIds(new SqliteRunStorage(this.db, partition))
      this.ingested.set(partition, ids)
    }
    return ids
  }

  unsent(): Unsent[] {
    const effects = this.all<Unsent>(
      'SELECT source, target, sequence, effect, NULL AS events, sequence AS last FROM outbox',
      [],
    )
    const events = this.all<Unsent>(
      'SELECT source, target, sequence, NULL AS effect, events, last FROM outbox_events',
      [],
    )
    return [...effects, ...events].sort(
      (a, b) => a.source - b.source || a.target - b.target || a.sequence - b.sequence,
    )
  }

  all<T>(sql: string, values: (string | number | null)[]): T[] {
    return this.statements.all(sql, values)
  }

  close(): void {
    this.statements.close()
    this.db.close()
  }

  private loadEntities(partition: Partition): void {
    const rows = this.all<{ kind: EntityTable; number: number; doc: string }>(
      'SELECT kind, number, doc FROM entity WHERE number % 256 = ? ORDER BY kind, number',
      [partition.number],
    )
    for (const row of rows) partition.put(row.kind, row.number, JSON.parse(row.doc))
  }

  private loadMoney(partition: Partition): void {
    const rows = this.all<{ kind: string; number: number; state: string }>(
      'SELECT kind, number, state FROM money WHERE number % 256 = ?',
      [partition.number],
    )
    for (const row of rows) {
      const { state } = JSON.parse(row.state) as { state: unknown }
      if (row.kind === 'advertiser') partition.balances.set(row.number, state as Balance)
      else partition.putBudget(row.number, state as CampaignBudget)
    }
  }

  private loadPage(boot: number, partition: number, kind: number, page: number) {
    const [row] = this.all<{ bytes: Uint8Array; issued_until: number }>(
      'SELECT bytes, issued_until FROM bits WHERE boot = ? AND partition = ? AND kind = ? AND page = ?',
      [boot, partition, kind, page],
    )
    return row === undefined ? null : { bytes: row.bytes, issuedUntil: row.issued_until }
  }
}
