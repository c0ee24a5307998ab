import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'
import type { ChosenRecord, LeaseTakenRecord } from '../records/events.ts'
import { IdleShards } from './idle-shards.ts'
import { leaseSize } from './lease-size.ts'
import { CLOSE_SLACK_MS, LEASE_VALID_MS } from './lease-time.ts'
import { nodesFor } from './rendezvous.ts'
import {
  accountOf,
  closeAccount,
  hear,
  type LeaseNode,
  leastLease,
  mergeSaid,
  type NodeAccount,
  newShardAccount,
  noteUse,
  observe,
  type ShardAccount,
  tell,
  topUp,
  turnToDay,
  unlease,
  unspentOf,
} from './shard-account.ts'
import { affordable, freeOf, NEAR, type ShardView } from './shard-view.ts'

/**
 * The treasury of one partition: hands out to nodes, from memory, what it has leased durably for its epoch.
 *
 *   node --ask (totals chosen)--> treasury --`chosen`, `leaseTaken` records--> log --> decide
 *   node <--grant (totals granted)-- treasury <-------- what was granted ----------------'
 *
 * It never hands out more than decided leases hold. It forgets everything at a restart: a new epoch is opened, and
 * nodes refuse grants of any older one. A campaign is granted to a few nodes only, more while it could spend more.
 * Times and money come in as arguments; amounts are thousandths of a micro.
 */
/** Impressions a second that one node is thought to have room for, of one campaign. */
const NODE_IMPRESSIONS = 4
/** Nodes that choose nothing with what they have for so long make room for others. */
const IDLE_MS = 4000
/** A campaign that is not chosen is given to more nodes only as long as each has no more of the partition's than this. */
const CAMPAIGNS_A_NODE = 512
/** Other shards are made room for after this. */
const UNLEASE_MS = 10_000
/** Where other campaigns on the balance starve, sooner. */
const HOARD_MS = 6000
/** Having given money back, a campaign leaves it to the others for so long. */
const QUIET_MS = 10_000
const SECOND_MS = 900
/** Nodes are looked at each second: where it took longer, the time was ours. */
const STALL_MS = 1500

export interface TreasuryRound {
  readonly leases: LeaseTakenRecord | null
  readonly grants: readonly LeaseGrant[]
}

export class Treasury {
  private readonly shards = new Map<number, ShardAccount>()
  private readonly nodes = new Map<number, LeaseNode>()
  private alive: readonly number[] = []
  private terms = 0
  /** To be looked at in the next round: asked for, or their money changed. */
  private readonly due: ShardAccount[] = []
  /** Whose nodes have less than they should. */
  private readonly hungry: ShardAccount[] = []
  /** Chosen with in the last seconds. */
  private readonly active = new Set<ShardAccount>()
  private readonly idle = new IdleShards()
  private hungryAt = Number.NEGATIVE_INFINITY
  /** Whether nodes have reported choices that `decide` should hear of now, not at the next second. */
  overdue = false
  private ratedAt = Number.NEGATIVE_INFINITY
  private lookedAt = Number.POSITIVE_INFINITY
  /** The latest that was told. */
  private now = Number.NEGATIVE_INFINITY

  constructor(
    readonly partition: number,
    readonly epoch: number,
    private readonly view: (campaign: number) => ShardView | null,
    /** A campaign wants to be served and there is no money for it. */
    private readonly onStarved: (campaign: number) => void = () => {},
    private readonly habits = NEAR,
  ) {}

  get hasNodes(): boolean {
    return this.alive.length > 0
  }

  /** Takes in what a node chose and gave back. A repeat or an old ask changes nothing. */
  onAsk(ask: LeaseAsk, now: number): void {
    this.now = now
    const node = this.nodeNamed(ask.node)
    node.heardAt = now
    node.askSentAt = Math.max(node.askSentAt ?? Number.NEGATIVE_INFINITY, ask.sentAt)
    if (ask.epoch !== this.epoch || ask.term !== node.term) return
    hear(node, ask.heard)
    for (const said of ask.shards) {
      const { campaign, shard } = said
      this.merge(node.accounts.get(campaign) ?? accountOf(this.shardOf(campaign, shard), node), said)
    }
  }

  /** Leases that decide has granted. */
  onLeased(campaign: number, grantedMicros: number): void {
    const shard = this.shards.get(campaign)
    if (shard === undefined) return
    shard.leased += grantedMicros * 1000
    shard.askedLease = false
    // It is to be tried.
    if (grantedMicros > 0) shard.usedAt = this.now
    if (grantedMicros > 0) this.addDue(shard)
  }

  /**
   * What was leased and not chosen is not to be chosen with any more: all of it where the campaign stopped, so many
   * thousandths where its day is over. Nodes give back what they have in hand.
   */
  onReleased(campaign: number, thousandths: number | null): void {
    const shard = this.shards.get(campaign)
    if (shard === undefined) return
    shard.leased = thousandths === null ? shard.chosen : Math.max(shard.chosen, shard.leased - thousandths)
    shard.askedLease = false
    shard.dayStart = null
    for (const account of shard.accounts) {
      const inHand = unspentOf(account)
      if (inHand <= 0) continue
      account.voided = account.granted
      account.voidInHand = inHand
      tell(account, true)
    }
  }

  /** Looks at a campaign in the next round, without a word to its nodes. */
  lookAt(campaign: number): void {
    const shard = this.shards.get(campaign)
    if (shard !== undefined) this.addDue(shard)
  }

  /** A campaign whose money or state changed: new, stopped, resumed, a new day. Nodes hear of it, at once or when they ask. */
  wake(campaign: number, atOnce = true): void {
    const view = this.view(campaign)
    if (view === null) return
    const shard = this.shardOf(campaign, view.shard)
    this.addDue(shard)
    for (const account of shard.accounts) tell(account, atOnce)
  }

  /** Money may have come free for those that have too little. */
  wakeHungry(): void {
    let kept = 0
    for (const shard of this.hungry) {
      if (shard.isHungry) {
        this.hungry[kept++] = shard
        this.addDue(shard)
      } else shard.isListedHungry = false
    }
    this.hungry.length = kept
  }

  /** Once a second, and when `overdue`: what to append so that decide knows what was chosen. Null where nothing was. */
  chosenSince(now: number): ChosenRecord | null {
    this.now = now
    this.closeSilent(now)
    this.overdue = false
    const passed = now - this.ratedAt
    const isSecond = passed >= SECOND_MS
    if (isSecond) {
      this.ratedAt = now
      this.idle.take(now, shard => this.tryOther(shard, now))
    }
    const shards: ChosenRecord['shards'][number][] = []
    for (const shard of this.active) {
      const { campaign, chosen, impressions, variance, dropped, supposed } = shard
      if (isSecond) {
        observe(shard, Math.min(10, passed / 1000))
        this.spreadBusy(shard)
      }
      if (shard.rate === 0) {
        shard.isActive = false
        this.active.delete(shard)
      }
      // With this record `decide` takes it from what was leased, and no lower than nothing. A lease that is in the log
      // already comes before the record, and pays for it.
      if (chosen > shard.leased) {
        if (shard.askedLease) this.overdue = true
        else shard.leased = chosen
      }
      if (
        chosen !== shard.reportedChosen ||
        variance !== shard.reportedVariance ||
        dropped !== shard.reportedDropped
      ) {
        shard.reportedChosen = chosen
        shard.reportedVariance = variance
        shard.reportedDropped = dropped
        shards.push({
          campaign,
          shard: shard.shard,
          impressions,
          chosenThousandths: chosen,
          variance,
          droppedThousandths: dropped,
          supposedThousandths: supposed,
        })
      }
    }
    return shards.length === 0 ? null : { epoch: this.epoch, shards }
  }

  /**
   * Hands out what there is to the nodes, and says what more must be leased durably first. Answers every ask since the
   * last round; nobody else hears anything but what is urgent.
   */
  round(now: number): TreasuryRound {
    this.now = now
    if (this.hasNodes && now - this.hungryAt >= this.habits.hungryMs) {
      this.hungryAt = now
      this.wakeHungry()
    }
    const leases: LeaseTakenRecord['leases'][number][] = []
    for (const shard of this.due) {
      const change = this.share(shard, now)
      shard.isDue = false
      if (change !== 0) leases.push({ campaign: shard.campaign, shard: shard.shard, amountMicros: change })
    }
    this.due.length = 0
    const grants = this.messages()
    return { leases: leases.length === 0 ? null : { epoch: this.epoch, leases }, grants }
  }

  private merge(account: NodeAccount, said: LeaseAsk['shards'][number]): void {
    const { shard } = account
    const { chosen } = shard
    const returned = mergeSaid(account, said)
    if (returned) shard.turn++
    if (shard.chosen > chosen) noteUse(shard, this.now)
    // Chosen before the release, told after it: until `decide` has it, a new lease would be taken for it.
    if (shard.chosen > shard.leased) this.overdue = true
    this.activate(shard)
    // What nobody had a use for goes to others; of many campaigns, when it is its turn, or all would go round and round.
    shard.rests = shard.chosen === chosen && (shard.rests || (returned && this.idle.isCrowded))
    if (shard.rests) this.idle.rest(shard, this.now + shard.restMs)
    this.addDue(shard)
  }

  /** Tops nodes up from what is leased and with nobody. Returns micros to lease more, or (negative) to give back. */
  private share(shard: ShardAccount, now: number): number {
    const view = this.view(shard.campaign)
    if (view === null || view.stopped) {
      this.setHungry(shard, false)
      return view === null ? 0 : -unlease(shard)
    }
    if (!turnToDay(shard, view)) {
      this.setHungry(shard, true)
      return 0
    }
    const isIdle = this.isIdle(shard, view, now)
    if (view.starving && isIdle) {
      this.setHungry(shard, false)
      this.judgeScarcity(shard, true)
      shard.quietUntil = now + QUIET_MS
      return -unlease(shard)
    }
    if (view.starving && now < shard.quietUntil) {
      this.setHungry(shard, true)
      return 0
    }
    if (shard.rests) {
      this.setHungry(shard, false)
      return isIdle ? -unlease(shard) : 0
    }
    // Nobody is there: the next node that is heard of has it looked at.
    let hungry = !this.hasNodes
    if (hungry) {
      this.setHungry(shard, true)
      return -unlease(shard)
    }
    const nodes = this.nodesOf(shard)
    const grantable = Math.max(0, view.grantableMicros) * 1000
    const free = grantable + Math.max(0, shard.leased - shard.taken)
    const enough = leastLease(view, free)
    const wanted = leaseSize({
      model: view.model,
      price: view.price,
      least: enough,
      rate: shard.rate / nodes.length,
      free,
      nodes: nodes.length,
    })
    let missing = 0
    let inHandMost = 0
    for (const account of nodes) {
      missing += topUp(account, wanted, enough, this.habits.pushes)
      const unspent = unspentOf(account)
      if (unspent < enough) hungry = true
      inHandMost = Math.max(inHandMost, unspent)
    }
    this.setHungry(shard, hungry)
    const atHand = shard.leased - shard.taken
    this.judgeScarcity(
      shard,
      view.scarce || view.starving || (this.alive.length > 1 && grantable + atHand < wanted),
    )
    if (view.scarce && isIdle && atHand >= 1000) return -unlease(shard)
    // Too little for one more choice is not worth a lease.
    if (missing > 0 && grantable + Math.max(0, atHand) + inHandMost < enough) {
      this.onStarved(shard.campaign)
      // Nobody can use it here, not even the thousandths: elsewhere it may make up a price.
      return -unlease(shard)
    }
    if (missing <= 0) return 0
    const more = Math.ceil(Math.min(missing, grantable) / 1000)
    if (more <= 0 || shard.askedLease) return 0
    shard.askedLease = true
    return more
  }

  /** Whether money lies here that nobody chooses with, while others want it. Else it is looked at when that will be so. */
  private isIdle(shard: ShardAccount, { scarce, starving }: ShardView, now: number): boolean {
    if (shard.leased <= shard.chosen) return false
    const isWanted = scarce || starving
    const idleFrom = shard.usedAt + (starving ? HOARD_MS : UNLEASE_MS)
    if (isWanted && now >= idleFrom) return true
    this.idle.rest(shard, isWanted ? idleFrom : now + shard.restMs)
    return false
  }

  /** Looked for among all that are alive only where something changed: that takes longer than all else of a grant. */
  private nodesOf(shard: ShardAccount): readonly NodeAccount[] {
    const { campaign, turn, spread } = shard
    if (shard.pickedOf !== this.alive || shard.pickedTurn !== turn || shard.pickedSpread !== spread) {
      const picked = nodesFor({ campaign, turn, count: spread }, this.alive)
      shard.picked = picked.map(number => accountOf(shard, this.nodes.get(number)!))
      shard.pickedOf = this.alive
      shard.pickedTurn = turn
      shard.pickedSpread = spread
    }
    return shard.picked
  }

  /** A flag and a list, here and below: a set of 100,000 took half the time of a grant. */
  private addDue(shard: ShardAccount): void {
    if (shard.isDue) return
    shard.isDue = true
    this.due.push(shard)
  }

  private activate(shard: ShardAccount): void {
    if (shard.isActive) return
    shard.isActive = true
    this.active.add(shard)
  }

  private setHungry(shard: ShardAccount, is: boolean): void {
    shard.isHungry = is
    if (!is || shard.isListedHungry) return
    shard.isListedHungry = true
    this.hungry.push(shard)
  }

  private judgeScarcity(shard: ShardAccount, scarce: boolean): void {
    if (scarce === shard.scarce) return
    shard.scarce = scarce
    for (const account of shard.accounts) if (unspentOf(account) > 0) tell(account, false)
  }

  private messages(): LeaseGrant[] {
    const grants: LeaseGrant[] = []
    for (const node of this.nodes.values()) {
      if (node.askSentAt === null && !node.push) continue
      const shards: LeaseGrant['shards'][number][] = []
      for (const account of node.untold) {
        const grant = this.grantOf(account)
        if (grant !== null) shards.push(grant)
      }
      const { askSentAt } = node
      grants.push({
        node: node.number,
        partition: this.partition,
        epoch: this.epoch,
        term: node.term,
        sequence: ++node.sequence,
        askSentAt,
        validMs: LEASE_VALID_MS,
        shards,
      })
      node.askSentAt = null
      node.push = false
    }
    return grants
  }

  private grantOf(account: NodeAccount): LeaseGrant['shards'][number] | null {
    const { shard } = account
    const view = this.view(shard.campaign)
    if (view === null) return null
    return {
      campaign: shard.campaign,
      shard: shard.shard,
      grantedThousandths: account.granted,
      voidThousandths: account.voided,
      pacing: view.pacing,
      stopped: view.stopped,
      scarce: shard.scarce,
      closed: view.closed,
      dayStart: shard.dayStart ?? view.dayStart,
      dayEnd: shard.dayStart === null ? view.dayEnd : shard.dayEnd,
    }
  }

  /**
   * Nodes that were not heard of: what they had in hand may have been chosen with, and is held back as if it was. Then
   * they are forgotten. One that comes back finds itself under a new term, and drops what it had: that is held only as
   * long as what was chosen before it was closed may still cost.
   */
  private closeSilent(now: number): void {
    // We were held up ourselves: asks of that time wait to be read, and nobody was silent.
    const heldUp = now - this.lookedAt - STALL_MS
    this.lookedAt = now
    if (heldUp > 0) for (const node of this.nodes.values()) node.heardAt += heldUp
    let gone = false
    for (const [number, node] of this.nodes) {
      if (now - node.heardAt < LEASE_VALID_MS + CLOSE_SLACK_MS) continue
      gone = true
      this.nodes.delete(number)
      for (const account of node.accounts.values()) {
        const { shard } = account
        closeAccount(account, this.view(shard.campaign))
        this.activate(shard)
        this.addDue(shard)
      }
    }
    if (gone) this.alive = [...this.nodes.keys()]
    if (gone && !this.hasNodes) for (const shard of this.shards.values()) this.addDue(shard)
  }

  /** More nodes while the campaign could spend more than those it has do; fewer as its money runs out. */
  private spreadBusy(shard: ShardAccount): void {
    const busy = Math.ceil(shard.impressionRate / NODE_IMPRESSIONS)
    if (this.alive.length <= 1 || (shard.spread === 1 && busy <= 1)) return
    const view = this.view(shard.campaign)
    if (view === null || view.stopped) return
    this.spreadTo(shard, Math.max(busy, Math.min(shard.spread, affordable(shard, view))))
  }

  private spreadTo(shard: ShardAccount, nodes: number): void {
    const spread = Math.max(1, Math.min(nodes, this.alive.length))
    if (spread !== shard.spread) this.addDue(shard)
    shard.spread = spread
  }

  /** Money lies ready and is not chosen with: more nodes, or others. Returns whether it was so. */
  private tryOther(shard: ShardAccount, now: number): boolean {
    const idleMs = now - shard.usedAt
    shard.rests = false
    this.addDue(shard)
    const view = this.view(shard.campaign)
    if (view === null || view.stopped || this.alive.length <= 1) return false
    const free = freeOf(shard, view)
    if (free < leastLease(view, free)) return false
    const { spread } = shard
    const crowd = Math.floor((CAMPAIGNS_A_NODE * this.alive.length) / this.shards.size)
    this.spreadTo(shard, Math.min(affordable(shard, view), Math.max(spread, Math.min(2 * spread, crowd))))
    if (shard.spread <= spread && spread < this.alive.length && idleMs >= IDLE_MS) shard.turn++
    return true
  }

  private nodeNamed(number: number): LeaseNode {
    let node = this.nodes.get(number)
    if (node === undefined) {
      node = {
        number,
        term: ++this.terms,
        heardAt: 0,
        askSentAt: null,
        sequence: 0,
        accounts: new Map(),
        untold: [],
        push: false,
      }
      this.nodes.set(number, node)
      this.alive = [...this.nodes.keys()]
      this.wakeHungry()
    }
    return node
  }

  private shardOf(campaign: number, number: number): ShardAccount {
    let shard = this.shards.get(campaign)
    if (shard === undefined) {
      shard = newShardAccount(campaign, number)
      this.shards.set(campaign, shard)
    }
    return shard
  }
}
