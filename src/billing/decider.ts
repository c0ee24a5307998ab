import { availableMicros } from '../budgets/balance.ts'
import { grantable } from '../budgets/budget.ts'
import { EvenPlans } from '../budgets/even-plans.ts'
import { unspent } from '../budgets/link.ts'
import { dayAt, unitPrice } from '../budgets/shard.ts'
import type { ShardView } from '../budgets/shard-view.ts'
import { TrafficCurve } from '../budgets/traffic-curve.ts'
import { Treasury } from '../budgets/treasury.ts'
import type { CatalogChange } from '../campaigns/campaign.ts'
import { PARTITIONS_MAX } from '../core/ids.ts'
import { STEP_MS_MAX } from '../core/steady-time.ts'
import { type Clock, MINUTE_MS } from '../core/time.ts'
import type { CommandOutcome } from '../ports/control.ts'
import type { EventLog, LogRecord } from '../ports/event-log.ts'
import type { Position } from '../ports/store.ts'
import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'
import type { EpochOpenedRecord, TimePassedRecord } from '../records/events.ts'
import { BrokenRecord, RecordKind } from '../records/record.ts'
import { calendarsMissing, reachesAhead } from './calendars.ts'
import { Changes } from './changes.ts'
import { decide, type Lookups } from './decide.ts'
import { BLOCK_SECONDS, closesAt } from './decide-block.ts'
import { TOKEN_KEPT_MS } from './floor.ts'
import { budgetOf, comingDay } from './money-of.ts'
import { Outgoing } from './outgoing.ts'
import type { Partition } from './partition.ts'
import { checkSameLog } from './same-log.ts'

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

/** What the rest of the program hears after a commit. */
export interface Decided {
  readonly outcomes: readonly { requestId: string; outcome: CommandOutcome }[]
  readonly catalog: readonly CatalogChange[]
  /** ad, placement, impressions, clicks, one after the other. */
  readonly observed: readonly number[]
  readonly grants: readonly LeaseGrant[]
  readonly decided: number
  readonly charged: number
  /** By the number of the reason. */
  readonly refused: readonly number[]
  /** Events that had been seen before. */
  readonly repeated: number
  readonly lagMs: number
}

export const NOTHING_DECIDED: Decided = {
  outcomes: [],
  catalog: [],
  observed: [],
  grants: [],
  decided: 0,
  charged: 0,
  refused: [],
  repeated: 0,
  lagMs: 0,
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
/** Leases of one record: it stays well below the limit of a record. */
const LEASES_PER_RECORD = 5000
const CALENDAR_CHECK_MS = 30_000
/** A partition with nothing that waits for time hears of it this often. */
const IDLE_TICK_MS = 30_000
/** For so long after a campaign found no money, the others on its balance give back what they do not use. */
const STARVED_MS = 10_000

/**
 * The worker's shell: reads a batch of all its partitions, decides it, writes it in one transaction with the offsets,
 * and tells the others after the commit. A crash before the commit repeats the batch; after it, the offsets skip it.
 */
export class Decider {
  private readonly partitions: Partition[]
  private positions: Position[]
  private treasuries: (Treasury | null)[]
  /** How requests are spread over the week: what even campaigns plan by. */
  private readonly curve = new TrafficCurve()
  private readonly plans = new EvenPlans(this.curve)
  /** By advertiser, when a campaign of it last found no money. */
  private readonly starvedAt = new Map<number, number>()
  private readonly outgoing: Outgoing
  private secondAt = 0
  private calendarsAt = 0
  /** By partition, when the block was due that a tick was last written for. */
  private readonly blocksTickedAt: number[] = []

  private readonly timer: Clock

  constructor(private readonly options: DeciderOptions) {
    this.timer = options.timer ?? options.clock
    this.outgoing = new Outgoing(options)
    this.positions = options.store.takeOver()
    checkSameLog(options.log, this.positions, options.hashOf)
    this.partitions = this.positions.map(({ partition }) => options.store.load(partition))
    this.treasuries = this.partitions.map(() => null)
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
      this.logTimePassed(partition, now)
      const epoch = partition.head.treasuryEpoch + 1
      const { holdMs, keptMs = TOKEN_KEPT_MS } = this.options
      const opened: EpochOpenedRecord = { epoch, holdMs, drainMs, blockSeconds: BLOCK_SECONDS, keptMs }
      this.outgoing.buffer.json(RecordKind.epochOpened, partition.number, now, opened)
      this.treasuries[partition.number] = new Treasury(
        partition.number,
        epoch,
        campaign => this.shardView(partition, campaign),
        campaign => this.onStarved(partition, campaign),
      )
    }
    this.checkCalendars(now)
    await this.outgoing.flushAll()
    while (this.batch() > 0) await Promise.resolve()
    for (const partition of this.partitions) {
      for (const campaign of partition.budgets.keys()) this.wake(campaign)
    }
  }

  onAsk(ask: LeaseAsk): void {
    this.treasuries[ask.partition]?.onAsk(ask, this.timer.now())
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
    const logIsHere = !this.outgoing.isRefused
    const second = now - this.secondAt >= 1000 || now < this.secondAt
    if (logIsHere && second) {
      this.secondAt = now
      this.tick(now)
    }
    if (logIsHere) this.tickForBlocks(now)
    for (const treasury of this.treasuries) {
      if (treasury === null || !logIsHere || !(second || treasury.overdue)) continue
      const chosen = treasury.chosenSince(this.timer.now())
      if (chosen !== null) this.outgoing.buffer.json(RecordKind.chosen, treasury.partition, now, chosen)
    }
    if (logIsHere && (now - this.calendarsAt >= CALENDAR_CHECK_MS || now < this.calendarsAt)) {
      this.checkCalendars(now)
    }
    this.grantRound(now)
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
    for (const change of changes.leases) {
      const treasury = this.treasuries[change.partition]
      if (change.kind === 'leased') treasury?.onLeased(change.campaign, change.grantedMicros)
      else treasury?.onReleased(change.campaign, change.thousandths)
    }
    for (const partition of changes.calendars) this.treasuries[partition]?.wakeHungry()
    for (const change of changes.catalog) {
      if (change.kind === 'campaign' || change.kind === 'money') this.wake(campaignNumber(change))
    }
    for (const row of changes.outbox) {
      if ('effect' in row) this.outgoing.sendEffect(row, row.effect)
      else this.outgoing.sendEvents(row, row.sequence + row.events.count - 1, row.events.written())
    }
    for (const { partition, name, outcome } of changes.claims) {
      if (outcome !== null) this.partitions[partition]!.claims.delete(name)
    }
    const now = this.options.clock.now()
    let charged = 0
    let repeated = 0
    for (const times of changes.repeats.values()) repeated += times
    for (const { times } of changes.tokenRepeats.values()) repeated += times
    const observed: number[] = []
    for (const { ad, placement, charges, observedImpressions, observedClicks } of changes.rollups.values()) {
      charged += charges
      if (observedImpressions + observedClicks > 0) {
        observed.push(ad, placement, observedImpressions, observedClicks)
      }
    }
    this.options.tell({
      outcomes: changes.outcomes,
      catalog: changes.catalog,
      observed,
      grants: [],
      decided: records.length,
      charged,
      refused: changes.refused,
      repeated,
      lagMs: Math.max(0, now - records.at(-1)!.appendedAt),
    })
    for (const { row, requests } of changes.requests.values())
      this.curve.observe(row[0]! * MINUTE_MS, requests)
    if (changes.catalog.some(change => this.isInNewZone(change))) this.checkCalendars(now)
  }

  /** A campaign found no money. Where its balance is what is short, its siblings are to give back what they do not use. */
  private onStarved(partition: Partition, campaign: number): void {
    const money = budgetOf(partition, campaign)
    if (money === null || availableMicros(money.balance) >= unitPrice(money.budget)) return
    const now = this.timer.now()
    const isNew = now - (this.starvedAt.get(money.advertiser) ?? Number.NEGATIVE_INFINITY) >= STARVED_MS / 2
    if (!isNew) return
    this.starvedAt.set(money.advertiser, now)
    for (const sibling of partition.campaignsOf.get(money.advertiser) ?? []) {
      this.treasuries[partition.number]?.lookAt(sibling)
    }
  }

  private wake(campaign: number): void {
    this.treasuries[campaign % 256]?.wake(campaign)
  }

  private grantRound(now: number): void {
    const grants: LeaseGrant[] = []
    for (const treasury of this.treasuries) {
      if (treasury === null) continue
      const round = treasury.round(this.timer.now())
      grants.push(...round.grants)
      const leases = round.leases?.leases ?? []
      for (let i = 0; i < leases.length; i += LEASES_PER_RECORD) {
        this.outgoing.buffer.json(RecordKind.leaseTaken, treasury.partition, now, {
          epoch: treasury.epoch,
          leases: leases.slice(i, i + LEASES_PER_RECORD),
        })
      }
    }
    if (grants.length === 0) return
    this.options.tell({ ...NOTHING_DECIDED, grants })
  }

  private shardView(partition: Partition, number: number): ShardView | null {
    const campaign = partition.entities.campaign.get(number)
    const money = budgetOf(partition, number)
    if (campaign === undefined || money === null) return null
    const now = this.options.clock.now()
    const { budget, balance } = money
    const { model } = budget
    const view = {
      model,
      price: model === 'cpc' ? budget.amount * 1000 : budget.amount,
      stopped: campaign.paused || campaign.archived || budget.stopped !== null,
      closed: campaign.whenAuthorityLost === 'closed',
      scarce: false,
      starving:
        this.timer.now() - (this.starvedAt.get(money.advertiser) ?? Number.NEGATIVE_INFINITY) < STARVED_MS,
      shard: 0,
    }
    const day = dayAt(budget, now) ?? comingDay(partition, budget, now)
    if (day === null || now >= day.end) {
      return { ...view, grantableMicros: 0, pacing: 1, dayStart: now, dayEnd: Number.POSITIVE_INFINITY }
    }
    const { allowance, factor } = this.plans.paceOf(number, campaign, budget, day, now)
    const room = grantable(budget, day, balance)
    // What pays for no further event is not worth choosing for.
    const pays = unspent(day.link) + room >= unitPrice(budget)
    return {
      ...view,
      grantableMicros: pays ? Math.min(room, allowance) : 0,
      pacing: factor,
      dayStart: day.start,
      dayEnd: day.end,
    }
  }

  /** Partitions where nothing happens must see time pass, too: blocks close, deadlines come, holds lapse. */
  private tick(now: number): void {
    for (const partition of this.partitions) {
      const { number, head, openBlocks, held, unsettled, leasesEndAt, wakesAt } = partition
      if (now - head.time < 1000) continue
      if (now - head.time > STEP_MS_MAX) this.logTimePassed(partition, now)
      else if (
        openBlocks.size + held.size + unsettled.size > 0 ||
        now >= leasesEndAt ||
        now >= wakesAt ||
        now - head.time > IDLE_TICK_MS
      ) {
        this.outgoing.buffer.json(RecordKind.tick, number, now, {})
      }
    }
  }

  /** A block closes as soon as it is due, without waiting for the tick of its partition. */
  private tickForBlocks(now: number): void {
    for (const { number, head, openBlocks } of this.partitions) {
      for (const block of openBlocks.values()) {
        const dueAt = closesAt(block, head.blockSeconds)
        // Once: where records wait to be decided, the first of them closes it.
        if (now < dueAt || now - head.time > STEP_MS_MAX || dueAt <= (this.blocksTickedAt[number] ?? 0))
          continue
        this.blocksTickedAt[number] = dueAt
        this.outgoing.buffer.json(RecordKind.tick, number, now, {})
        break
      }
    }
  }

  /** The machine slept, the log was away, or we start. */
  private logTimePassed({ number }: Partition, now: number): void {
    this.outgoing.buffer.json(RecordKind.timePassed, number, now, { to: now } satisfies TimePassedRecord)
  }

  private checkCalendars(now: number): void {
    this.calendarsAt = now
    for (const partition of this.partitions) {
      const zones = calendarsMissing(partition, now)
      if (zones.length > 0) this.outgoing.buffer.json(RecordKind.days, partition.number, now, { zones })
    }
  }

  /** Whether its partition has no days of its time zone: to look at all campaigns for each new one took most of making it. */
  private isInNewZone(change: CatalogChange): boolean {
    if (change.kind !== 'campaign') return false
    const { calendars } = this.partitions[campaignNumber(change) % PARTITIONS_MAX]!.head
    return !reachesAhead(calendars[change.campaign.schedule.timeZone], this.options.clock.now())
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

function campaignNumber(change: Extract<CatalogChange, { kind: 'campaign' | 'money' }>): number {
  const id = change.kind === 'campaign' ? change.campaign.id : change.campaignId
  return Number.parseInt(id.slice(id.indexOf('_') + 1), 36)
}
