import type { Campaign, CatalogChange } from '../campaigns/campaign.ts'
import { parseId, partitionOf } from '../core/ids.ts'
import { STEP_MS_MAX } from '../core/steady-time.ts'
import type { TimePassedRecord } from '../records/events.ts'
import { RecordKind } from '../records/record.ts'
import { calendarsMissing, reachesAhead } from './calendars.ts'
import { closesAt } from './decide-block.ts'
import type { Outgoing } from './outgoing.ts'
import type { Partition } from './partition.ts'

const SECOND_MS = 1000
const CALENDAR_CHECK_MS = 30_000
/** A partition with nothing that waits for time hears of it this often. */
const IDLE_TICK_MS = 30_000

/** What partitions hear of time where no event tells them, as records: ticks, jumps of the clock, days to come. */
export class PassingTime {
  private secondAt = 0
  private calendarsAt = 0
  /** By partition, when the block was due that a tick was last written for. */
  private readonly blocksTickedAt: number[] = []

  constructor(
    private readonly partitions: readonly Partition[],
    private readonly outgoing: Outgoing,
  ) {}

  /** Writes what is due, each second at most; whether a second began. */
  turn(now: number): boolean {
    const isSecond = now - this.secondAt >= SECOND_MS || now < this.secondAt
    if (isSecond) {
      this.secondAt = now
      this.tick(now)
    }
    this.tickForBlocks(now)
    if (now - this.calendarsAt >= CALENDAR_CHECK_MS || now < this.calendarsAt) this.checkCalendars(now)
    return isSecond
  }

  /** The machine slept, the log was away, or we start. */
  jump({ number }: Partition, now: number): void {
    this.outgoing.buffer.json(RecordKind.timePassed, number, now, { to: now } satisfies TimePassedRecord)
  }

  checkCalendars(now: number): void {
    this.calendarsAt = now
    for (const partition of this.partitions) {
      const zones = calendarsMissing(partition, now)
      if (zones.length > 0) this.outgoing.buffer.json(RecordKind.days, partition.number, now, { zones })
    }
  }

  /** Makes the days of a time zone that a partition has none of: to look at all campaigns for each new one took most of making it. */
  onCatalog(changes: readonly CatalogChange[], now: number): void {
    if (changes.some(change => change.kind === 'campaign' && this.isInNewZone(change.campaign, now))) {
      this.checkCalendars(now)
    }
  }

  private isInNewZone({ id, schedule }: Campaign, now: number): boolean {
    const { calendars } = this.partitions[partitionOf(parseId('campaign', id)!)]!.head
    return !reachesAhead(calendars[schedule.timeZone], now)
  }

  /** Partitions where nothing happens must see time pass, too: blocks close, deadlines come, holds lapse. */
  private tick(now: number): void {
    for (const partition of this.partitions) {
      const { number, head, openBlocks, held, unsettled, leasesEndAt, wakesAt } = partition
      if (now - head.time < SECOND_MS) continue
      if (now - head.time > STEP_MS_MAX) this.jump(partition, now)
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
}
