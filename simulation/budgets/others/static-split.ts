import type { CampaignFacts } from '../market.ts'
import {
  type Bid,
  type Budgeting,
  type Exposure,
  Exposures,
  exposed,
  priceOf,
  type Server,
} from './budgeting.ts'
import type { OthersWorld } from './others-world.ts'

/**
 * Each budget is dealt out to the nodes once, in whole prices. A node keeps its part by itself, on disk: it survives a
 * restart. Nothing is said between nodes; what one has no requests for, no other can spend.
 */
export class StaticSplit implements Budgeting {
  readonly name = 'static split'
  private readonly exposures = new Exposures()
  private readonly billed = new Exposures()

  constructor(private readonly world: OthersWorld) {}

  eligible(server: Server, { campaign, cost }: Bid): boolean {
    return exposed(this.exposures.of(server.slot, campaign)) + cost <= this.shareOf(server, campaign)
  }

  take(server: Server, bids: readonly Bid[], done: (bid: Bid | null) => void): void {
    const best = bids[0] ?? null
    if (best !== null) this.world.hold(this.exposures.of(server.slot, best.campaign), best)
    done(best)
  }

  noticed(server: Server, campaign: CampaignFacts, amount: number): void {
    this.exposures.of(server.slot, campaign).charged += amount
  }

  charge(server: Server, campaign: CampaignFacts, amount: number): boolean {
    const billed: Exposure = this.billed.of(server.slot, campaign)
    if (billed.charged + amount > this.shareOf(server, campaign) + 1e-6) return false
    billed.charged += amount
    return true
  }

  started(): void {}

  /** Prices that do not divide go to the first slots, counted from another one for each campaign. */
  private shareOf(server: Server, campaign: CampaignFacts): number {
    const slots = this.world.slots
    const price = priceOf(campaign)
    const prices = Math.floor(campaign.dailyCap / price + 1e-9)
    const place = (server.slot + campaign.number / 256) % slots
    return (Math.floor(prices / slots) + (place < prices % slots ? 1 : 0)) * price
  }
}
