/** Campaigns of unlike targeting, money and schedules, made over the API of a `farthing serve` by many connections. */
import type { Campaign, Schedule } from '../src/campaigns/campaign.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { ADMIN_KEY, type Installation } from '../test/e2e/installation.ts'
import { ALWAYS, pick, placesOf, type Random, randomCampaign, randomFrom } from '../test/random-campaigns.ts'
import { type LoadFigures, request, sendAll } from './load.ts'

const SEED = 20261125
const CONNECTIONS = 16
const CAMPAIGNS_AN_ADVERTISER = 100
const PUBLISHERS = 32
const PLACEMENTS = 256
const DEPOSIT_MICROS = 1_000_000_000_000
const TELL_MS = 5000
const DOMAIN = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'America/Los_Angeles', 'Asia/Tokyo']

export interface Seeded {
  readonly load: LoadFigures
  readonly campaignIds: readonly string[]
  readonly placementIds: readonly string[]
}

/** Half of them paced evenly, a third with dayparts, most with caps. `tell` hears of the progress. */
export async function seedCampaigns(
  farthing: Installation,
  count: number,
  tell: (line: string) => void,
): Promise<Seeded> {
  const advertiserIds: string[] = []
  for (let i = 0; i * CAMPAIGNS_AN_ADVERTISER < count; i++) {
    const { id } = await farthing.must(201, 'POST', '/v1/advertisers', { name: `Advertiser ${i}` })
    await farthing.must(201, 'POST', `/v1/advertisers/${id}/deposits`, { amountMicros: DEPOSIT_MICROS })
    advertiserIds.push(id)
  }
  const placementIds = await seedPlacements(farthing)
  const random = randomFrom(SEED)
  const captured = placesOf(capturedRequests(10_000))
  // Some that were captured are no domains; the API refuses them.
  const places = { ...captured, domains: captured.domains.filter(domain => DOMAIN.test(domain)) }
  const campaignIds: string[] = []
  let toldAt = performance.now()
  const load = await sendAll({
    url: farthing.url,
    connections: CONNECTIONS,
    limitMs: 20 * 60_000,
    count,
    message: at => {
      const campaign = randomCampaign(random, at + 1, places)
      const advertiserId = advertiserIds[at % advertiserIds.length]!
      return request('POST', '/v1/campaigns', ADMIN_KEY, bodyOf(campaign, random, advertiserId, placementIds))
    },
    onAnswer: ({ status, body }, at) => {
      if (status !== 201) throw new Error(`campaign ${at}: ${status} ${body.slice(0, 300)}`)
      campaignIds.push(/"id":"(cmp_\w+)"/.exec(body)![1]!)
      if (performance.now() - toldAt < TELL_MS) return
      toldAt = performance.now()
      tell(`${campaignIds.length.toLocaleString('en')} of ${count.toLocaleString('en')} campaigns`)
    },
  })
  return { load, campaignIds, placementIds }
}

async function seedPlacements(farthing: Installation): Promise<string[]> {
  const domains = placesOf(capturedRequests(10_000)).domains.filter(domain => DOMAIN.test(domain))
  const publisherIds: string[] = []
  for (let i = 0; i < PUBLISHERS; i++) {
    const { id } = await farthing.must(201, 'POST', '/v1/publishers', {
      name: `Publisher ${i}`,
      domain: domains[i] ?? null,
    })
    publisherIds.push(id)
  }
  const ids: string[] = []
  for (let i = 0; i < PLACEMENTS; i++) {
    const { id } = await farthing.must(201, 'POST', '/v1/placements', {
      publisherId: publisherIds[i % PUBLISHERS],
      name: `Placement ${i}`,
      format: { w: 300, h: 250 },
      floorCpmMicros: (i % 4) * 50_000,
    })
    ids.push(id)
  }
  return ids
}

function bodyOf(
  drawn: Campaign,
  random: Random,
  advertiserId: string,
  placementIds: readonly string[],
): string {
  const { name, bid, targeting, frequencyCap, ads } = drawn
  const daily = random() < 0.6 ? bid.amountMicros * Math.ceil(20 + 2000 * random() ** 3) : null
  return JSON.stringify({
    advertiserId,
    name,
    bid,
    budget: { dailyMicros: daily, totalMicros: random() < 0.5 ? bid.amountMicros * 50_000 : null },
    schedule: scheduleOf(random),
    targeting: {
      ...targeting,
      placements: targeting.placements.length > 0 ? [pick(random, placementIds)] : [],
    },
    pacing: daily !== null && random() < 0.8 ? 'even' : 'asap',
    frequencyCap,
    ads: ads.map(({ id: _made, ...ad }) => ad),
  })
}

/** Hours of the day on which people are about, somewhere. */
function scheduleOf(random: Random): Schedule {
  if (random() < 0.7) return ALWAYS
  const from = Math.floor(random() * 24)
  const to = (from + 6 + Math.floor(random() * 12)) % 24
  const hour = (at: number) => `${String(at).padStart(2, '0')}:00`
  return {
    ...ALWAYS,
    timeZone: pick(random, ZONES),
    dayparts: [{ days: [1, 2, 3, 4, 5, 6, 7], from: hour(from), to: hour(to) }],
  }
}
