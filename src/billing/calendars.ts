import { campaignDay } from '../campaigns/schedule.ts'
import { DAY_MS } from '../core/time.ts'
import type { DaysRecord } from '../records/events.ts'
import type { CalendarDay, Partition } from './partition.ts'

/** A calendar reaches at least this far ahead; where it does not, it is made anew. */
const AHEAD_MS = DAY_MS

/**
 * Calendars that a partition will need: for each zone of its campaigns, yesterday to the day after tomorrow. Zones are
 * resolved here, outside `decide`, and enter the log as records, so that a replay does not depend on a zone database.
 */
export function calendarsMissing(partition: Partition, now: number): DaysRecord['zones'] {
  const zones = new Set<string>()
  for (const budget of partition.budgets.values()) zones.add(budget.timeZone)
  const missing: DaysRecord['zones'][number][] = []
  for (const timeZone of zones) {
    if (reachesAhead(partition.head.calendars[timeZone], now)) continue
    let day = campaignDay(timeZone, now - DAY_MS)
    const days = [day]
    while (day.end <= now + 2 * DAY_MS) {
      day = campaignDay(timeZone, day.end)
      days.push(day)
    }
    missing.push({ timeZone, days })
  }
  return missing
}

export function reachesAhead(known: readonly CalendarDay[] | undefined, now: number): boolean {
  return known !== undefined && known[0]!.start <= now && known.at(-1)!.end > now + AHEAD_MS
}
