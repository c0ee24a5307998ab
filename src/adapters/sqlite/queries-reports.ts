import { campaignDay } from '../../campaigns/schedule.ts'
import { countryAt } from '../../core/country.ts'
import { formatId } from '../../core/ids.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, rfc3339 } from '../../core/time.ts'
import type { ReportDimension, ReportQuery } from '../../ports/control.ts'
import { deviceAt } from '../../records/device.ts'
import type { ReadStore } from './read-store.ts'

/** A window never changes from an hour after its end on. */
const FINAL_AFTER_MS = HOUR_MS
/** A month of minutes: more windows than a client can want in one answer. */
export const WINDOWS_MAX = 45_000

/** Asked for more than one answer may hold: the API says 422. */
export class TooManyWindows extends Error {
  override name = 'TooManyWindows'
}

const STEP = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS }

interface Sums {
  impressions: number
  clicks: number
  spend: number
}

/** Windows of one ad in UTC, each named by its start, zero where nothing happened. */
export function aggregates(
  store: ReadStore,
  query: {
    readonly ad: number
    readonly start: number
    readonly end: number
    readonly granularity: 'minute' | 'hour' | 'day'
  },
  now: number,
) {
  const step = STEP[query.granularity]
  const first = Math.ceil(query.start / step) * step
  if ((query.end - first) / step > WINDOWS_MAX)
    throw new TooManyWindows(`at most ${WINDOWS_MAX} windows in one answer`)
  const found = new Map<number, Sums>()
  for (const row of store.all<Sums & { window: number }>(
    `SELECT minute / ? * ? AS window, sum(impressions) AS impressions, sum(clicks) AS clicks, sum(spend) AS spend
     FROM rollup WHERE minute >= ? AND minute < ? AND ad = ? GROUP BY 1`,
    step,
    step,
    first,
    Math.ceil(query.end / step) * step,
    query.ad,
  )) {
    found.set(row.window, row)
  }
  const windows = []
  for (let window = first; window < query.end; window += step) {
    const sums = found.get(window)
    windows.push({
      window: rfc3339(window),
      impressions: sums?.impressions ?? 0,
      clicks: sums?.clicks ?? 0,
      spend: decimalOf(sums?.spend ?? 0),
      final: window + step + FINAL_AFTER_MS < now,
    })
  }
  return windows
}

/** The last minutes up to now, the minute under way included. */
export function realtime(
  store: ReadStore,
  query: { readonly ad: number; readonly windowMs: number },
  now: number,
) {
  const sums = store.one<Sums>(
    `SELECT coalesce(sum(impressions), 0) AS impressions, coalesce(sum(clicks), 0) AS clicks, coalesce(sum(spend), 0) AS spend
     FROM rollup WHERE minute > ? AND minute <= ? AND ad = ?`,
    now - query.windowMs - MINUTE_MS,
    now,
    query.ad,
  )!
  return {
    clicks: sums.clicks,
    impressions: sums.impressions,
    spend: decimalOf(sums.spend),
    as_of: rfc3339(now),
  }
}

interface ReportRow extends Sums {
  minute: number
  charges: number
  rejected: number
  [dimension: string]: number
}

const NAMES: Record<ReportDimension, (value: number) => string | null> = {
  campaign: value => formatId('campaign', value),
  ad: value => formatId('ad', value),
  advertiser: value => formatId('advertiser', value),
  placement: value => (value === 0 ? null : formatId('placement', value)),
  publisher: value => (value === 0 ? null : formatId('publisher', value)),
  country: value => countryAt(value),
  device: value => deviceAt(value),
}

/** Rows by window (in the zone that is asked for) and dimensions; windows where nothing happened have no row. */
export function report(store: ReadStore, query: ReportQuery, now: number) {
  const conditions = ['minute >= ?', 'minute < ?']
  const values = [query.from, query.to]
  for (const owner of ['advertiser', 'publisher', 'campaign'] as const) {
    const number = query[owner]
    if (number === null) continue
    conditions.push(`${owner} = ?`)
    values.push(number)
  }
  const dimensions = query.groupBy.join(', ')
  // Minutes are grouped to hours in SQL: a zone's windows are made of quarters of an hour at least.
  const step = query.granularity === 'minute' ? MINUTE_MS : QUARTER_MS
  const found = store.all<ReportRow>(
    `SELECT minute / ${step} * ${step} AS minute, sum(impressions) AS impressions, sum(clicks) AS clicks,
       sum(charges) AS charges, sum(spend) AS spend, sum(rejected) AS rejected ${dimensions === '' ? '' : `, ${dimensions}`}
     FROM rollup WHERE ${conditions.join(' AND ')} GROUP BY 1 ${dimensions === '' ? '' : `, ${dimensions}`} ORDER BY 1`,
    ...values,
  )
  const rows = new Map<string, Record<string, unknown> & { impressions: number }>()
  const windowOf = windows(query)
  for (const row of found) {
    const window = windowOf(row.minute)
    const key = [window, ...query.groupBy.map(dimension => row[dimension])].join('|')
    const known = rows.get(key)
    if (known === undefined) {
      if (rows.size >= WINDOWS_MAX) throw new TooManyWindows(`at most ${WINDOWS_MAX} rows in one answer`)
      rows.set(key, rowOf(query, window, row))
    } else add(known, row)
  }
  const list = [...rows.values()]
  return { rows: list, asOf: rfc3339(now), final: query.to + FINAL_AFTER_MS < now }
}

const QUARTER_MS = 15 * MINUTE_MS

function rowOf(query: ReportQuery, window: number, row: ReportRow) {
  const named: Record<string, unknown> = query.granularity === 'total' ? {} : { window: rfc3339(window) }
  for (const dimension of query.groupBy) named[dimension] = NAMES[dimension](row[dimension]!)
  return {
    ...named,
    impressions: row.impressions,
    clicks: row.clicks,
    charges: row.charges,
    spendMicros: row.spend,
    rejected: row.rejected,
  }
}

function add(to: Record<string, unknown>, row: ReportRow): void {
  for (const figure of ['impressions', 'clicks', 'charges', 'rejected'] as const) {
    to[figure] = (to[figure] as number) + row[figure]
  }
  to['spendMicros'] = (to['spendMicros'] as number) + row.spend
}

/** The start of the window that holds a time. Days are those of the zone. */
function windows(query: ReportQuery): (time: number) => number {
  const { granularity, timeZone } = query
  if (granularity === 'total') return () => query.from
  if (granularity !== 'day') return time => Math.floor(time / STEP[granularity]) * STEP[granularity]
  let day = { start: 0, end: 0 }
  return time => {
    if (time < day.start || time >= day.end) day = campaignDay(timeZone, time)
    return day.start
  }
}

/** Micros as a decimal text, exactly: 250000 is `0.25`. */
export function decimalOf(amount: number): string {
  const sign = amount < 0 ? '-' : ''
  const digits = String(Math.abs(amount)).padStart(7, '0')
  const fraction = digits.slice(-6).replace(/0+$/, '')
  return `${sign}${digits.slice(0, -6)}${fraction === '' ? '' : `.${fraction}`}`
}
