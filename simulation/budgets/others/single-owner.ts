import type { CampaignFacts } from '../market.ts'
import { type Bid, type Budgeting, Exposures, exposed, type Server } from './budgeting.ts'
import type { OthersWorld } from './others-world.ts'

/** An auction does not wait longer. */
const TIMEOUT_MS = 200
/** A campaign that was refused is not asked for again so soon. */
const REFUSED_MS = 5000
const OWNER = 0

/**
 * One owner of each budget is asked on the way of every request, and knows all that was charged and may yet be. `instantly`
 * is the same without a network: what could be delivered at most, which the others are held against.
 */
export class SingleOwner implements Budgeting {
  readonly name: string
  private readonly exposures = new Exposures()
  private readonly billed = new Exposures()
  private readonly refusedUntil = new Map<string, number>()

  constructor(
    private readonly world: OthersWorld,
    private readonly instantly: boolean,
  ) {
    this.name = instantly ? 'one counter without a network' : 'single owner asked per request'
  }

  eligible(server: Server, { campaign, cost }: Bid): boolean {
    if (this.instantly) return this.hasRoom(campaign, cost)
    return (this.refusedUntil.get(`${server.boot}:${campaign.number}`) ?? 0) <= this.world.events.now
  }

  take(server: Server, bids: readonly Bid[], done: (bid: Bid | null) => void): void {
    if (this.instantly || bids.length === 0) {
      done(this.reserve(bids))
      return
    }
    const { world } = this
    let answered = false
    const answer = (bid: Bid | null) => {
      if (answered) return
      answered = true
      done(bid)
    }
    world.say(server, world.home, () => {
      if (answered) return
      const best = this.reserve(bids)
      const refused = bids.slice(0, best === null ? bids.length : bids.indexOf(best))
      world.say(world.home, server, () => {
        for (const { campaign } of refused) {
          this.refusedUntil.set(`${server.boot}:${campaign.number}`, world.events.now + REFUSED_MS)
        }
        answer(best)
      })
    })
    world.events.after(TIMEOUT_MS, () => answer(null))
  }

  noticed(): void {}

  charge(_server: Server, campaign: CampaignFacts, amount: number): boolean {
    const billed = this.billed.of(OWNER, campaign)
    if (billed.charged + amount > campaign.dailyCap + 1e-6) return false
    billed.charged += amount
    this.exposures.of(OWNER, campaign).charged += amount
    return true
  }

  started(): void {}

  private reserve(bids: readonly Bid[]): Bid | null {
    const best = bids.find(({ campaign, cost }) => this.hasRoom(campaign, cost)) ?? null
    if (best !== null) this.world.hold(this.exposures.of(OWNER, best.campaign), best)
    return best
  }

  private hasRoom(campaign: CampaignFacts, cost: number): boolean {
    return exposed(this.exposures.of(OWNER, campaign)) + cost <= campaign.dailyCap
  }
}
