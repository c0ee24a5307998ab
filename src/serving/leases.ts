import type { EdgeColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'

/** Each treasury is asked at least so often, with or without news: its silence must be noticed. */
const ASK_MS = 250
/** `whenAuthorityLost: closed`: not chosen any more once no ask younger than this was answered. */
export const CLOSED_AFTER_MS = 1000
/** A lease ends here so much before its treasury takes it for over: clocks of two machines run apart. */
export const STOP_EARLY_MS = 250

/** What was granted and chosen of one campaign, in totals under the newest epoch of its partition. */
interface Lease {
  readonly campaign: number
  impressions: number
  chosenThousandths: number
  variance: number
  granted: number
  /** Granted, and not in the column: no snapshot has the campaign yet, or the lease is over. */
  withheld: number
  over: boolean
  closed: boolean
  pacing: number
}

/** One partition's treasury, as this edge knows it. */
interface Authority {
  epoch: number
  askedAt: number
  /** When the newest ask that was answered had been sent: all leases of the partition start there. */
  answeredAskAt: number
  validMs: number
  open: boolean
  closedOpen: boolean
  readonly leases: Map<number, Lease>
  /** Those whose totals the treasury has not heard of. */
  readonly changed: Set<Lease>
}

/**
 * The edge's side of its leases: adds grants to the allowances that serving spends from, and tells the treasury what was
 * chosen. Totals only grow, so a grant that comes twice or late adds nothing. A new epoch voids what older ones granted.
 *
 *   an ask is answered             -> all leases of its partition hold, for validMs from when it was *sent*
 *   unanswered for CLOSED_AFTER_MS -> campaigns that are closed when the authority is lost stop
 *   unanswered for validMs         -> the others stop, too: the treasury may give their money to other nodes
 *   answered again                 -> both go on with what was left
 */
export class Leases {
  private readonly authorities = new Map<number, Authority>()
  /** With something withheld for want of a snapshot. */
  private readonly waiting = new Set<Lease>()

  constructor(
    private readonly node: number,
    private readonly catalog: Pick<CatalogReader, 'slotOf'>,
    private readonly columns: EdgeColumns,
  ) {}

  onGrant(grant: LeaseGrant, now: number): void {
    if (grant.node !== this.node) return
    const authority = this.authorityOf(grant.partition)
    if (grant.epoch < authority.epoch) return
    if (grant.epoch > authority.epoch) this.openEpoch(authority, grant.epoch)
    if (grant.askSentAt > authority.answeredAskAt) {
      authority.answeredAskAt = grant.askSentAt
      authority.validMs = grant.validMs
    }
    for (const shard of grant.shards) {
      const lease = leaseOf(authority, shard.campaign)
      lease.pacing = shard.pacing
      lease.withheld += Math.max(0, shard.grantedThousandths - lease.granted)
      lease.granted = Math.max(lease.granted, shard.grantedThousandths)
      if (lease.closed !== (shard.closed ?? false)) {
        lease.closed = !lease.closed
        this.hold(lease, !(lease.closed ? authority.closedOpen : authority.open))
      }
      this.waiting.add(lease)
    }
    this.end(now)
    this.settle()
  }

  /** Adds what waited for its campaign to appear. Called after each new snapshot. */
  settle(): void {
    for (const lease of this.waiting) {
      const slot = this.catalog.slotOf(lease.campaign)
      if (slot < 0) continue
      this.waiting.delete(lease)
      this.columns.pacing[slot] = lease.pacing
      if (!lease.over) this.release(lease, slot)
    }
  }

  /** Ends and renews leases by this edge's own timer. Call it often. */
  end(now: number): void {
    for (const authority of this.authorities.values()) {
      const age = now - authority.answeredAskAt
      const open = age < authority.validMs - STOP_EARLY_MS
      const closedOpen = open && age < CLOSED_AFTER_MS
      if (open === authority.open && closedOpen === authority.closedOpen) continue
      authority.open = open
      authority.closedOpen = closedOpen
      for (const lease of authority.leases.values()) this.hold(lease, !(lease.closed ? closedOpen : open))
    }
  }

  /** Adds what was chosen of a campaign: its money in thousandths of a micro, the variance in their square. */
  record(campaign: number, impressions: number, chosenThousandths: number, variance: number): void {
    const authority = this.authorityOf(campaign % 256)
    const lease = leaseOf(authority, campaign)
    lease.impressions += impressions
    lease.chosenThousandths += chosenThousandths
    lease.variance += variance
    authority.changed.add(lease)
  }

  /** What to tell the treasuries now: those with news, and those that were not asked for a while. */
  asks(sentAt: number, partitions: number): LeaseAsk[] {
    const asks: LeaseAsk[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const authority = this.authorityOf(partition)
      const shards: LeaseAsk['shards'][number][] = []
      for (const lease of authority.changed) {
        const { campaign, impressions, chosenThousandths, variance } = lease
        shards.push({ campaign, shard: 0, impressions, chosenThousandths, variance })
      }
      if (shards.length === 0 && sentAt - authority.askedAt < ASK_MS) continue
      authority.changed.clear()
      authority.askedAt = sentAt
      asks.push({ node: this.node, partition, epoch: authority.epoch, sentAt, shards })
    }
    return asks
  }

  /** The treasury forgot what it granted: nothing of that may be chosen with. */
  private openEpoch(authority: Authority, epoch: number): void {
    authority.epoch = epoch
    for (const lease of authority.leases.values()) {
      this.takeBack(lease)
      lease.granted = 0
      lease.withheld = 0
      lease.impressions = 0
      lease.chosenThousandths = 0
      lease.variance = 0
    }
  }

  private hold(lease: Lease, over: boolean): void {
    if (lease.over === over) return
    lease.over = over
    if (over) this.takeBack(lease)
    else {
      const slot = this.catalog.slotOf(lease.campaign)
      if (slot >= 0) this.release(lease, slot)
    }
  }

  private takeBack(lease: Lease): void {
    const slot = this.catalog.slotOf(lease.campaign)
    if (slot < 0) return
    lease.withheld += this.columns.allowanceThousandths[slot]!
    this.columns.allowanceThousandths[slot] = 0
  }

  private release(lease: Lease, slot: number): void {
    this.columns.allowanceThousandths[slot]! += lease.withheld
    lease.withheld = 0
  }

  private authorityOf(partition: number): Authority {
    let authority = this.authorities.get(partition)
    if (authority === undefined) {
      authority = {
        epoch: 0,
        askedAt: Number.NEGATIVE_INFINITY,
        answeredAskAt: Number.NEGATIVE_INFINITY,
        validMs: 0,
        open: false,
        closedOpen: false,
        leases: new Map(),
        changed: new Set(),
      }
      this.authorities.set(partition, authority)
    }
    return authority
  }
}

function leaseOf(authority: Authority, campaign: number): Lease {
  let lease = authority.leases.get(campaign)
  if (lease === undefined) {
    lease = {
      campaign,
      impressions: 0,
      chosenThousandths: 0,
      variance: 0,
      granted: 0,
      withheld: 0,
      over: !authority.open,
      closed: false,
      pacing: 1,
    }
    authority.leases.set(campaign, lease)
  }
  return lease
}
