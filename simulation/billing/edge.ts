import type { Decided } from '../../src/billing/decided.ts'
import type { Decider } from '../../src/billing/decider.ts'
import type { Random } from '../random.ts'
import type { CampaignFacts } from './auditor.ts'

/** Money of a campaign in the hands of the edge, in totals of its epoch. */
interface Stock {
  granted: number
  chosen: number
  impressions: number
  variance: number
  stopped: boolean
}

/** An edge's side of the leases: asks, hears what it was granted, and chooses where that pays for one more. */
export class Edge {
  private readonly stocks = new Map<number, Stock>()
  /** Of each partition's treasury, under which the stocks are. */
  private readonly lines: { epoch: number; term: number }[]

  constructor(partitions: number) {
    this.lines = Array.from({ length: partitions }, () => ({ epoch: 0, term: 0 }))
  }

  hear({ grants }: Decided): void {
    for (const grant of grants) {
      this.follow(grant)
      for (const shard of grant.shards) {
        const known = this.stocks.get(shard.campaign)
        if (known === undefined) {
          this.stocks.set(shard.campaign, {
            granted: shard.grantedThousandths,
            chosen: 0,
            impressions: 0,
            variance: 0,
            stopped: shard.stopped,
          })
        } else {
          known.granted = Math.max(known.granted, shard.grantedThousandths)
          known.stopped = shard.stopped
        }
      }
    }
  }

  /** Under a new epoch or term nothing is left of what was granted before. */
  private follow({ partition, epoch, term }: Decided['grants'][number]): void {
    const line = this.lines[partition]!
    if (epoch === line.epoch && term === line.term) return
    this.lines[partition] = { epoch, term }
    for (const campaign of [...this.stocks.keys()]) {
      if (campaign % 256 === partition) this.stocks.delete(campaign)
    }
  }

  ask(decider: Decider, campaigns: readonly CampaignFacts[], now: number): void {
    for (const [partition, { epoch, term }] of this.lines.entries()) {
      const mine = campaigns.filter(({ number }) => number % 256 === partition)
      const shards = mine.map(({ number }) => {
        const stock = this.stocks.get(number)
        return {
          campaign: number,
          shard: 0,
          impressions: stock?.impressions ?? 0,
          chosenThousandths: stock?.chosen ?? 0,
          variance: stock?.variance ?? 0,
          returnedThousandths: 0,
          droppedThousandths: 0,
        }
      })
      decider.onAsk({ node: 1, partition, epoch, term, sentAt: now, heard: 0, shards })
    }
  }

  /** A campaign that was chosen, or null where none of those that were tried has enough. */
  choose(campaigns: readonly CampaignFacts[], random: Random): CampaignFacts | null {
    for (let tries = 0; tries < 6; tries++) {
      const campaign = random.pick(campaigns)
      const stock = this.stocks.get(campaign.number)
      const cost = campaign.model === 'cpc' ? campaign.price * 1000 : campaign.price
      if (stock === undefined || stock.stopped || stock.granted - stock.chosen < cost) continue
      const expected = campaign.model === 'cpc' ? Math.ceil(cost * 0.5) : cost
      stock.chosen += expected
      stock.impressions++
      stock.variance += campaign.model === 'cpc' ? cost * cost * 0.5 : 0
      return campaign
    }
    return null
  }

  /** Ends, with all that it had. */
  end(): void {
    this.stocks.clear()
  }
}
