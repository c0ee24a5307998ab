import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../core/time.ts'

/**
 * Wall time in IANA zones. Formatters and the answers of two minutes and days are kept per zone: Intl takes 10 us, and
 * schedules are asked for now and a little later in turn.
 */

/** A local day: `day` is its name, `[start, end)` its bounds. Days abut, and have 23, 24 or 25 hours, or none. */
export interface ZoneDay {
  readonly day: string
  readonly start: number
  readonly end: number
}

interface KnownDay extends ZoneDay {
  /** ISO weekdays of the day and of the local day that ends where it starts. */
  readonly weekday: number
  readonly weekdayBefore: number
}

interface Zone {
  readonly formatter: Intl.DateTimeFormat
  /** By even and odd minutes. */
  readonly offsetMinutes: number[]
  readonly offsets: number[]
  newestDay: KnownDay | null
  olderDay: KnownDay | null
}

/** Zones come from campaigns, which name those of the IANA list: about 600 with aliases. */
const ZONES_MAX = 1024
/** Offsets lie between -12 and +14 hours. */
const OFFSET_REACH_MS = 16 * HOUR_MS

const zones = new Map<string, Zone>()

function zoneOf(timeZone: string): Zone {
  let zone = zones.get(timeZone)
  if (zone === undefined) {
    if (zones.size >= ZONES_MAX) zones.clear()
    zone = {
      formatter: new Intl.DateTimeFormat('en-US', {
        timeZone,
        calendar: 'gregory',
        numberingSystem: 'latn',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      }),
      offsetMinutes: [Number.NaN, Number.NaN],
      offsets: [0, 0],
      newestDay: null,
      olderDay: null,
    }
    zones.set(timeZone, zone)
  }
  return zone
}

/** Wall time less UTC, ms. */
function offsetAt(zone: Zone, now: number): number {
  // Offsets change on whole minutes only, so a minute has one offset.
  const minute = Math.floor(now / MINUTE_MS)
  const at = minute & 1
  if (minute !== zone.offsetMinutes[at]) {
    zone.offsets[at] = readOffset(zone.formatter, minute * MINUTE_MS)
    zone.offsetMinutes[at] = minute
  }
  return zone.offsets[at]!
}

function readOffset(formatter: Intl.DateTimeFormat, at: number): number {
  const part = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 }
  for (const { type, value } of formatter.formatToParts(at)) {
    if (type in part) part[type as keyof typeof part] = Number(value)
  }
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - at
}

/** Minutes since local midnight by the wall clock. */
export function wallMinute(timeZone: string, now: number): number {
  const wall = now + offsetAt(zoneOf(timeZone), now)
  return Math.floor((wall - Math.floor(wall / DAY_MS) * DAY_MS) / MINUTE_MS)
}

/** ISO weekday of the local day, and of the one that ends where it starts (the day before, unless that was skipped). */
export function weekdaysAt(timeZone: string, now: number): { today: number; before: number } {
  const { weekday, weekdayBefore } = dayAt(zoneOf(timeZone), now)
  return { today: weekday, before: weekdayBefore }
}

/**
 * The local day that `now` lies in. A day starts at the first instant whose local date is that day or later: where
 * clocks go back over midnight the day goes on, and a day that a zone skipped does not appear.
 */
export function campaignDay(timeZone: string, now: number): ZoneDay {
  return dayAt(zoneOf(timeZone), now)
}

function dayAt(zone: Zone, now: number): KnownDay {
  const { newestDay, olderDay } = zone
  if (newestDay !== null && now >= newestDay.start && now < newestDay.end) return newestDay
  if (olderDay !== null && now >= olderDay.start && now < olderDay.end) return olderDay
  let index = Math.floor((now + offsetAt(zone, now)) / DAY_MS)
  // Clocks went back over midnight: the date is yesterday's again, the day is not.
  if (dayStart(zone, index + 1) <= now) index++
  const start = dayStart(zone, index)
  const last = start - SECOND_MS
  const day = {
    day: new Date(index * DAY_MS).toISOString().slice(0, 10),
    start,
    end: dayStart(zone, index + 1),
    weekday: isoWeekday(index),
    weekdayBefore: isoWeekday(Math.floor((last + offsetAt(zone, last)) / DAY_MS)),
  }
  zone.olderDay = newestDay
  zone.newestDay = day
  return day
}

/** 1970-01-01 was a Thursday. */
function isoWeekday(dayIndex: number): number {
  return ((((dayIndex + 3) % 7) + 7) % 7) + 1
}

/** The first instant whose wall time is at or after midnight of the day: at most one transition lies this near. */
function dayStart(zone: Zone, dayIndex: number): number {
  const midnight = dayIndex * DAY_MS
  let low = midnight - OFFSET_REACH_MS
  let high = midnight + OFFSET_REACH_MS
  const offsetBefore = readOffset(zone.formatter, low)
  const offsetAfter = readOffset(zone.formatter, high)
  if (offsetBefore === offsetAfter) return midnight - offsetBefore
  while (high - low > MINUTE_MS) {
    const middle = Math.floor((low + high) / 2 / MINUTE_MS) * MINUTE_MS
    if (readOffset(zone.formatter, middle) === offsetBefore) low = middle
    else high = middle
  }
  const transition = high
  if (midnight - offsetBefore < transition) return midnight - offsetBefore
  return Math.max(transition, midnight - offsetAfter)
}
