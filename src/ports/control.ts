import type { Command } from '../records/events.ts'

/** What `decide` made of a command, as the API answers it. */
export interface CommandOutcome {
  readonly status: number
  /** The answer's body: an entity for 2xx, problem details for others; null for 204. */
  readonly body: unknown
}

/** The way of an edit into the log: resolves after the commit of the transaction that decided it. */
export interface Commands {
  readonly partitions: number
  /** Rejects with CommandsUnavailable (503) when it was not decided within a second or so. */
  submit(partition: number, command: Command): Promise<CommandOutcome>
}

export class CommandsUnavailable extends Error {
  override name = 'CommandsUnavailable'
}

export type EntityTable = 'advertiser' | 'campaign' | 'publisher' | 'placement' | 'key'

export interface EntityPage {
  readonly items: readonly unknown[]
  readonly nextCursor: string | null
}

/** Reads of committed state. Answers are bodies as the API shows them. Off the serving thread. */
export interface Queries {
  /** The entity's stored document joined with its money (API.md), or null. Ads are inside their campaign. */
  entity(table: EntityTable, number: number): Promise<unknown>
  list(
    table: EntityTable,
    filter: { readonly owner: number | null },
    limit: number,
    cursor: string | null,
  ): Promise<EntityPage>
  history(table: EntityTable, number: number, limit: number, cursor: string | null): Promise<EntityPage>
  /** The charge of API.md, with `advertiserId` beside it for the access check, or null. */
  charge(eventId: string): Promise<(Record<string, unknown> & { advertiserId: string }) | null>
  /** What an advertiser paid in, oldest first. */
  deposits(advertiser: number, limit: number, cursor: string | null): Promise<EntityPage>
  balances(): Promise<unknown>
  entries(filter: {
    readonly account: string | null
    readonly chain: string | null
    readonly after: string | null
    readonly limit: number
  }): Promise<EntityPage>
  /** An entry by its id, or null. */
  entry(entryId: string): Promise<unknown>
  /** Items of a block of charged impressions, in the order of its Merkle tree; null where there is no such entry. */
  entryCharges(entryId: string): Promise<{ items: readonly unknown[] } | null>
  verify(): Promise<unknown>
  aggregates(query: {
    readonly ad: number
    readonly start: number
    readonly end: number
    readonly granularity: 'minute' | 'hour' | 'day'
  }): Promise<readonly unknown[]>
  realtime(query: { readonly ad: number; readonly windowMs: number }): Promise<unknown>
  report(
    query: ReportQuery,
  ): Promise<{ rows: readonly Record<string, unknown>[]; asOf: string; final: boolean }>
}

export const REPORT_DIMENSIONS = [
  'campaign',
  'ad',
  'placement',
  'publisher',
  'advertiser',
  'country',
  'device',
] as const
export type ReportDimension = (typeof REPORT_DIMENSIONS)[number]

export interface ReportQuery {
  readonly from: number
  readonly to: number
  readonly granularity: 'minute' | 'hour' | 'day' | 'total'
  readonly timeZone: string
  readonly groupBy: readonly ReportDimension[]
  /** Whose figures may be seen: null is all. */
  readonly advertiser: number | null
  readonly publisher: number | null
  readonly campaign: number | null
}

/** A query that cannot be answered as asked: 422 where it wants too much, 503 where too many wait. */
export class QueryRefused extends Error {
  override name = 'QueryRefused'

  constructor(
    readonly status: 422 | 503,
    message: string,
  ) {
    super(message)
  }
}
