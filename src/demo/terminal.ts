import { type Api, callApi, type Seeded } from './seed.ts'
import type { Sent } from './traffic.ts'

interface Live {
  readonly counters: Readonly<Record<string, number>>
  readonly charged: number
  readonly lagMs: number
  readonly problem: string | null
}

interface ReportRow {
  readonly spendMicros: number
  readonly rejected: number
}

interface CampaignRow {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly bid: { readonly model: string }
  readonly budget: { readonly totalMicros: number | null; readonly dailyMicros: number | null }
  readonly spend: { readonly todayMicros: number; readonly totalMicros: number }
}

/** What the installation says of itself at one moment, all of it asked over HTTP. */
export interface Picture {
  readonly live: Live
  readonly spendMicros: number
  readonly rejected: number
  readonly campaigns: readonly CampaignRow[]
}

export async function takePicture(api: Api, seeded: Seeded): Promise<Picture> {
  const [live, report, list] = await Promise.all([
    fetch(`${api.url}/live.json`).then(answer => answer.json() as Promise<Live>),
    callApi(api, '/v1/reports?granularity=total') as Promise<unknown> as Promise<{
      rows: readonly ReportRow[]
    }>,
    callApi(api, '/v1/campaigns?limit=200') as Promise<unknown> as Promise<{ items: readonly CampaignRow[] }>,
  ])
  return {
    live,
    spendMicros: sum(report.rows.map(row => row.spendMicros)),
    rejected: sum(report.rows.map(row => row.rejected)),
    campaigns: list.items.filter(({ id }) => seeded.campaigns.has(id)),
  }
}

/** One line, for where nobody looks at a screen. */
export function plainLine(picture: Picture, sent: Sent, seconds: number): string {
  const { live } = picture
  const ended = picture.campaigns.filter(({ status }) => status !== 'active').length
  return (
    `${seconds}s: served ${count(live, 'bids')} shown ${count(live, 'impressions')} clicked ${count(live, 'clicks')} ` +
    `charged ${live.charged} spend ${dollars(picture.spendMicros)} refused ${picture.rejected} forged ${count(live, 'forged')} ` +
    `crawlers ${count(live, 'robotsRefused')} not active ${ended} lag ${Math.round(live.lagMs)} ms failed ${sent.failed}`
  )
}

const BAR = 24

/** The whole screen, drawn over the one before. */
export function screenOf(picture: Picture, sent: Sent, about: readonly string[]): string {
  const { live } = picture
  const figures = [
    ['page views', sent.views],
    ['served', count(live, 'bids')],
    ['no ad', count(live, 'noBids')],
    ['shown', count(live, 'impressions')],
    ['clicked', count(live, 'clicks')],
    ['charged', live.charged],
  ] as const
  const refused = [
    ['by the books', picture.rejected],
    ['forged', count(live, 'forged')],
    ['crawlers', count(live, 'robotsRefused')],
    ['bad requests', count(live, 'badRequests')],
    ['failed', sent.failed],
  ] as const
  const lines = [
    ...about,
    '',
    figures.map(([name, value]) => `${name} ${value.toLocaleString('en')}`).join('   '),
    `spend ${dollars(picture.spendMicros)}   decided within ${Math.round(live.lagMs)} ms`,
    `refused: ${refused.map(([name, value]) => `${name} ${value.toLocaleString('en')}`).join('   ')}`,
    ...(live.problem === null ? [] : [`PROBLEM: ${live.problem}`]),
    '',
    ...picture.campaigns.map(campaignLine),
    '',
    'Ctrl-C ends it.',
  ]
  const width = process.stdout.columns || 100
  // Home; each line clears its rest; what is left below is cleared.
  return `\x1b[H${lines.map(line => `${line.slice(0, width)}\x1b[K`).join('\n')}\x1b[J`
}

export const CLEAR_SCREEN = '\x1b[2J\x1b[H'

function campaignLine({ name, status, bid, budget, spend }: CampaignRow): string {
  const limits = [
    { of: 'total', limit: budget.totalMicros, spent: spend.totalMicros },
    { of: 'today', limit: budget.dailyMicros, spent: spend.todayMicros },
  ].flatMap(({ of, limit, spent }) => (limit === null ? [] : [{ of, limit, spent, share: spent / limit }]))
  const tightest = limits.toSorted((a, b) => b.share - a.share)[0]
  const head = `${name.slice(0, 38).padEnd(38)} ${bid.model} ${status.padEnd(15)}`
  if (tightest === undefined) return `${head} ${' '.repeat(BAR + 2)} ${dollars(spend.totalMicros)}, no cap`
  const left = Math.round(Math.max(0, 1 - tightest.share) * BAR)
  const bar = '#'.repeat(left).padEnd(BAR, '.')
  return `${head} [${bar}] ${dollars(tightest.spent)} of ${dollars(tightest.limit)} ${tightest.of}`
}

function count(live: Live, name: string): number {
  return live.counters[name] ?? 0
}

function dollars(micros: number): string {
  return `$${(micros / 1_000_000).toFixed(2)}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
