import { type Clock, rfc3339 } from '../../core/time.ts'
import type { EntityPage, EntityTable, Queries, ReportQuery } from '../../ports/control.ts'
import { charge } from './queries-charges.ts'
import { entity, history, list } from './queries-entities.ts'
import { balances, deposits, entries, entry, entryCharges, verify } from './queries-ledger.ts'
import { aggregates, realtime, report } from './queries-reports.ts'
import type { ReadStore } from './read-store.ts'

/** Reads of committed state on SQLite. On a thread of its own: a long report stalls no request. */
export class SqliteQueries implements Queries {
  constructor(
    private readonly store: ReadStore,
    private readonly clock: Clock,
  ) {}

  async entity(table: EntityTable, number: number): Promise<unknown> {
    return entity(this.store, table, number, this.clock.now())
  }

  async list(
    table: EntityTable,
    filter: { readonly owner: number | null },
    limit: number,
    cursor: string | null,
  ): Promise<EntityPage> {
    const after = cursor === null ? 0 : Number(cursor)
    return list(this.store, table, { owner: filter.owner, limit, after, now: this.clock.now() })
  }

  async history(
    table: EntityTable,
    number: number,
    limit: number,
    cursor: string | null,
  ): Promise<EntityPage> {
    const before = cursor === null ? Number.MAX_SAFE_INTEGER : Number(cursor)
    return history(this.store, table, number, { limit, before })
  }

  async charge(eventId: string) {
    const found = charge(this.store, eventId)
    return found === null ? null : { ...found, asOf: this.#asOf() }
  }

  async deposits(advertiser: number, limit: number, cursor: string | null): Promise<EntityPage> {
    return deposits(this.store, advertiser, { limit, after: cursor === null ? 0 : Number(cursor) })
  }

  async balances(): Promise<unknown> {
    return balances(this.store, this.clock.now())
  }

  async entries(filter: Parameters<Queries['entries']>[0]): Promise<EntityPage> {
    return entries(this.store, filter)
  }

  async entry(entryId: string): Promise<unknown> {
    return entry(this.store, entryId)
  }

  async entryCharges(entryId: string) {
    return entryCharges(this.store, entryId)
  }

  async verify(): Promise<unknown> {
    const asOf = this.#asOf()
    return { ...verify(this.store), asOf }
  }

  async aggregates(query: Parameters<Queries['aggregates']>[0]): Promise<readonly unknown[]> {
    return aggregates(this.store, query, this.clock.now())
  }

  async realtime(query: Parameters<Queries['realtime']>[0]): Promise<unknown> {
    return realtime(this.store, query, this.clock.now())
  }

  async report(query: ReportQuery) {
    return report(this.store, query, this.clock.now())
  }

  #asOf(): string {
    return rfc3339(this.clock.now())
  }
}
