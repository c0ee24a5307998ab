import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../core/time.ts'
import { REPORT_DIMENSIONS, type ReportDimension, type ReportQuery } from '../../ports/control.ts'
import { notThere, owns, readScope, type Scope } from './access.ts'
import * as answers from './answers.ts'
import { findAd } from './campaigns.ts'
import { reportCsv, wantsCsv } from './csv.ts'
import type { ControlDeps } from './deps.ts'
import { findEntity, lookUp } from './entities.ts'
import type { QueryReader } from './read-query.ts'
import type { Routes } from './routes.ts'
import { json } from './submit.ts'

/** Zero-filled windows of one answer: a month of minutes. */
const WINDOWS_MAX = 50_000
const GRANULARITY_MS = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS } as const
const UNIT_MS: Readonly<Record<string, number>> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS }
const tag = 'Reports'

export function reportRoutes(routes: Routes, deps: ControlDeps): void {
  routes.add(
    {
      method: 'get',
      path: '/aggregates',
      tag,
      summary: 'Counts and spend of an ad by window',
      description:
        'Zero-filled, UTC, `start` <= window < `end`; a window is named by its start and counts whole.',
      roles: 'admin; advertiser and reader their own',
      query: [
        { name: 'ad_id', description: 'The ad', required: true },
        { name: 'start', description: 'RFC 3339', required: true },
        { name: 'end', description: 'RFC 3339', required: true },
        { name: 'granularity', description: 'minute, hour or day; by default hour' },
      ],
      answer: { status: 200, description: 'Windows', schema: answers.aggregates },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const adId = requiredAd(call.query)
      const start = call.query.time('start', null)
      const end = call.query.time('end', null)
      const granularity = call.query.choice('granularity', ['minute', 'hour', 'day'], 'hour')
      checkSpan(call.query, 'end', start, end, granularity)
      call.query.done()
      const { number } = await findAd(deps, adId, scope)
      return json(200, await deps.queries.aggregates({ ad: number, start, end, granularity }))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/aggregates/realtime',
      tag,
      summary: 'Counts and spend of an ad in the window that ends now',
      roles: 'admin; advertiser and reader their own',
      query: [
        { name: 'ad_id', description: 'The ad', required: true },
        {
          name: 'window',
          description: 'As 30s, 5m or 24h, at most a day, from a whole minute on; by default 5m',
        },
      ],
      answer: { status: 200, description: 'Figures', schema: answers.realtime },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const adId = requiredAd(call.query)
      const windowMs = readWindow(call.query)
      call.query.done()
      const { number } = await findAd(deps, adId, scope)
      return json(200, await deps.queries.realtime({ ad: number, windowMs }))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/reports',
      tag,
      summary: 'Figures by window and dimensions',
      description:
        'Send `Accept: text/csv` for CSV. Every window has a row, zero where nothing happened; with groupBy one for each ' +
        'group in which something did. The windows that hold `from` and `to` have what is between them only.',
      roles: 'admin; advertiser, publisher and reader their own',
      query: [
        { name: 'from', description: 'RFC 3339; by default a day before `to`' },
        { name: 'to', description: 'RFC 3339; by default now' },
        { name: 'granularity', description: 'minute, hour, day or total; by default day' },
        { name: 'timeZone', description: 'IANA zone of days; by default UTC' },
        { name: 'groupBy', description: `Comma-separated: ${REPORT_DIMENSIONS.join(', ')}` },
        { name: 'advertiserId', description: 'Of this advertiser only' },
        { name: 'publisherId', description: 'Of this publisher only' },
        { name: 'campaignId', description: 'Of this campaign only' },
      ],
      answer: { status: 200, description: 'The report', schema: answers.report },
      alsoAnswers: ['text/csv'],
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser', 'publisher')
      const query = await readReport(deps, call.query, scope)
      const report = await deps.queries.report(query)
      const vary = { Vary: 'Accept' }
      if (!wantsCsv(call.request.headers.get('accept'))) return json(200, report, vary)
      return new Response(reportCsv(report.rows, query.groupBy), {
        headers: {
          'Content-Type': 'text/csv; charset=utf-8',
          'Cache-Control': 'no-store',
          // CSV has no place for them, and every figure that may change says so.
          'Farthing-As-Of': report.asOf,
          'Farthing-Final': String(report.final),
          ...vary,
        },
      })
    },
  )
}

async function readReport(deps: ControlDeps, query: QueryReader, scope: Scope): Promise<ReportQuery> {
  const to = query.time('to', deps.now())
  const from = query.time('from', Math.max(0, to - DAY_MS))
  const granularity = query.choice('granularity', ['minute', 'hour', 'day', 'total'], 'day')
  if (granularity === 'total') checkSpan(query, 'to', from, to, 'day')
  else checkSpan(query, 'to', from, to, granularity)
  const timeZone = query.timeZone('timeZone')
  const groupBy = readDimensions(query)
  const advertiserId = query.text('advertiserId', 40)
  const publisherId = query.text('publisherId', 40)
  const campaignId = query.text('campaignId', 40)
  query.done()
  const account = async (kind: 'advertiser' | 'publisher', id: string | null) => {
    if (id === null) return scope.kind === kind ? scope.number : null
    // Another account's figures are no more there than an account that nobody has. A publisher may narrow its own
    // figures to one advertiser, and the other way round.
    if (scope.kind === kind && !owns(scope, kind, id)) throw notThere(kind)
    const found = await lookUp(deps, kind, id)
    if (found === null) throw notThere(kind)
    return found.number
  }
  const advertiser = await account('advertiser', advertiserId)
  const publisher = await account('publisher', publisherId)
  const campaign =
    campaignId === null
      ? null
      : (await findEntity(deps, 'campaign', campaignId, scope.kind === 'publisher' ? { kind: 'all' } : scope))
          .number
  return { from, to, granularity, timeZone, groupBy, advertiser, publisher, campaign }
}

function readDimensions(query: QueryReader): readonly ReportDimension[] {
  const given = (query.text('groupBy') ?? '').split(',').filter(name => name !== '')
  const dimensions = given.flatMap(name => REPORT_DIMENSIONS.filter(dimension => dimension === name))
  if (dimensions.length < given.length || new Set(dimensions).size < dimensions.length) {
    query.fault('groupBy', `must be different ones of ${REPORT_DIMENSIONS.join(', ')}`)
  }
  return dimensions
}

function requiredAd(query: QueryReader): string {
  const id = query.text('ad_id', 64)
  if (id === null) query.fault('ad_id', 'is required')
  return id ?? ''
}

function checkSpan(
  query: QueryReader,
  path: string,
  start: number,
  end: number,
  granularity: keyof typeof GRANULARITY_MS,
): void {
  // A time that is missing is a fault of its own.
  if (!query.isRight) return
  if (end < start) query.fault(path, 'must not be before the start')
  if ((end - start) / GRANULARITY_MS[granularity] > WINDOWS_MAX) {
    query.fault(path, `must leave at most ${WINDOWS_MAX} windows`)
  }
}

function readWindow(query: QueryReader): number {
  const parts = /^(\d{1,6})([smh])$/.exec(query.text('window') ?? '5m')
  const windowMs = parts === null ? 0 : Number(parts[1]) * UNIT_MS[parts[2]!]!
  if (windowMs < SECOND_MS || windowMs > DAY_MS)
    query.fault('window', 'must be as 30s, 5m or 24h, at most a day')
  return windowMs
}
