import {
  type AdvertiserMoney,
  type CampaignMoney,
  moneyText,
  tightestLimit,
} from '../console/campaign-limit.ts'
import { type LiveFigures, notBilled } from '../console/live-figures.ts'
import { bold, cut, dim, drawnOver, green, red } from './ansi.ts'
import { type Api, callApi, type Seeded } from './seed.ts'
import type { Sent } from './traffic.ts'

/** What the installation says of itself at one moment, all of it asked over HTTP. */
export interface Picture {
  readonly live: LiveFigures
  readonly campaigns: readonly CampaignMoney[]
  readonly advertisers: ReadonlyMap<string, AdvertiserMoney>
}

export async function takePicture(api: Api, seeded: Seeded): Promise<Picture> {
  const [live, campaigns, advertisers] = await Promise.all([
    fetch(`${api.url}/live.json`).then(answer => answer.json() as Promise<LiveFigures>),
    itemsOf<CampaignMoney>(api, '/v1/campaigns'),
    itemsOf<AdvertiserMoney>(api, '/v1/advertisers'),
  ])
  return {
    live,
    campaigns: campaigns
      .filter(({ id }) => seeded.campaigns.has(id))
      .sort((a, b) => a.name.localeCompare(b.name)),
    advertisers: new Map(advertisers.map(advertiser => [advertiser.id, advertiser])),
  }
}

/** One line, for where nobody looks at a screen. */
export function plainLine({ live, campaigns }: Picture, sent: Sent, seconds: number): string {
  const { counters } = live
  const reasons = notBilled(live).map(({ text, count }) => `${count} ${text}`)
  const stopped = campaigns.filter(({ status }) => status !== 'active').length
  return (
    `${seconds}s: served ${counters['bids']} shown ${counters['impressions']} clicked ${counters['clicks']} ` +
    `charged ${live.charged} spent ${spent(campaigns)} lag ${Math.round(live.lagMs)} ms ` +
    `campaigns stopped ${stopped} of ${campaigns.length} failed ${sent.failed} | not billed: ${reasons.join('; ') || 'nothing'}`
  )
}

/** The whole screen, drawn over the one before. */
export function screenOf(picture: Picture, sent: Sent, about: readonly string[]): string {
  const { live, campaigns, advertisers } = picture
  const { counters } = live
  const width = process.stdout.columns || 100
  const height = process.stdout.rows || 40
  const widths = width < WIDE_FROM ? NARROW : WIDE
  const figures = [
    ['served', counters['bids']],
    ['no ad', counters['noBids']],
    ['shown', counters['impressions']],
    ['clicked', counters['clicks']],
    ['charged', live.charged],
  ] as const
  const lines = [
    ...about,
    '',
    figures.map(([name, value]) => `${name} ${bold((value ?? 0).toLocaleString('en'))}`).join('   '),
    `spent ${bold(spent(campaigns))}   lag of the books ${Math.round(live.lagMs)} ms   ` +
      `page views ${sent.views.toLocaleString('en')}   failed ${sent.failed}`,
    ...(live.problem === null ? [] : [red(`PROBLEM: ${live.problem}`)]),
    '',
    'Not billed, and why',
    ...columns(notBilled(live).map(({ text, count }) => `${count.toLocaleString('en').padStart(7)} ${text}`)),
    '',
    `Budgets   ${green('#')} spent   ${dim('+')} held for ads on their way   ${dim('.')} left`,
    ...campaigns.map(campaign => campaignLine(campaign, advertisers.get(campaign.advertiserId), widths)),
  ]
  const shown = [...lines.slice(0, height - 1), dim('Ctrl-C ends it.')]
  return drawnOver(shown.map(line => cut(line, width)))
}

/** Columns of a screen that has room for all. */
const WIDE_FROM = 118
const WIDE = { name: 37, bar: 24 }
const NARROW = { name: 22, bar: 12 }
const REASON_WIDTH = 42
const TONES: Readonly<Record<string, (text: string) => string>> = {
  active: green,
  exhausted: red,
  exhaustedDaily: red,
  unfunded: red,
}

function campaignLine(
  campaign: CampaignMoney,
  advertiser: AdvertiserMoney | undefined,
  widths: typeof WIDE,
): string {
  const { name, status, bid, currency, spend } = campaign
  const limit = tightestLimit(campaign, advertiser)
  const tone = TONES[status] ?? dim
  const head = `${name.slice(0, widths.name).padEnd(widths.name)} ${bid.model} ${tone(status.padEnd(14))}`
  if (limit === null || limit.limitMicros === 0)
    return `${head} ${moneyText(spend.totalMicros, currency)} spent`
  const filled = Math.round((limit.spentMicros / limit.limitMicros) * widths.bar)
  const held = Math.min(widths.bar - filled, Math.round((limit.heldMicros / limit.limitMicros) * widths.bar))
  const bar = `${green('#'.repeat(filled))}${dim('+'.repeat(held) + '.'.repeat(widths.bar - filled - held))}`
  const of = `${moneyText(limit.spentMicros, currency)} of ${moneyText(limit.limitMicros, currency)}`
  return `${head} ${bar} ${of} ${limit.of}`
}

function spent(campaigns: readonly CampaignMoney[]): string {
  return moneyText(campaigns.reduce((total, { spend }) => total + spend.totalMicros, 0))
}

/** Two beside each other. */
function columns(texts: readonly string[]): string[] {
  if (texts.length === 0) return ['      0 so far']
  return texts.flatMap((text, at) =>
    at % 2 === 0 ? [`${text.padEnd(REASON_WIDTH)}${texts[at + 1] ?? ''}`] : [],
  )
}

async function itemsOf<Item>(api: Api, path: string): Promise<readonly Item[]> {
  return (await callApi(api, 'GET', `${path}?limit=200`))['items'] as Item[]
}
