import type { Impression } from '../impression.ts'
import type { CampaignFacts } from '../market.ts'

/** A chosen impression whose event may still come: thousandths of a micro. */
interface Open {
  readonly line: Line
  readonly serial: number
  readonly cost: number
  readonly until: number
}

/** Of one campaign at one worker, by the day that its choices count for. */
interface Line {
  /** CPM: the sum of what may still be rendered. */
  renders: number
  /** CPC: the clicks that are still expected, of those that come soon and those that come late, as of `at`. */
  soon: number
  late: number
  at: number
}

/** A render counts for ten minutes after the choice. */
const RENDER_MS = 600_000
/** How clicks come in this world: shares, and half lives. */
const SOON_SHARE = 0.7
const SOON_MS = 60_000
const LATE_MS = 3_600_000
/** A prediction is at least this part of the truth, whatever came of earlier ones. */
const RATE_LEAST = 0.25
const WORKERS_MAX = 1024

/**
 * The auditor's book of holds (H): what chosen impressions may still cost, from the choices themselves, whether they were
 * told of or not. Of clicks it is the least that a shard may expect, without margin.
 */
export class HoldBook {
  private readonly lines = new Map<number, Map<number, Line>>()
  private readonly open = new Map<number, Open>()

  constructor(private readonly now: () => number) {}

  /** A node chose what may cost so many thousandths: a price, or the clicks that are predicted. */
  chosen({ serial, campaign, worker }: Impression, cost: number, dayStart: number): void {
    const line = this.lineOf(campaign.number, worker.shardNumber, dayStart)
    if (campaign.model === 'cpc') {
      this.decay(line)
      line.soon += SOON_SHARE * cost
      line.late += (1 - SOON_SHARE) * cost
      return
    }
    this.lapse()
    line.renders += cost
    this.open.set(serial, { line, serial, cost, until: this.now() + RENDER_MS })
  }

  /** A charge has taken the place of its hold. */
  charged(serial: number): void {
    this.close(serial)
  }

  /** What the choices of a day may still cost at a worker: micros. */
  held(campaign: CampaignFacts, shard: number, dayStart: number): number {
    this.lapse()
    const line = this.lineOf(campaign.number, shard, dayStart)
    this.decay(line)
    return (line.renders + RATE_LEAST * (line.soon + line.late)) / 1000
  }

  /** Those chosen first lapse first, by the true time. */
  private lapse(): void {
    for (const { serial, until } of this.open.values()) {
      if (until > this.now()) break
      this.close(serial)
    }
  }

  private close(serial: number): void {
    const open = this.open.get(serial)
    if (open === undefined) return
    this.open.delete(serial)
    open.line.renders -= open.cost
  }

  private decay(line: Line): void {
    const passed = this.now() - line.at
    line.at = this.now()
    line.soon *= 0.5 ** (passed / SOON_MS)
    line.late *= 0.5 ** (passed / LATE_MS)
  }

  private lineOf(campaign: number, shard: number, dayStart: number): Line {
    const key = campaign * WORKERS_MAX + shard
    let days = this.lines.get(key)
    if (days === undefined) {
      days = new Map()
      this.lines.set(key, days)
    }
    let line = days.get(dayStart)
    if (line === undefined) {
      line = { renders: 0, soon: 0, late: 0, at: this.now() }
      days.set(dayStart, line)
    }
    return line
  }
}
