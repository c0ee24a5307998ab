import type { Database, Statement } from 'bun:sqlite'

export type Value = string | number | bigint | null | Uint8Array

/** The statements of a connection, each prepared once. */
export class Statements {
  private readonly prepared = new Map<string, Statement>()

  constructor(private readonly db: Database) {}

  /** How many rows it changed. */
  run(sql: string, values: Value[]): number {
    // The list as it is: to spread it took a tenth of a row's insert.
    return this.statement(sql).run(values).changes
  }

  all<T>(sql: string, values: Value[]): T[] {
    return this.statement(sql).all(values) as T[]
  }

  first<T>(sql: string, values: Value[]): T | null {
    return this.all<T>(sql, values)[0] ?? null
  }

  close(): void {
    for (const statement of this.prepared.values()) statement.finalize()
    this.prepared.clear()
  }

  private statement(sql: string): Statement {
    let statement = this.prepared.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      this.prepared.set(sql, statement)
    }
    return statement
  }
}
