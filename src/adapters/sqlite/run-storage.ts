import type { Database } from 'bun:sqlite'
import type { RunMeta, RunStorage } from '../../ports/run-storage.ts'

/** Runs of ingested ids of one partition, as rows of the store: written in the batch's own transaction. */
export class SqliteRunStorage implements RunStorage {
  constructor(
    private readonly db: Database,
    private readonly partition: number,
  ) {}

  putRun(id: number, meta: RunMeta, chunks: readonly Uint8Array[]): void {
    const { filter, firstKeys, ...plain } = meta
    this.db
      .query(
        'INSERT OR REPLACE INTO ingested_run (partition, run, meta, filter, first_keys) VALUES (?, ?, ?, ?, ?)',
      )
      .run(this.partition, id, JSON.stringify(plain), filter, firstKeys)
    const insert = this.db.query(
      'INSERT OR REPLACE INTO ingested_chunk (partition, run, chunk, bytes) VALUES (?, ?, ?, ?)',
    )
    for (const [index, bytes] of chunks.entries()) insert.run(this.partition, id, index, bytes)
  }

  readChunk(id: number, index: number): Uint8Array {
    const row = this.db
      .query<{ bytes: Uint8Array }, [number, number, number]>(
        'SELECT bytes FROM ingested_chunk WHERE partition = ? AND run = ? AND chunk = ?',
      )
      .get(this.partition, id, index)
    if (row === null) throw new Error(`run ${id} of ingested ids has no chunk ${index}`)
    return row.bytes
  }

  deleteRun(id: number): void {
    this.db.query('DELETE FROM ingested_run WHERE partition = ? AND run = ?').run(this.partition, id)
    this.db.query('DELETE FROM ingested_chunk WHERE partition = ? AND run = ?').run(this.partition, id)
  }

  listRuns(): { id: number; meta: RunMeta }[] {
    return this.db
      .query<{ run: number; meta: string; filter: Uint8Array; first_keys: Uint8Array }, [number]>(
        'SELECT run, meta, filter, first_keys FROM ingested_run WHERE partition = ? ORDER BY run',
      )
      .all(this.partition)
      .map(row => ({
        id: row.run,
        meta: { ...JSON.parse(row.meta), filter: row.filter, firstKeys: row.first_keys },
      }))
  }

  appendPending(rows: Uint8Array): void {
    this.db
      .query(
        `INSERT INTO ingested_pending (partition, sequence, bytes)
         VALUES (?1, (SELECT coalesce(max(sequence), 0) + 1 FROM ingested_pending WHERE partition = ?1), ?2)`,
      )
      .run(this.partition, rows)
  }

  clearPending(): void {
    this.db.query('DELETE FROM ingested_pending WHERE partition = ?').run(this.partition)
  }

  pendingRows(): Uint8Array {
    const rows = this.db
      .query<{ bytes: Uint8Array }, [number]>(
        'SELECT bytes FROM ingested_pending WHERE partition = ? ORDER BY sequence',
      )
      .all(this.partition)
    return Buffer.concat(rows.map(row => row.bytes))
  }
}
