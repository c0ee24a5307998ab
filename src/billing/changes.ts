import type { CatalogChange } from '../campaigns/campaign.ts'
import { PARTITIONS_MAX } from '../core/ids.ts'
import type { CommandOutcome, EntityTable } from '../ports/control.ts'
import { EventBytes } from '../records/event-bytes.ts'
import type { Effect } from '../records/events.ts'
import { REASONS } from '../records/reasons.ts'
import type { EntryRow } from './entry.ts'

/** A state of a charge that is not one settled ledger entry. Append-only. */
export interface TransitionRow {
  readonly number: number
  readonly event: string
  readonly eventSecond: number
  /** 1 impression, 2 click. */
  readonly kind: number
  readonly at: number
  readonly state: 'pending' | 'rejected'
  readonly reason: number
  readonly campaign: number
  readonly ad: number
  readonly advertiser: number
}

export interface RollupRow {
  readonly minute: number
  readonly ad: number
  readonly placement: number
  readonly country: number
  readonly device: number
  readonly campaign: number
  readonly advertiser: number
  readonly publisher: number
  impressions: number
  clicks: number
  charges: number
  spend: number
  rejected: number
  /** Of auctions, not told by servers: what the edge learns click rates from. Not stored. */
  observedImpressions: number
  observedClicks: number
}

/** A message that leaves after the commit: one effect, or many ingested events numbered one after the other. */
export type OutboxRow =
  | { readonly source: number; readonly target: number; readonly sequence: number; readonly effect: Effect }
  | {
      readonly source: number
      readonly target: number
      readonly sequence: number
      readonly events: EventBytes
    }

/** Bounds a record of effects: well below what a record may have. */
const EVENTS_BYTES_MAX = 256 << 10

/** What the treasury is to know of leases, in the order in which it was decided. */
export type LeaseChange = { readonly partition: number; readonly campaign: number } & (
  | { readonly kind: 'leased'; readonly grantedMicros: number }
  /** So much of what was leased and not chosen is free again; null: all of it. */
  | { readonly kind: 'released'; readonly thousandths: number | null }
)

/**
 * What the decisions of one batch write, all in the transaction that moves the offset, and what they say to others
 * after the commit. States that are written whole (budgets, balances, open blocks) are named here and read then.
 */
export class Changes {
  readonly entities: { kind: EntityTable; number: number; owner: number; doc: unknown }[] = []
  readonly history: {
    kind: EntityTable
    number: number
    version: number
    at: number
    actor: string
    action: string
    patch: unknown
  }[] = []
  readonly entries: EntryRow[] = []
  readonly transitions: TransitionRow[] = []
  readonly heldPut = new Map<string, { partition: number; deadline: number; record: Uint8Array }>()
  readonly heldGone = new Set<string>()
  /** Of reported events and unsigned clicks, by `event\nkind`. */
  readonly repeats = new Map<string, number>()
  /** Of impressions and their clicks, by the same. */
  readonly tokenRepeats = new Map<string, { partition: number; event: string; kind: number; times: number }>()
  /** By partition: campaigns whose budget, advertisers whose balance, currencies whose open block changed. */
  readonly budgets = new Map<number, Set<number>>()
  readonly balances = new Map<number, Set<number>>()
  readonly openBlocks = new Map<number, Set<string>>()
  /** By partition, then currency, then account. */
  readonly accounts = new Map<number, Map<string, Map<string, number | bigint>>>()
  readonly rollups = new Map<string, RollupRow>()
  readonly requests = new Map<string, { row: readonly number[]; requests: number }>()
  /** In order of sequence for each source and target. */
  readonly outbox: OutboxRow[] = []
  /** By source and target, the last that was applied. */
  readonly applied = new Map<number, { source: number; target: number; sequence: number }>()
  readonly claims: {
    partition: number
    name: string
    bodyHash: string
    outcome: CommandOutcome | null
  }[] = []
  readonly deadLetters: { partition: number; offset: number; reason: string; bytes: Uint8Array }[] = []

  // After the commit:
  readonly outcomes: { requestId: string; outcome: CommandOutcome }[] = []
  readonly catalog: CatalogChange[] = []
  readonly leases: LeaseChange[] = []
  /** Partitions that have new calendars. */
  readonly calendars = new Set<number>()
  /** Events that are not billed, by the number of their reason. */
  readonly refused: number[] = new Array<number>(REASONS).fill(0)

  /** Events that go to one target in one batch share a record, as far as they fit and nothing comes between them. */
  private readonly openEvents = new Map<number, EventBytes>()

  send(source: number, target: number, sequence: number, effect: Effect): void {
    this.openEvents.delete(lineOf(source, target))
    this.outbox.push({ source, target, sequence, effect })
  }

  sendEvent(source: number, target: number, sequence: number, bytes: Uint8Array): void {
    let events = this.openEvents.get(lineOf(source, target))
    if (events === undefined || events.byteLength + bytes.length > EVENTS_BYTES_MAX) {
      events = new EventBytes()
      this.openEvents.set(lineOf(source, target), events)
      this.outbox.push({ source, target, sequence, events })
    }
    events.add(bytes)
  }

  apply(source: number, target: number, sequence: number): void {
    this.applied.set(lineOf(source, target), { source, target, sequence })
  }

  touchBudget(
    partition: { readonly number: number; readonly unsettled: Set<number> },
    campaign: number,
  ): void {
    setOf(this.budgets, partition.number).add(campaign)
    partition.unsettled.add(campaign)
  }

  touchBalance(partition: number, advertiser: number): void {
    setOf(this.balances, partition).add(advertiser)
  }

  touchOpenBlock(partition: number, currency: string): void {
    setOf(this.openBlocks, partition).add(currency)
  }

  post(partition: number, account: string, currency: string, amount: number): void {
    if (amount === 0) return
    const sums = mapOf(mapOf(this.accounts, partition), currency)
    sums.set(account, exactSum(sums.get(account) ?? 0, amount))
  }

  repeat(event: string, kind: number): void {
    const key = `${event}\n${kind}`
    this.repeats.set(key, (this.repeats.get(key) ?? 0) + 1)
  }

  repeatToken(partition: number, event: string, kind: number): void {
    const key = `${event}\n${kind}`
    const known = this.tokenRepeats.get(key)
    if (known === undefined) this.tokenRepeats.set(key, { partition, event, kind, times: 1 })
    else known.times++
  }
}

/** A balance is below 2^53, but `cash` and the fee are sums over all accounts of a partition, and may be beyond. */
function exactSum(sum: number | bigint, amount: number): number | bigint {
  if (typeof sum === 'number' && Number.isSafeInteger(sum + amount)) return sum + amount
  return BigInt(sum) + BigInt(amount)
}

function lineOf(source: number, target: number): number {
  return source * PARTITIONS_MAX + target
}

function mapOf<K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> {
  let map = maps.get(key)
  if (map === undefined) {
    map = new Map()
    maps.set(key, map)
  }
  return map
}

function setOf<T>(sets: Map<number, Set<T>>, key: number): Set<T> {
  let set = sets.get(key)
  if (set === undefined) {
    set = new Set()
    sets.set(key, set)
  }
  return set
}
