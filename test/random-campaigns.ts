/** Campaigns and requests drawn from a seed, for tests and measurements of serving. */
import type { Ad, Campaign, Creative, Schedule } from '../src/campaigns/campaign.ts'
import { alpha2Of } from '../src/core/country.ts'
import { formatId } from '../src/core/ids.ts'
import type { BidRequest } from '../src/openrtb/types.ts'

export type Random = () => number

/** Mulberry32: small, and the same on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}

export function someOf<T>(random: Random, values: readonly T[], most: number): T[] {
  return [...new Set(Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(random, values)))]
}

export const SIZES = [
  [300, 250],
  [728, 90],
  [160, 600],
  [336, 280],
  [468, 60],
  [120, 600],
] as const
export const CATEGORIES = ['IAB1', 'IAB1-2', 'IAB2', 'IAB9-30', 'IAB25-3']
export const SEGMENTS = ['cars', 'travel', 'sport', 'news']
export const PLACEMENTS = [1, 2, 3, 4].map(sequence => formatId('placement', sequence * 256))
export const ADVERTISER_DOMAINS = [
  'shop.example.com',
  'example.com',
  'facebook.com',
  'www.vk.com',
  'a.org',
  'b.org',
]

export interface Places {
  readonly countries: readonly string[]
  readonly regions: readonly string[]
  readonly domains: readonly string[]
}

export const ALWAYS: Schedule = { startAt: null, endAt: null, timeZone: 'UTC', dayparts: [] }
export const CREATED_AT = Date.parse('2026-01-01T00:00:00.000Z')

export function plainCampaign(sequence: number, change: Partial<Campaign> = {}): Campaign {
  const createdAt = new Date(CREATED_AT + sequence).toISOString()
  return {
    id: formatId('campaign', sequence * 256),
    advertiserId: formatId('advertiser', sequence * 256),
    name: `Campaign ${sequence}`,
    currency: 'USD',
    bid: { model: 'cpm', amountMicros: 1_000_000 },
    budget: { totalMicros: null, dailyMicros: null },
    schedule: ALWAYS,
    targeting: {
      countries: [],
      regions: [],
      deviceTypes: [],
      placements: [],
      categories: [],
      domains: [],
      segments: [],
    },
    pacing: 'asap',
    frequencyCap: null,
    whenAuthorityLost: 'open',
    paused: false,
    archived: false,
    ads: [plainAd(sequence, 0)],
    createdAt,
    updatedAt: createdAt,
    version: 1,
    ...change,
  }
}

export function plainAd(sequence: number, place: number, change: Partial<Ad> = {}): Ad {
  return {
    id: formatId('ad', (sequence * 8 + place) * 256),
    name: 'Ad',
    status: 'active',
    landingUrl: `https://shop${sequence}.example.com/landing?click=\${CLICK_ID}`,
    adomain: [`shop${sequence}.example`],
    cat: [],
    attr: [],
    creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://cdn.example.com/a.png' },
    ...change,
  }
}

/** A campaign of the kind that a busy market has: most are narrow, half bid for clicks. */
export function randomCampaign(random: Random, sequence: number, places: Places): Campaign {
  const chance = (share: number) => random() < share
  const cpc = chance(0.5)
  const narrow = random()
  return plainCampaign(sequence, {
    bid: {
      model: cpc ? 'cpc' : 'cpm',
      amountMicros: Math.floor((cpc ? 50_000 : 100_000) * (1 + random() * 20)),
    },
    targeting: {
      countries: chance(0.7) ? someOf(random, places.countries, 2) : [],
      regions: narrow < 0.35 ? someOf(random, places.regions, 3) : [],
      domains: narrow >= 0.35 && narrow < 0.75 ? someOf(random, places.domains, 5) : [],
      deviceTypes: chance(0.2) ? someOf(random, ['desktop', 'mobile', 'tablet'] as const, 2) : [],
      placements: chance(0.03) ? someOf(random, PLACEMENTS, 2) : [],
      categories: chance(0.1) ? someOf(random, CATEGORIES, 2) : [],
      segments: chance(0.1) ? someOf(random, SEGMENTS, 2) : [],
    },
    frequencyCap: chance(0.2) ? { impressions: 1 + Math.floor(random() * 3), perSeconds: 86_400 } : null,
    ads: Array.from({ length: 1 + Math.floor(random() * 3) }, (_, place) =>
      randomAd(random, sequence, place),
    ),
  })
}

function randomAd(random: Random, sequence: number, place: number): Ad {
  const [w, h] = pick(random, SIZES)
  const draw = random()
  const creative: Creative =
    draw < 0.9
      ? { kind: 'image', w, h, imageUrl: `${draw < 0.8 ? 'https' : 'http'}://cdn.example.com/a.png` }
      : { kind: 'html', w, h, html: `<img src="${draw < 0.95 ? 'https' : 'http'}://cdn.example.com/b.png">` }
  return plainAd(sequence, place, {
    creative,
    adomain: random() < 0.3 ? [pick(random, ADVERTISER_DOMAINS)] : [`shop${sequence}.example`],
    cat: random() < 0.2 ? [pick(random, CATEGORIES)] : [],
    attr: random() < 0.2 ? [1 + Math.floor(random() * 16)] : [],
    status: random() < 0.95 ? 'active' : 'paused',
  })
}

/** ISO 3166-2 of a request's place, null where it does not say. */
export function regionOf(request: BidRequest): string | null {
  const geo = request.device?.geo
  const country = geo?.country === undefined ? null : alpha2Of(geo.country)
  return country === null || geo?.region === undefined ? null : `${country}-${geo.region}`
}

/** The places of captured requests, as often as they come: campaigns target where traffic is. */
export function placesOf(requests: readonly BidRequest[]): Places {
  const domains = requests.map(request => (request.site?.domain ?? '').replace(/^www\./, ''))
  return {
    countries: ['USA', 'USA', 'USA', 'CAN', 'GBR', 'DEU', 'FRA'],
    regions: requests.map(regionOf).filter(region => region !== null),
    domains: [...new Set(domains)].filter(domain => domain !== ''),
  }
}
