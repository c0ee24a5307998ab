import type { CatalogChange } from '../campaigns/campaign.ts'
import type { Clock } from '../core/time.ts'
import type { EventLog, LogRecord } from '../ports/event-log.ts'
import type { Position } from '../ports/store.ts'
import type { LeaseAsk } from '../ports/treasury-link.ts'
import type { EpochOpenedRecord } from '../records/events.ts'
import { BrokenRecord, RecordKind } from '../records/record.ts'
import { Changes } from './changes.ts'
import { decide, type Lookups } from './decide.ts'
import { BLOCK_SECONDS } from './decide-block.ts'
import { type Decided, decidedBy, NOTHING_DECIDED } from './decided.ts'
import { TOKEN_KEPT_MS } from './floor.ts'
import { Outgoing } from './outgoing.ts'
import type { Partition } from './partition.ts'
import { PassingTime } from './passing-time.ts'
import { checkSameLog } from './same-log.ts'
import { Treasuries } from './treasuries.ts'

/** A row of the outbox: one effect as JSON, or ingested events end to end, numbered from `sequence` to `last`. */
export interface Unsent {
  readonly source: number
  readonly target: number
  readonly sequence: number
  readonly last: number
  readonly effect: string | null
  readonly events: Uint8Array | null
}

/** Where decisions are kept. One transaction: begin, then decide, then commit. */
export interface DecisionStore {
  takeOver(): Position[]
  load(partition: number): Partition
  begin(): void
  rollback(): void
  commit(batch: {
    readonly changes: Changes
    readonly moves: readonly {
      readonly from: Position
      readonly next: number
      readonly lastHash: string
      readonly partition: Partition
    }[]
  }): void
  /** In order of sequence for each source and target. */
  unsent(): Unsent[]
  lookups(partitions: readonly Partition[], changes: Changes): Lookups
}

export interface DeciderOptions {
  readonly log: EventLog
  readonly store: DecisionStore
  readonly clock: Clock
  /** Ms that never jump, for the leases of nodes; the clock where there is none. */
  readonly timer?: Clock
  readonly holdMs: number
  /** For how long an impression is known; TOKEN_KEPT_MS where there is none. */
  readonly keptMs?: number
  readonly hashOf: (bytes: Uint8Array) => string
  readonly tell: (decided: Decided) => void
  readonly warn: (message: string, cause: unknown) => void
}

/** Bounds a transaction, and with it the memory and the time that a batch takes. */
const BATCH_BYTES_MAX = 2 << 20

/**
 * The worker's shell: reads a batch of all its partitions, decides it, writes it in one transaction with the offsets,
 * and tells the others after the commit. A crash before the commit repeats the batch; after it, the offsets skip it.
 */
export class Decider {
  private readonly partitions: Partition[]
  private positions: Position[]
  private readonly outgoing: Outgoing
  private readonly time: PassingTime
  private readonly treasuries: Treasuries

  constructor(private readonly options: DeciderOptions) {
    const { log, store, clock, timer = clock } = options
    this.positions = store.takeOver()
    checkSameLog(log, this.positions, options.hashOf)
    this.partitions = this.positions.map(({ partition }) => store.load(partition))
    this.outgoing = new Outgoing(options)
    this.time = new PassingTime(this.partitions, this.outgoing)
    this.treasuries = new Treasuries(this.partitions, this.outgoing, clock, timer)
  }

  /** All that serving has to know, for a start. */
  *catalog(): Generator<CatalogChange> {
    for (const { entities, budgets } of this.partitions) {
      for (const advertiser of entities.advertiser.values()) yield { kind: 'advertiser', advertiser }
      for (const publisher of entities.publisher.values()) yield { kind: 'publisher', publisher }
      for (const placement of entities.placement.values()) yield { kind: 'placement', placement }
      for (const key of entities.key.values()) yield { kind: 'key', key }
      for (const [number, campaign] of entities.campaign) {
        yield { kind: 'campaign', campaign, money: { stopped: budgets.get(number)?.stopped ?? null } }
      }
    }
  }

  /**
   * Takes what an earlier decider left in the log, then opens an epoch of the treasury for this one. `drainMs` is for how
   * long edges may still choose with what the earlier one granted: 0 where they ended with it.
   */
  async start(drainMs = 0): Promise<void> {
    // Before any batch: what that sends comes later in its sequence, and what is older would never be taken.
    for (const row of this.options.store.unsent()) {
      if (row.events !== null) this.outgoing.sendEvents(row, row.last, row.events)
      else if (row.effect !== null) this.outgoing.sendEffect(row, JSON.parse(row.effect))
    }
    do await this.outgoing.flush()
    while (this.batch() > 0)
    const now = this.options.clock.now()
    for (const partition of this.partitions) {
      // A start takes the wall clock's word: it was looked at by whoever started us, and nothing else knows.
      this.time.jump(partition, now)
      const epoch = partition.head.treasuryEpoch + 1
      const { holdMs, keptMs = TOKEN_KEPT_MS } = this.options
      const opened: EpochOpenedRecord = { epoch, holdMs, drainMs, blockSeconds: BLOCK_SECONDS, keptMs }
      this.outgoing.buffer.json(RecordKind.epochOpened, partition.number, now, opened)
      this.treasuries.open(partition, epoch)
    }
    this.time.checkCalendars(now)
    await this.outgoing.flushAll()
    while (this.batch() > 0) await Promise.resolve()
    this.treasuries.wakeAll()
  }

  onAsk(ask: LeaseAsk): void {
    this.treasuries.onAsk(ask)
  }

  /** Decides what there is to read; returns how many records it took. Throws for a bug of ours: the thread stops. */
  batch(): number {
    const { log, store } = this.options
    const records = log.read(
      this.positions.map(position => position.next),
      BATCH_BYTES_MAX,
    )
    if (records.length === 0) return 0
    const changes = new Changes()
    const lookups = store.lookups(this.partitions, changes)
    store.begin()
    try {
      const last = this.decideAll(records, changes, lookups)
      const moves = [...last.values()].map(record => ({
        from: this.positions[record.partition]!,
        next: record.offset + 1,
        lastHash: this.options.hashOf(record.bytes),
        partition: this.partitions[record.partition]!,
      }))
      store.commit({ changes, moves })
      for (const { from, next, lastHash } of moves) {
        this.positions[from.partition] = { ...from, next, lastHash }
      }
    } catch (error) {
      store.rollback()
      throw error
    }
    this.afterCommit(changes, records)
    return records.length
  }

  /** Time's work: ticks of idle partitions, leases, calendars. Call it often; it does what is due. */
  async turn(): Promise<void> {
    const now = this.options.clock.now()
    // While the log is away nothing new is written, but what is leased is handed out still.
    if (!this.outgoing.isRefused) {
      const isSecond = this.time.turn(now)
      this.treasuries.writeChosen(now, isSecond)
    }
    const grants = this.treasuries.grantRound(now)
    if (grants.length > 0) this.options.tell({ ...NOTHING_DECIDED, grants })
    await this.outgoing.flush()
  }

  private decideAll(
    records: readonly LogRecord[],
    changes: Changes,
    lookups: Lookups,
  ): Map<number, LogRecord> {
    const last = new Map<number, LogRecord>()
    for (const record of records) {
      try {
        decide(this.partitions[record.partition]!, changes, record, lookups)
      } catch (error) {
        if (!(error instanceof BrokenRecord)) throw error
        const { partition, offset, bytes } = record
        changes.deadLetters.push({ partition, offset, reason: error.message, bytes })
        this.options.warn('a record was put aside', error)
      }
      last.set(record.partition, record)
    }
    return last
  }

  private afterCommit(changes: Changes, records: readonly LogRecord[]): void {
    this.treasuries.onCommit(changes)
    for (const row of changes.outbox) {
      if ('effect' in row) this.outgoing.sendEffect(row, row.effect)
      else this.outgoing.sendEvents(row, row.sequence + row.events.count - 1, row.events.written())
    }
    for (const { partition, name, outcome } of changes.claims) {
      if (outcome !== null) this.partitions[partition]!.claims.delete(name)
    }
    const now = this.options.clock.now()
    this.options.tell(decidedBy(changes, records, now))
    this.time.onCatalog(changes.catalog, now)
  }

  /** For a replay, which appends nothing: what it would send is in the log already. */
  dropOutgoing(): void {
    this.outgoing.drop()
  }

  /** Whether so much waits for the log that reading more of it should wait, too. */
  get isBackedUp(): boolean {
    return this.outgoing.isBackedUp
  }
}
