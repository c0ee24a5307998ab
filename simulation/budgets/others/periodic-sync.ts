import type { CampaignFacts } from '../market.ts'
import { type Bid, type Budgeting, type Exposure, Exposures, exposed, type Server } from './budgeting.ts'
import type { OthersWorld } from './others-world.ts'

const SYNC_MS = 30_000
/** A node that was not heard of for so long has nothing pending any more. */
const FORGET_MS = 600_000

/**
 * Nodes serve freely, and every 30 seconds tell a centre what they have spent and what may yet come, and hear the sum of
 * all. In between each counts the others as they were. The ledger bills what happened.
 */
export class PeriodicSync implements Budgeting {
  readonly name = 'sync every 30 s'
  private readonly own = new Exposures()
  /** Of all others, as heard last, by slot. */
  private readonly others = new Exposures()
  private readonly centre = new Map<number, { at: number; readonly said: Map<number, Exposure> }>()

  constructor(private readonly world: OthersWorld) {}

  eligible(server: Server, { campaign, cost }: Bid): boolean {
    const own = this.own.of(server.slot, campaign)
    const others = this.others.of(server.slot, campaign)
    return exposed(own, others) + cost <= campaign.dailyCap
  }

  take(server: Server, bids: readonly Bid[], done: (bid: Bid | null) => void): void {
    const best = bids[0] ?? null
    if (best !== null) this.world.hold(this.own.of(server.slot, best.campaign), best)
    done(best)
  }

  noticed(server: Server, campaign: CampaignFacts, amount: number): void {
    this.own.of(server.slot, campaign).charged += amount
  }

  charge(): boolean {
    return true
  }

  started(server: Server): void {
    const { events, random } = this.world
    const turn = () => {
      if (!server.alive || this.world.isOver) return
      this.sync(server)
      events.after(SYNC_MS * (0.9 + 0.2 * random.next()), turn)
    }
    // It hears the sum before it serves much; later they sync at unlike times.
    this.sync(server)
    events.after(SYNC_MS * random.next(), turn)
  }

  private sync(server: Server): void {
    const { world } = this
    const said = new Map<number, Exposure>()
    for (const campaign of world.campaigns)
      said.set(campaign.number, { ...this.own.of(server.slot, campaign) })
    world.say(server, world.home, () => {
      this.centre.set(server.slot, { at: world.events.now, said })
      const sums = world.campaigns.map(campaign => this.othersOf(server, campaign))
      world.say(world.home, server, () => {
        world.campaigns.forEach((campaign, at) => {
          Object.assign(this.others.of(server.slot, campaign), sums[at])
        })
      })
    })
  }

  private othersOf(server: Server, { number }: CampaignFacts): Exposure {
    // What is charged is in the ledger; what may yet be, only its node knows.
    const own = this.centre.get(server.slot)?.said.get(number)?.charged ?? 0
    const sum = { charged: (this.world.billed.get(number) ?? 0) - own, pending: 0, variance: 0 }
    for (const [slot, { at, said }] of this.centre) {
      if (slot === server.slot) continue
      const { pending, variance } = said.get(number)!
      if (this.world.events.now - at >= FORGET_MS) continue
      sum.pending += pending
      sum.variance += variance
    }
    return sum
  }
}
