import { OPEN_MS } from '../../billing/rollup.ts'
import { campaignDay } from '../../campaigns/schedule.ts'
import { wallMinute } from '../../campaigns/schedule-zone.ts'
import { assert } from '../../core/assert.ts'
import { countryAt } from '../../core/country.ts'
import { formatId } from '../../core/ids.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, rfc3339 } from '../../core/time.ts'
import type { ReportDimension, ReportQuery } from '../../ports/control.ts'
import { deviceAt } from '../../records/device.ts'
import type { ReadStore } from './read-store.ts'

/** A window never changes from an hour after its end on. */
const FINAL_AFTER_MS = HOUR_MS
/** A month of minutes: more windows than a client can want in one answer. The API asks for no more (http/control). */
export const WINDOWS_MAX = 50_000

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
  if ((query.end - first) / step > WINDOWS_MAX) throw tooMany('windows')
  const isFinal = finality(store, now)
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
      final: isFinal(window + step),
    })
  }
  return windows
}

/**
 * Whether a window that ends then changes no more. By the time up to which all is decided, too: a store that was away for
 * hours counts what came meanwhile in the minutes of then. Asked before the figures: what is decided between is in them.
 */
function finality(store: ReadStore, now: number): (end: number) => boolean {
  const decided = store.one<{ until: number | null }>("SELECT min(state ->> '$.time') AS until FROM position")
  const until = decided?.until ?? now
  return end => end + FINAL_AFTER_MS < now && end + OPEN_MS <= until
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

const FIGURES = ['impressions', 'clicks', 'charges', 'spend', 'rejected', 'requests'] as const
type Figures = Record<(typeof FIGURES)[number], number>

const NOTHING: Figures = { impressions: 0, clicks: 0, charges: 0, spend: 0, rejected: 0, requests: 0 }

interface ReportRow extends Figures {
  minute: number
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

/**
 * A row for each window (in the zone that is asked for) and each group of dimensions in which something happened, zero
 * where nothing did. Without dimensions everything is one group.
 */
export function report(store: ReadStore, query: ReportQuery, now: number) {
  const isFinal = finality(store, now)
  const withRequests = countsRequests(query)
  const windowOf = windowsOf(query)
  const windows = [...windowsFrom(query, windowOf)]
  const groups = new Map<string, Map<number, ReportRow>>()
  const groupOf = (row: ReportRow | null) => {
    const key = query.groupBy.map(dimension => row?.[dimension]).join('|')
    const known = groups.get(key)
    if (known !== undefined) return known
    if ((groups.size + 1) * windows.length > WINDOWS_MAX) throw tooMany('rows')
    const group = new Map(windows.map(window => [window, { ...row, ...NOTHING, minute: window }]))
    groups.set(key, group)
    return group
  }
  if (query.groupBy.length === 0) groupOf(null)
  for (const row of figuresOf(store, query, withRequests)) {
    const of = groupOf(row).get(windowOf(row.minute))
    assert(of !== undefined, 'a row of a report is in none of its windows')
    for (const figure of FIGURES) of[figure] += row[figure]
  }
  const rows = windows.flatMap(window =>
    [...groups.values()].map(group => rowOf(query, window, group.get(window)!, withRequests)),
  )
  return { rows, asOf: rfc3339(now), final: isFinal(query.to) }
}

function* windowsFrom(query: ReportQuery, windowOf: (time: number) => number): Iterable<number> {
  const first = Math.ceil(query.from / MINUTE_MS) * MINUTE_MS
  let count = 0
  for (let at = windowOf(first); at < query.to; at = windowAfter(query, windowOf, at)) {
    if (++count > WINDOWS_MAX) throw tooMany('windows')
    yield at
  }
}

function tooMany(what: 'windows' | 'rows'): TooManyWindows {
  return new TooManyWindows(`at most ${WINDOWS_MAX} ${what} in one answer`)
}

/** A request is one for a placement: it is nobody's campaign, ad or advertiser yet. */
const OF_REQUESTS: readonly ReportDimension[] = ['placement', 'publisher', 'country', 'device']

function countsRequests(query: ReportQuery): boolean {
  const ofPlacements = query.advertiser === null && query.campaign === null
  return ofPlacements && query.groupBy.every(dimension => OF_REQUESTS.includes(dimension))
}

/** By time: minutes, or for longer windows quarters of an hour, of which the hours and days of all zones are made. */
function figuresOf(store: ReadStore, query: ReportQuery, withRequests: boolean): Iterable<ReportRow> {
  const step = query.granularity === 'minute' ? MINUTE_MS : QUARTER_MS
  const dimensions = query.groupBy.map(dimension => `, ${dimension}`).join('')
  const of = (['advertiser', 'publisher', 'campaign'] as const).filter(owner => query[owner] !== null)
  const condition = ['minute >= ?', 'minute < ?', ...of.map(owner => `${owner} = ?`)].join(' AND ')
  const values = [query.from, query.to, ...of.map(owner => query[owner])]
  const rollups = `SELECT minute${dimensions}, impressions, clicks, charges, spend, rejected, 0 AS requests
     FROM rollup WHERE ${condition}`
  const requests = `SELECT minute${dimensions}, 0, 0, 0, 0, 0, requests FROM requests WHERE ${condition}`
  return store.each<ReportRow>(
    `SELECT minute / ${step} * ${step} AS minute, ${FIGURES.map(name => `sum(${name}) AS ${name}`).join(', ')}${dimensions}
     FROM (${withRequests ? `${rollups} UNION ALL ${requests}` : rollups})
     GROUP BY minute / ${step}${dimensions} ORDER BY 1`,
    ...values,
    ...(withRequests ? values : []),
  )
}

const QUARTER_MS = 15 * MINUTE_MS

function rowOf(
  query: ReportQuery,
  window: number,
  row: ReportRow,
  withRequests: boolean,
): Record<string, unknown> {
  const named: Record<string, unknown> = { window: rfc3339(window) }
  for (const dimension of query.groupBy) named[dimension] = NAMES[dimension](row[dimension]!)
  return {
    ...named,
    ...(withRequests ? { requests: row.requests } : {}),
    impressions: row.impressions,
    clicks: row.clicks,
    charges: row.charges,
    spendMicros: row.spend,
    rejected: row.rejected,
  }
}

/** The start of the window that holds a time. Hours and days are those of the zone's clocks. */
function windowsOf(query: ReportQuery): (time: number) => number {
  const { granularity, timeZone } = query
  switch (granularity) {
    case 'total':
      return () => query.from
    case 'minute':
      return time => time
    case 'hour':
      return time => time - (wallMinute(timeZone, time) % 60) * MINUTE_MS
    case 'day':
      return time => campaignDay(timeZone, time).start
  }
}

function windowAfter(query: ReportQuery, windowOf: (time: number) => number, window: number): number {
  switch (query.granularity) {
    case 'total':
      return query.to
    case 'minute':
      return window + MINUTE_MS
    case 'hour':
      return windowOf(window + HOUR_MS)
    case 'day':
      return campaignDay(query.timeZone, window).end
  }
}

/** Micros as a decimal text, exactly: 250000 is `0.25`. */
export function decimalOf(amount: number): string {
  const sign = amount < 0 ? '-' : ''
  const digits = String(Math.abs(amount)).padStart(7, '0')
  const fraction = digits.slice(-6).replace(/0+$/, '')
  return `${sign}${digits.slice(0, -6)}${fraction === '' ? '' : `.${fraction}`}`
}
