import type { CampaignFacts } from '../market.ts'
import { type Bid, type Budgeting, Exposures, exposed, priceOf, type Server } from './budgeting.ts'
import type { OthersWorld } from './others-world.ts'

/** A slice is a hundredth of the budget, and pays for two events at least. */
const SLICE_SHARE = 0.01
const SLICE_PRICES = 2
const RETRY_MS = 1000
/** Twice as long each time that the counter was found empty. */
const RETRY_MS_MAX = 60_000
/** What a node did not touch for so long goes back. */
const IDLE_MS = 300_000

interface Slice {
  granted: number
  askedAt: number
  usedAt: number
  retryMs: number
}

/**
 * A central counter of what is left. A node takes a slice of fixed size from it when half of its last one is gone, spends
 * that by itself, and gives back what it leaves idle. A node that is restarted has its slice on disk.
 */
export class FixedSlices implements Budgeting {
  readonly name = 'slices of a central counter'
  private readonly own = new Exposures()
  private readonly billed = new Exposures()
  private readonly slices = new Map<number, Map<number, Slice>>()
  private readonly taken = new Map<number, number>()

  constructor(private readonly world: OthersWorld) {}

  eligible(server: Server, { campaign, cost }: Bid): boolean {
    const slice = this.sliceOf(server, campaign)
    const left = slice.granted - exposed(this.own.of(server.slot, campaign))
    if (left < Math.max(cost, sizeOf(campaign) / 2)) this.ask(server, campaign, slice)
    return left >= cost
  }

  take(server: Server, bids: readonly Bid[], done: (bid: Bid | null) => void): void {
    const best = bids[0] ?? null
    if (best !== null) {
      this.sliceOf(server, best.campaign).usedAt = this.world.events.now
      this.world.hold(this.own.of(server.slot, best.campaign), best)
    }
    done(best)
  }

  noticed(server: Server, campaign: CampaignFacts, amount: number): void {
    this.own.of(server.slot, campaign).charged += amount
  }

  /** Out of the node's slices, or else of the counter. */
  charge(server: Server, campaign: CampaignFacts, amount: number): boolean {
    const billed = this.billed.of(server.slot, campaign)
    const slice = this.sliceOf(server, campaign)
    const missing = Math.max(0, billed.charged + amount - slice.granted)
    if (missing > 1e-6) {
      const taken = this.taken.get(campaign.number) ?? 0
      if (taken + missing > campaign.dailyCap + 1e-6) return false
      this.taken.set(campaign.number, taken + missing)
      slice.granted += missing
    }
    billed.charged += amount
    return true
  }

  started(server: Server): void {
    const turn = () => {
      if (!server.alive || this.world.isOver) return
      for (const campaign of this.world.campaigns) this.returnIdle(server, campaign)
      this.world.events.after(60_000, turn)
    }
    this.world.events.after(60_000 * this.world.random.next(), turn)
  }

  private ask(server: Server, campaign: CampaignFacts, slice: Slice): void {
    const { world } = this
    const { now } = world.events
    if (now - slice.askedAt < slice.retryMs) return
    slice.askedAt = now
    let decided: number | null = null
    world.say(server, world.home, () => {
      // The ask is numbered: one that comes twice is answered as before.
      if (decided === null) {
        const taken = this.taken.get(campaign.number) ?? 0
        decided = Math.max(0, Math.min(sizeOf(campaign), campaign.dailyCap - taken))
        this.taken.set(campaign.number, taken + decided)
      }
      const more = decided
      let heard = false
      world.tell(world.home, server, () => {
        if (heard) return
        heard = true
        slice.granted += more
        slice.usedAt = world.events.now
        const empty = more < priceOf(campaign)
        slice.retryMs = empty ? Math.min(RETRY_MS_MAX, 2 * slice.retryMs) : RETRY_MS
        slice.askedAt = empty ? world.events.now : Number.NEGATIVE_INFINITY
      })
    })
  }

  private returnIdle(server: Server, campaign: CampaignFacts): void {
    const { world } = this
    const slice = this.sliceOf(server, campaign)
    const left = slice.granted - exposed(this.own.of(server.slot, campaign))
    if (left <= 0 || world.events.now - slice.usedAt < IDLE_MS) return
    slice.granted -= left
    let heard = false
    world.tell(server, world.home, () => {
      if (heard) return
      heard = true
      this.taken.set(campaign.number, (this.taken.get(campaign.number) ?? 0) - left)
    })
  }

  private sliceOf(server: Server, campaign: CampaignFacts): Slice {
    let mine = this.slices.get(server.slot)
    if (mine === undefined) {
      mine = new Map()
      this.slices.set(server.slot, mine)
    }
    let slice = mine.get(campaign.number)
    if (slice === undefined) {
      slice = { granted: 0, askedAt: Number.NEGATIVE_INFINITY, usedAt: 0, retryMs: RETRY_MS }
      mine.set(campaign.number, slice)
    }
    return slice
  }
}

function sizeOf(campaign: CampaignFacts): number {
  return Math.max(SLICE_SHARE * campaign.dailyCap, SLICE_PRICES * priceOf(campaign))
}
