import type { CampaignFacts } from '../market.ts'
import type { Place } from '../places.ts'

/** A serving node, as all ways of keeping a budget see it. A node that was restarted is another one in the same slot, with its disk. */
export interface Server extends Place {
  readonly slot: number
  readonly boot: number
  alive: boolean
}

export interface Bid {
  readonly campaign: CampaignFacts
  /** Micros that the choice is expected to cost. */
  readonly cost: number
  /** Where an impression is counted as pending, until it is rendered. */
  held: Exposure | null
}

/** What a server, or a counter, knows to be charged, and what was chosen and may yet be. Micros. */
export interface Exposure {
  charged: number
  pending: number
  /** Of the clicks that are expected: squared micros. */
  variance: number
}

/** A way of keeping budgets over many nodes. */
export interface Budgeting {
  readonly name: string
  /** From what the server knows by itself. */
  eligible(server: Server, bid: Bid): boolean
  /** Takes the money for one of the bids, the best first. Whoever has to ask answers later. */
  take(server: Server, bids: readonly Bid[], done: (bid: Bid | null) => void): void
  /** The server saw an event of one of its impressions. */
  noticed(server: Server, campaign: CampaignFacts, amount: number): void
  /** The event is in the ledger: whether it is billed, or given away. */
  charge(server: Server, campaign: CampaignFacts, amount: number): boolean
  /** A server started: at first, or in the place of one that died. */
  started(server: Server): void
}

export class Exposures {
  private readonly by = new Map<number, Map<number, Exposure>>()

  of(key: number, campaign: CampaignFacts): Exposure {
    let mine = this.by.get(key)
    if (mine === undefined) {
      mine = new Map()
      this.by.set(key, mine)
    }
    let exposure = mine.get(campaign.number)
    if (exposure === undefined) {
      exposure = { charged: 0, pending: 0, variance: 0 }
      mine.set(campaign.number, exposure)
    }
    return exposure
  }
}

/** Clicks come by chance: so many standard deviations are kept back beyond what is expected. */
const DEVIATIONS = 2

/** What may be charged in all, of those who add up what they know. */
export function exposed(...all: readonly Exposure[]): number {
  let sum = 0
  let variance = 0
  for (const exposure of all) {
    sum += exposure.charged + exposure.pending
    variance += exposure.variance
  }
  return sum + DEVIATIONS * Math.sqrt(Math.max(0, variance))
}

export function priceOf(campaign: CampaignFacts): number {
  return campaign.model === 'cpc' ? campaign.amount : campaign.amount / 1000
}
