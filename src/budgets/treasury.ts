import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'
import type { ChosenRecord, LeaseTakenRecord } from '../records/events.ts'

/**
 * The treasury of one partition: hands out to nodes, from memory, what it has leased durably for its epoch.
 *
 *   node --ask (totals chosen)--> treasury --`chosen`, `leaseTaken` records--> log --> decide
 *   node <--grant (totals granted)-- treasury <-------- what was granted ----------------'
 *
 * It never hands out more than decided leases hold. It forgets everything at a restart: a new epoch is opened, and
 * nodes refuse grants of any other epoch than the one they last heard of.
 * Times and money come in as arguments; amounts are thousandths of a micro.
 */
export const LEASE_VALID_MS = 5000
/** A node's lease is sized for what it spends in this time. */
const LEASE_SPAN_SECONDS = 1
/** Standard deviations of a second's spend that a lease has in hand. */
const LEASE_DEVIATIONS = 3
/** Share of the free money that the active nodes together may be given in one go. */
const LEASE_SHARE = 0.5
/**
 * A lease is sized for at least so many choices, so that a burst after a quiet time meets money: impressions for cpm;
 * for cpc one click, which covers about a thousand.
 */
const BURST_IMPRESSIONS = 1000
const BURST_CLICKS = 1
/** A share of the free money is not cut below so many impressions: small budgets are spent without waiting. */
const LEAST_IMPRESSIONS = 20
/** Weight of the newest second in the observed rate. */
const RATE_WEIGHT = 0.4
interface NodeAccount {
  granted: number
  chosen: number
  impressions: number
  variance: number
}

interface ShardAccount {
  readonly campaign: number
  /** What decide has leased to this epoch, of the current day. */
  leased: number
  readonly nodes: Map<number, NodeAccount>
  /** Money chosen a second, observed. */
  rate: number
  chosenAtRate: number
  reportedChosen: number
  reportedVariance: number
  askedLease: boolean
}

/** What the treasury must know of a campaign's money to size a lease. Asked afresh each time. */
export interface ShardView {
  /** What one more choice may cost at most, thousandths of a micro. */
  readonly price: number
  readonly model: 'cpc' | 'cpm'
  /** What the parents would still grant, micros, pacing applied. */
  readonly grantableMicros: number
  readonly stopped: boolean
}

export class Treasury {
  private readonly shards = new Map<number, ShardAccount>()
  private lastRateAt = 0
  /** Campaigns whose nodes have less than they should: looked at again when money may have come free. */
  readonly hungry = new Set<number>()
  /** Whether nodes have reported choices that `decide` should hear of now, not at the next second. */
  overdue = false

  constructor(
    readonly partition: number,
    readonly epoch: number,
    private readonly view: (campaign: number) => ShardView | null,
  ) {}

  /** Takes in what a node chose. A repeat or an old ask changes nothing. */
  onAsk(ask: LeaseAsk): void {
    if (ask.epoch !== this.epoch) return
    for (const said of ask.shards) {
      const shard = this.shardOf(said.campaign)
      const node = nodeOf(shard, ask.node)
      node.chosen = Math.max(node.chosen, said.chosenThousandths)
      node.impressions = Math.max(node.impressions, said.impressions)
      node.variance = Math.max(node.variance, said.variance)
      // Chosen before the release, told after it: until `decide` has it, a new lease would be taken for it.
      if (chosenOf(shard) > shard.leased) this.overdue = true
    }
  }

  /** Leases that decide has granted. */
  onLeased(campaign: number, grantedMicros: number): void {
    const shard = this.shardOf(campaign)
    shard.leased += grantedMicros * 1000
    shard.askedLease = false
  }

  /**
   * What was leased and not chosen is free again: the campaign stopped, or its day is over. What nodes still have in
   * hand must be leased anew before they are given more.
   */
  onReleased(campaign: number): void {
    const shard = this.shardOf(campaign)
    shard.leased = chosenOf(shard)
    shard.askedLease = false
  }

  /** A campaign that nodes should hear of: new, resumed, a new day. */
  wake(campaign: number): void {
    this.shardOf(campaign)
  }

  /** Once a second, and when `overdue`: what to append so that decide knows what was chosen. Null where nothing was. */
  chosenSince(now: number): ChosenRecord | null {
    this.overdue = false
    const seconds = Math.max(0.2, (now - this.lastRateAt) / 1000)
    this.lastRateAt = now
    const shards: ChosenRecord['shards'][number][] = []
    for (const shard of this.shards.values()) {
      let chosen = 0
      let impressions = 0
      let variance = 0
      for (const node of shard.nodes.values()) {
        chosen += node.chosen
        impressions += node.impressions
        variance += node.variance
      }
      shard.rate += RATE_WEIGHT * ((chosen - shard.chosenAtRate) / seconds - shard.rate)
      shard.chosenAtRate = chosen
      // With this record `decide` takes it from what was leased, and no lower than nothing. A lease that is in the log
      // already comes before the record, and pays for it.
      if (chosen > shard.leased) {
        if (shard.askedLease) this.overdue = true
        else shard.leased = chosen
      }
      if (chosen === shard.reportedChosen && variance === shard.reportedVariance) continue
      shard.reportedChosen = chosen
      shard.reportedVariance = variance
      shards.push({ campaign: shard.campaign, shard: 0, impressions, chosenThousandths: chosen, variance })
    }
    return shards.length === 0 ? null : { epoch: this.epoch, shards }
  }

  /**
   * Hands out what there is to the nodes, and says what more must be leased durably first.
   * `campaigns` are those to look at: that nodes asked for, or whose money changed.
   */
  round(campaigns: Iterable<number>, nodes: readonly number[], now: number): TreasuryRound {
    const leases: LeaseTakenRecord['leases'][number][] = []
    const grants = new Map<number, LeaseGrant['shards'][number][]>()
    for (const campaign of campaigns) {
      const view = this.view(campaign)
      if (view === null) {
        this.hungry.delete(campaign)
        continue
      }
      const shard = this.shardOf(campaign)
      const wantedMore = this.share(shard, view, nodes, grants)
      if (wantedMore > 0 && !shard.askedLease && !view.stopped) {
        shard.askedLease = true
        leases.push({ campaign, shard: 0, amountMicros: Math.ceil(wantedMore / 1000) })
      }
    }
    const messages: LeaseGrant[] = []
    for (const [node, shards] of grants) {
      messages.push({
        node,
        partition: this.partition,
        epoch: this.epoch,
        askSentAt: now,
        validMs: LEASE_VALID_MS,
        shards,
      })
    }
    return { leases: leases.length === 0 ? null : { epoch: this.epoch, leases }, grants: messages }
  }

  /** Tops nodes up from what is leased and not handed out. Returns what is missing for all to have what they should. */
  private share(
    shard: ShardAccount,
    view: ShardView,
    nodes: readonly number[],
    grants: Map<number, LeaseGrant['shards'][number][]>,
  ): number {
    let handedOut = 0
    for (const node of shard.nodes.values()) handedOut += node.granted
    let atHand = shard.leased - handedOut
    let missing = 0
    let inHandMost = 0
    let hungry = false
    const wanted = leaseSize(shard, view, atHand, nodes.length)
    for (const number of nodes) {
      const node = nodeOf(shard, number)
      const unspent = node.granted - node.chosen
      if (!view.stopped && unspent < Math.max(view.price, wanted / 2)) {
        const more = Math.min(Math.max(0, atHand), wanted - unspent)
        if (more > 0 && unspent + more >= view.price) {
          node.granted += more
          atHand -= more
        }
        missing += Math.max(0, wanted - (node.granted - node.chosen))
        if (node.granted - node.chosen < view.price) hungry = true
        inHandMost = Math.max(inHandMost, node.granted - node.chosen)
      }
      const shards = grants.get(number) ?? []
      if (shards.length === 0) grants.set(number, shards)
      shards.push({
        campaign: shard.campaign,
        shard: 0,
        grantedThousandths: node.granted,
        pacing: 1,
        stopped: view.stopped,
      })
    }
    if (hungry) this.hungry.add(shard.campaign)
    else this.hungry.delete(shard.campaign)
    const grantable = Math.max(0, view.grantableMicros) * 1000
    // Too little for one more choice is not worth a lease.
    if (missing <= 0 || grantable + Math.max(0, atHand) + inHandMost < view.price) return 0
    missing += Math.max(0, -atHand)
    return Math.min(missing, grantable)
  }

  private shardOf(campaign: number): ShardAccount {
    let shard = this.shards.get(campaign)
    if (shard === undefined) {
      shard = {
        campaign,
        leased: 0,
        nodes: new Map(),
        rate: 0,
        chosenAtRate: 0,
        reportedChosen: 0,
        reportedVariance: 0,
        askedLease: false,
      }
      this.shards.set(campaign, shard)
    }
    return shard
  }
}

export interface TreasuryRound {
  readonly leases: LeaseTakenRecord | null
  readonly grants: readonly LeaseGrant[]
}

/** min(v*t + z*p*sqrt(v*t/p), a*F/A), at least one price: DESIGN "Size of a node's lease". Thousandths of a micro. */
function leaseSize(shard: ShardAccount, view: ShardView, atHand: number, nodes: number): number {
  const burst = view.price * (view.model === 'cpm' ? BURST_IMPRESSIONS : BURST_CLICKS)
  const least = view.price * (view.model === 'cpm' ? LEAST_IMPRESSIONS : 1)
  const spend = Math.max(shard.rate * LEASE_SPAN_SECONDS, burst)
  const size = spend + LEASE_DEVIATIONS * view.price * Math.sqrt(spend / view.price)
  const free = Math.max(0, view.grantableMicros) * 1000 + Math.max(0, atHand)
  const share = (LEASE_SHARE * free) / Math.max(1, nodes)
  return Math.max(view.price, Math.min(size, Math.max(share, Math.min(least, free))))
}

function chosenOf(shard: ShardAccount): number {
  let chosen = 0
  for (const node of shard.nodes.values()) chosen += node.chosen
  return chosen
}

function nodeOf(shard: ShardAccount, number: number): NodeAccount {
  let node = shard.nodes.get(number)
  if (node === undefined) {
    node = { granted: 0, chosen: 0, impressions: 0, variance: 0 }
    shard.nodes.set(number, node)
  }
  return node
}
