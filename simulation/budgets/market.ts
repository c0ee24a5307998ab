import { HOUR_MS } from '../../src/core/time.ts'
import type { Random } from '../random.ts'
import type { Scenario } from './scenarios.ts'

/** What one campaign is: what the protocol is told, and what only the world knows of it. */
export interface CampaignFacts {
  readonly number: number
  readonly advertiser: number
  readonly model: 'cpc' | 'cpm'
  /** Micros of a click, or of a thousand impressions. */
  readonly amount: number
  dailyCap: number
  readonly timeZone: string
  readonly pacing: 'asap' | 'even'
  readonly regions: readonly number[]
  /** Kinds of requests that it may be shown for. */
  readonly kinds: readonly number[]
  /** What the edge predicts, and what is true. */
  readonly predictedRate: number
  readonly trueRate: number
}

export interface AdvertiserFacts {
  readonly number: number
  readonly deposit: number
  readonly campaigns: readonly CampaignFacts[]
}

export interface Market {
  readonly advertisers: readonly AdvertiserFacts[]
  readonly campaigns: readonly CampaignFacts[]
}

/** Sizes and places of the captured requests, thinned to a dozen kinds; weights as they came there. */
export const KIND_WEIGHTS: readonly number[] = [30, 22, 14, 9, 7, 5, 4, 3, 2, 2, 1, 1]
/** Of rendered impressions among chosen ones. */
export const RENDER_SHARE = 0.93
/** When clicks come: 70% with a half life of a minute, the rest of an hour. */
export function clickDelayMs(random: Random): number {
  const halfLife = random.chance(0.7) ? 60_000 : HOUR_MS
  return 600 - Math.log2(1 - random.next()) * halfLife
}

/** In so many regions all campaigns serve. Where there are more, each in one, and the larger it is in the more others. */
const REGIONS_OF_ALL = 3
const REACH = 0.3

const MODELS_PRICE = { cpc: [100_000, 900_000], cpm: [800_000, 9_000_000] } as const

export function makeMarket(scenario: Scenario, random: Random): Market {
  const advertisers: AdvertiserFacts[] = []
  const campaigns: CampaignFacts[] = []
  for (let advertiser = 1; campaigns.length < scenario.campaigns; advertiser++) {
    const mine: CampaignFacts[] = []
    const count = Math.min(1 + random.below(4), scenario.campaigns - campaigns.length)
    for (let i = 0; i < count; i++) {
      const campaign = makeCampaign(scenario, random, campaigns.length + 1, advertiser)
      mine.push(campaign)
      campaigns.push(campaign)
    }
    // Enough for all days of the run, or a part of that.
    const days = Math.ceil((scenario.startHour + scenario.hours) / 24) + 1
    const caps = mine.reduce((sum, campaign) => sum + campaign.dailyCap, 0) * days
    const share = count > 1 && random.chance(0.5) ? scenario.balanceShare : 1
    advertisers.push({ number: advertiser, deposit: Math.floor(caps * share), campaigns: mine })
  }
  return { advertisers, campaigns }
}

function makeCampaign(
  scenario: Scenario,
  random: Random,
  sequence: number,
  advertiser: number,
): CampaignFacts {
  const model = random.chance(scenario.cpcShare) ? 'cpc' : 'cpm'
  const [low, high] = MODELS_PRICE[model]
  const amount = low + random.below(high - low)
  // A power law between the two: many small budgets, few large ones.
  const { eventsFrom, eventsTo } = scenario
  const pacing = random.chance(scenario.evenShare) ? 'even' : 'asap'
  // An impression is a small event: paced campaigns have many of them, so that a slot of the plan holds more than a few.
  const times = pacing === 'asap' ? scenario.asapTimes : model === 'cpm' ? 4 : 1
  const size = random.next()
  const events = Math.round(times * eventsFrom * (eventsTo / eventsFrom) ** size)
  const trueRate = 0.02 + 0.08 * random.next()
  const price = model === 'cpc' ? amount : amount / 1000
  const regions = Array.from({ length: scenario.regions }, (_, region) => region)
  const own = sequence % scenario.regions
  const kinds = KIND_WEIGHTS.map((_, kind) => kind).filter(kind => kind < 3 || random.chance(0.5))
  return {
    number: sequence * 256,
    advertiser,
    model,
    amount,
    dailyCap: Math.ceil(events * price),
    timeZone: random.pick(scenario.zones),
    pacing,
    regions:
      regions.length <= REGIONS_OF_ALL
        ? regions
        : regions.filter(region => region === own || random.chance(REACH * size)),
    kinds,
    // The edge's prediction is off by up to a third, the more so for an ad that is new.
    predictedRate: trueRate * (0.75 + 0.5 * random.next()),
    trueRate,
  }
}
