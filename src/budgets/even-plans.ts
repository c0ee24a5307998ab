import type { Campaign } from '../campaigns/campaign.ts'
import { scheduleState } from '../campaigns/schedule.ts'
import { type CampaignBudget, type DayBudget, outOn, reservedTotal, spentOn, spentTotal } from './budget.ts'
import { newPace, type Pace, type Paced, paceTo } from './pacing.ts'
import { unitPrice } from './shard.ts'
import { SLOT_MS, type TrafficCurve } from './traffic-curve.ts'

const SLOTS_A_DAY = (24 * 3_600_000) / SLOT_MS

/** The part of what is held for clicks that clicks do come for, within hours. The rest is margin and comes back, as all that impressions hold. */
const CLICKS_TO_COME = 2 / 3

/** Of a campaign that is not paced. */
const UNPACED: Paced = { allowance: Number.POSITIVE_INFINITY, factor: 1, waitMs: 0 }

interface Window {
  readonly start: number
  readonly end: number
  readonly cap: number
  readonly spent: number
  readonly out: number
}

interface Planned {
  readonly pace: Pace
  /** What the pace is of: another day or schedule begins anew. */
  readonly of: string
  /** The mass from the end of the slot at `slot` to the end of the plan: adding it up at each look took 8 us. */
  slot: number
  massAfterSlot: number
}

/**
 * The plans of the even campaigns that one treasury grants for: by the day's cap, or by the total where the campaign has
 * an end and no daily cap. In memory only: a plan that begins anew goes on from what is spent.
 */
export class EvenPlans {
  private readonly planned = new Map<number, Planned>()

  constructor(private readonly curve: Pick<TrafficCurve, 'weightAt' | 'mass'>) {}

  paceOf(
    number: number,
    campaign: Pick<Campaign, 'pacing' | 'schedule' | 'createdAt'>,
    budget: CampaignBudget,
    day: DayBudget,
    now: number,
  ): Paced {
    const window = campaign.pacing === 'even' ? windowOf(campaign, budget, day) : null
    if (window === null) {
      this.planned.delete(number)
      return UNPACED
    }
    const isOpen = (at: number) => scheduleState(campaign.schedule, at) === 'open'
    const planned = this.plannedOf(number, `${window.start} ${window.end}`)
    const slot = Math.floor(now / SLOT_MS)
    const slotEnd = Math.min((slot + 1) * SLOT_MS, window.end)
    if (planned.slot !== slot) {
      // The slots that have passed are taken off; all is added up anew once a day, each campaign in a slot of its own.
      const anew = planned.slot < 0 || (slot - number) % SLOTS_A_DAY === 0
      planned.massAfterSlot = anew
        ? this.curve.mass(slotEnd, window.end, isOpen)
        : Math.max(0, planned.massAfterSlot - this.curve.mass((planned.slot + 1) * SLOT_MS, slotEnd, isOpen))
      planned.slot = slot
    }
    const weight = isOpen(now) ? this.curve.weightAt(now) : 0
    return paceTo(planned.pace, {
      now,
      spent: window.spent + (budget.model === 'cpc' ? CLICKS_TO_COME * (window.out - window.spent) : 0),
      out: window.out,
      cap: window.cap,
      price: unitPrice(budget),
      weight,
      massLeft: planned.massAfterSlot + weight * Math.max(0, slotEnd - now),
    })
  }

  private plannedOf(number: number, of: string): Planned {
    let planned = this.planned.get(number)
    if (planned === undefined || planned.of !== of) {
      planned = { pace: newPace(), of, slot: -1, massAfterSlot: 0 }
      this.planned.set(number, planned)
    }
    return planned
  }
}

/** What is to be spent by when, what is spent of it and what is out. */
function windowOf(
  campaign: Pick<Campaign, 'schedule' | 'createdAt'>,
  budget: CampaignBudget,
  day: DayBudget,
): Window | null {
  const starts = Date.parse(campaign.schedule.startAt ?? campaign.createdAt)
  const ends = campaign.schedule.endAt === null ? null : Date.parse(campaign.schedule.endAt)
  const totalOut = spentTotal(budget) + reservedTotal(budget)
  if (budget.dailyCap !== null) {
    const out = outOn(day)
    const left = budget.totalCap === null ? budget.dailyCap : out + Math.max(0, budget.totalCap - totalOut)
    const end = Math.min(day.end, ends ?? day.end)
    const cap = Math.min(budget.dailyCap, left)
    return { start: Math.max(day.start, starts), end, cap, spent: spentOn(day), out }
  }
  if (budget.totalCap !== null && ends !== null) {
    return { start: starts, end: ends, cap: budget.totalCap, spent: spentTotal(budget), out: totalOut }
  }
  return null
}
