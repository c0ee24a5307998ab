import type { Database } from 'bun:sqlite'
import type { Position } from '../../ports/store.ts'
import { openStore } from './open-store.ts'
import { checkTables, POSITIONS } from './schema.ts'
import type { Value } from './statements.ts'

/** A connection that only reads: each statement sees the last commit. Throws for tables of another version. */
export class ReadStore {
  private readonly db: Database

  constructor(path: string) {
    this.db = openStore(path, { readonly: true })
    this.db.run('PRAGMA query_only = 1')
    checkTables(this.db)
  }

  all<T>(sql: string, ...values: Value[]): T[] {
    return this.db.query<T, Value[]>(sql).all(...values)
  }

  one<T>(sql: string, ...values: Value[]): T | null {
    return this.db.query<T, Value[]>(sql).get(...values)
  }

  each<T>(sql: string, ...values: Value[]): Iterable<T> {
    return this.db.query<T, Value[]>(sql).iterate(...values)
  }

  positions(): Position[] {
    return this.all<Position>(POSITIONS)
  }

  close(): void {
    this.db.close()
  }
}
