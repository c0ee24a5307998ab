import type { CampaignFacts } from '../market.ts'
import { type Bid, type Budgeting, type Exposure, Exposures, type Server } from './budgeting.ts'
import type { OthersWorld } from './others-world.ts'

const GOSSIP_MS = 1000
const THRESHOLD = 0.95

/** What was counted up and down by one node, of one campaign: both only grow, so the greater is the newer. */
interface Entry {
  up: number
  down: number
}

type Counter = Map<string, Entry>

/**
 * A PN-counter for each campaign: every node counts its own spend and what may yet come, and each second exchanges all
 * that it knows with one other node. A campaign stops at 95% of its budget. The ledger bills what happened.
 */
export class Gossip implements Budgeting {
  readonly name = 'PN-counter, gossip, 95%'
  private readonly own = new Exposures()
  private readonly counters = new Map<number, Counter>()
  /** Nodes that have heard of another: before that they would start from nothing. */
  private readonly ready = new Set<number>()

  constructor(private readonly world: OthersWorld) {}

  eligible(server: Server, { campaign, cost }: Bid): boolean {
    if (!this.ready.has(server.slot)) return false
    const own = this.own.of(server.slot, campaign)
    let sum = own.charged + own.pending + cost
    for (const [key, { up, down }] of this.counters.get(server.slot)!) {
      if (key.startsWith(`${campaign.number}:`) && key !== keyOf(campaign, server)) sum += up - down
    }
    return sum <= THRESHOLD * campaign.dailyCap
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
    const { world } = this
    this.counters.set(server.slot, new Map())
    if (world.events.now === world.start) this.ready.add(server.slot)
    const turn = () => {
      if (!server.alive || world.isOver) return
      const others = world.servers.filter(other => other !== server)
      if (others.length > 0) this.exchange(server, world.random.pick(others))
      world.events.after(GOSSIP_MS * (0.9 + 0.2 * world.random.next()), turn)
    }
    world.events.after(GOSSIP_MS * world.random.next(), turn)
  }

  /** There and back. */
  private exchange(server: Server, other: Server): void {
    const { world } = this
    const told = this.snapshot(server)
    world.say(server, other, () => {
      if (!other.alive) return
      this.merge(other, told)
      const back = this.snapshot(other)
      world.say(other, server, () => {
        this.merge(server, back)
        this.ready.add(server.slot)
      })
    })
  }

  private snapshot(server: Server): Counter {
    const counter = this.counters.get(server.slot)!
    for (const campaign of this.world.campaigns) {
      const exposure: Exposure = this.own.of(server.slot, campaign)
      const total = exposure.charged + exposure.pending
      if (total === 0 && !counter.has(keyOf(campaign, server))) continue
      const entry = counter.get(keyOf(campaign, server)) ?? { up: 0, down: 0 }
      const change = total - (entry.up - entry.down)
      counter.set(keyOf(campaign, server), {
        up: entry.up + Math.max(0, change),
        down: entry.down + Math.max(0, -change),
      })
    }
    return new Map(counter)
  }

  private merge(server: Server, told: Counter): void {
    const counter = this.counters.get(server.slot)!
    for (const [key, { up, down }] of told) {
      const known = counter.get(key)
      if (known === undefined) counter.set(key, { up, down })
      else if (up > known.up || down > known.down) {
        counter.set(key, { up: Math.max(up, known.up), down: Math.max(down, known.down) })
      }
    }
  }
}

function keyOf(campaign: CampaignFacts, server: Server): string {
  return `${campaign.number}:${server.slot}`
}
