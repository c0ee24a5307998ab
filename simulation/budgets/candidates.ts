import type { NodeLease } from '../../src/budgets/node-leases.ts'
import type { CampaignFacts } from './market.ts'

/** A campaign that a node was granted of, and what a choice of it may cost: thousandths of a micro. */
export interface Candidate {
  readonly lease: NodeLease
  readonly facts: CampaignFacts
  readonly cost: number
  /** Kinds of requests, a bit each, whose lists it left as it was spent. */
  left: number
}

/** What a node may choose from, by kind of request. A spent lease is not come across again until more is granted. */
export class Candidates {
  private readonly lists: Candidate[][] = []
  private readonly known = new Map<NodeLease, Candidate>()

  ofKind(kind: number): Candidate[] {
    const list = this.lists[kind] ?? []
    this.lists[kind] = list
    return list
  }

  /** Of a lease that was granted, or granted more. */
  add(lease: NodeLease, factsOf: (campaign: number) => CampaignFacts): void {
    let candidate = this.known.get(lease)
    if (candidate === undefined) {
      const facts = factsOf(lease.campaign)
      candidate = { lease, facts, cost: costOf(facts), left: -1 }
      this.known.set(lease, candidate)
    }
    if (candidate.left === 0) return
    for (const kind of candidate.facts.kinds) {
      if ((candidate.left & (1 << kind)) !== 0) this.ofKind(kind).push(candidate)
    }
    candidate.left = 0
  }

  /** Takes the one at `place` out of the list of a kind; another comes to that place. */
  leave(kind: number, place: number): void {
    const list = this.ofKind(kind)
    const candidate = list[place]!
    candidate.left |= 1 << kind
    list[place] = list.at(-1)!
    list.pop()
  }
}

/** Whether nothing more can be chosen with it until more is granted: not only for now, as a lease that has ended. */
export function isSpent({ lease, cost }: Candidate): boolean {
  return lease.stopped || lease.granted - lease.returned - lease.chosen < cost
}

/** What a choice may cost: the price, or the click that is expected. */
function costOf(campaign: CampaignFacts): number {
  return campaign.model === 'cpm'
    ? campaign.amount
    : Math.max(1, Math.round(campaign.amount * 1000 * campaign.predictedRate))
}
