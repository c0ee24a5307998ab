import type { TrackedEvent } from '../impression.ts'
import { Breach, ofCampaign } from './breach.ts'

/** Why a billable event was not charged. */
export type Refusal = 'budgetExhausted'

/** The auditor's book of billable events: each that is on disk is charged once, or has one reason why not. */
export class EventBook {
  /** By the serial of the impression, of which one event is billable. */
  private readonly outcomes = new Map<number, 'charged' | Refusal>()
  /** On disk, and neither. */
  private readonly owed = new Map<number, TrackedEvent>()
  /** By campaign, how many are owed, and until when any was. */
  private readonly owedOf = new Map<number, { count: number; until: number }>()
  charges = 0
  repeats = 0

  constructor(private readonly now: () => number) {}

  logged(event: TrackedEvent): void {
    const { campaign, serial } = event.impression
    if ((campaign.model === 'cpm') !== (event.kind === 'render')) return
    if (this.outcomes.has(serial) || this.owed.has(serial)) return
    this.owed.set(serial, event)
    const of = this.owedOf.get(campaign.number) ?? { count: 0, until: 0 }
    of.count++
    this.owedOf.set(campaign.number, of)
  }

  /** Whether an event of a campaign that is on disk waits for money, or did a moment ago. */
  hasWaited(campaign: number, withinMs: number): boolean {
    const of = this.owedOf.get(campaign)
    return of !== undefined && (of.count > 0 || this.now() - of.until <= withinMs)
  }

  charged(event: TrackedEvent): void {
    this.charges++
    this.settle(event, 'charged')
  }

  gaveAway(event: TrackedEvent): void {
    this.settle(event, 'budgetExhausted')
  }

  repeated(): void {
    this.repeats++
  }

  /** When all is told: nothing hangs. */
  checkDrained(): void {
    const [event] = this.owed.values()
    if (event === undefined) return
    const { campaign, serial } = event.impression
    throw new Breach(
      `the ${event.kind} of impression ${serial} is on disk, and neither charged nor refused; so were ${this.owed.size}`,
      ofCampaign(campaign),
    )
  }

  private settle({ impression: { campaign, serial } }: TrackedEvent, outcome: 'charged' | Refusal): void {
    const before = this.outcomes.get(serial)
    if (before !== undefined) {
      const twice = before === outcome && outcome === 'charged'
      throw new Breach(
        twice
          ? `impression ${serial} was charged twice`
          : `impression ${serial} was ${before}, then ${outcome}`,
        ofCampaign(campaign),
      )
    }
    this.outcomes.set(serial, outcome)
    if (!this.owed.delete(serial)) return
    const of = this.owedOf.get(campaign.number)!
    of.count--
    of.until = this.now()
  }
}
