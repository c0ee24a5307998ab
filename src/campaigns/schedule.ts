import { assert } from '../core/assert.ts'
import { MINUTE_MS } from '../core/time.ts'
import type { Campaign, CampaignMoney, CampaignStatus, Daypart, Schedule } from './campaign.ts'
import { wallMinute, weekdaysAt } from './schedule-zone.ts'

export { campaignDay } from './schedule-zone.ts'

export type ScheduleState = 'scheduled' | 'open' | 'closedByDaypart' | 'ended'

interface CompiledDaypart {
  /** Bit d is set for ISO day d. */
  readonly days: number
  readonly from: number
  readonly to: number
}

interface CompiledSchedule {
  readonly startAt: number
  readonly endAt: number
  readonly dayparts: readonly CompiledDaypart[]
}

// Schedules are immutable: an edit brings another object.
const compiled = new WeakMap<Schedule, CompiledSchedule>()

/**
 * Dayparts go by the wall clock of the campaign's zone: an hour that is skipped opens nothing, one that is repeated
 * opens twice. A daypart over midnight belongs to the day on which it begins.
 */
export function scheduleState(schedule: Schedule, now: number): ScheduleState {
  const terms = compiledOf(schedule)
  if (now >= terms.endAt) return 'ended'
  if (now < terms.startAt) return 'scheduled'
  if (terms.dayparts.length === 0) return 'open'
  const minute = wallMinute(schedule.timeZone, now)
  const { today, before } = weekdaysAt(schedule.timeZone, now)
  for (const part of terms.dayparts) {
    const onToday = (part.days & (1 << today)) !== 0
    if (part.from < part.to) {
      if (onToday && minute >= part.from && minute < part.to) return 'open'
    } else {
      if (onToday && minute >= part.from) return 'open'
      if ((part.days & (1 << before)) !== 0 && minute < part.to) return 'open'
    }
  }
  return 'closedByDaypart'
}

/** Until when the state is as it is at `now`, at least: dayparts open and close with minutes. Infinity where it is for good. */
export function scheduleHoldsUntil(schedule: Schedule, now: number): number {
  const { startAt, endAt, dayparts } = compiledOf(schedule)
  if (now >= endAt) return Number.POSITIVE_INFINITY
  if (now < startAt) return startAt
  return dayparts.length === 0 ? endAt : Math.min(endAt, (Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS)
}

/** What the API calls the campaign's state. An archived campaign has ended. */
export function campaignStatus(campaign: Campaign, money: CampaignMoney, now: number): CampaignStatus {
  const state = scheduleState(campaign.schedule, now)
  if (campaign.archived || state === 'ended') return 'ended'
  if (campaign.paused) return 'paused'
  if (state === 'scheduled') return 'scheduled'
  return money.stopped ?? 'active'
}

function compiledOf(schedule: Schedule): CompiledSchedule {
  let terms = compiled.get(schedule)
  if (terms === undefined) {
    terms = {
      startAt: schedule.startAt === null ? Number.NEGATIVE_INFINITY : Date.parse(schedule.startAt),
      endAt: schedule.endAt === null ? Number.POSITIVE_INFINITY : Date.parse(schedule.endAt),
      dayparts: schedule.dayparts.map(compileDaypart),
    }
    assert(
      !Number.isNaN(terms.startAt) && !Number.isNaN(terms.endAt),
      'a schedule has a time that cannot be read',
    )
    compiled.set(schedule, terms)
  }
  return terms
}

function compileDaypart(part: Daypart): CompiledDaypart {
  let days = 0
  for (const day of part.days) days |= 1 << day
  return { days, from: minuteOfDay(part.from), to: minuteOfDay(part.to) }
}

function minuteOfDay(text: string): number {
  const minute = Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
  assert(minute >= 0 && minute <= 24 * 60, `not a time of day: ${text}`)
  return minute
}
