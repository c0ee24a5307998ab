import {
  applyGrant,
  type FarParent,
  hasUnsettled,
  newFarParent,
  observeSpend,
  refundCharge,
  reportOf,
  returnSurplus,
  waitIsOver,
  wantedOf,
} from '../../src/budgets/far-parent.ts'
import { DRAIN_MS } from '../../src/budgets/lease-time.ts'
import { unspent } from '../../src/budgets/link.ts'
import {
  dayAt,
  endLease,
  newShard,
  openEpoch,
  releaseLeases,
  reportChosen,
  reserveTarget,
  type Shard,
  type ShardDay,
  settleClick,
  settleImpression,
  spend,
  unitPrice,
  unlease,
} from '../../src/budgets/shard.ts'
import type { ShardGrant } from '../../src/budgets/shard-messages.ts'
import { type ShardView, Treasury } from '../../src/budgets/treasury.ts'
import { cpmMicros, impressionCost, micros } from '../../src/core/money.ts'
import type { LeaseAsk } from '../../src/ports/treasury-link.ts'
import type { ChosenRecord, LeaseTakenRecord } from '../../src/records/events.ts'
import { freeWithoutHolds, leaseFor, settledAt } from './breakages.ts'
import { CRASH_KINDS, type CrashStep, storeFaults } from './faults.ts'
import { Ledger } from './ledger.ts'
import type { CampaignFacts } from './market.ts'
import type { Place } from './network.ts'
import type { Node, TrackedEvent } from './node.ts'
import type { World } from './world.ts'
import { haunt } from './zombie.ts'

/** From an append to its decision: the flush, and the batch. */
const COMMIT_MS = 12
const SLOW_COMMIT_MS = 3000
const ROUND_MS = 100
const SECOND_MS = 1000
const RESTART_MS = 2000
const RETRY_MS = 500
const DRAIN_SLOWER = 30

type LogRecord =
  | { readonly kind: 'event'; readonly event: TrackedEvent; readonly acknowledge: () => void }
  | { readonly kind: 'leases'; readonly record: LeaseTakenRecord }
  | { readonly kind: 'chosen'; readonly record: ChosenRecord }
  | { readonly kind: 'epoch'; readonly epoch: number }

/** What a worker keeps of one campaign: the production shard, and its link to the campaign's home. */
export interface Held {
  readonly facts: CampaignFacts
  readonly shard: Shard
  readonly parent: FarParent
  readonly waiting: { readonly event: TrackedEvent; readonly since: number }[]
  /** Charged and leased in this second: micros. */
  spent: number
  /** Its nodes were told to stop: by the home, or because nothing is left that pays for an event. */
  stopped: boolean
  /** Something changed that the home has not been told. */
  changed: boolean
  told: number
}

/** A worker of a region, one partition of its log: the production shard machine and treasury, around them a log that crashes. */
export class Worker implements Place {
  readonly kind = 'worker'
  readonly held = new Map<number, Held>()
  /** Decided events, by serial and kind: the bits of the design. */
  private readonly seen = new Set<number>()
  private readonly ledger = new Ledger()
  private log: LogRecord[] = []
  private committing = false
  private treasury: Treasury
  private epoch = 1
  private up = true
  private generation = 0
  private dying: { readonly step: CrashStep; readonly zombie: boolean } | null = null

  constructor(
    private readonly world: World,
    readonly region: number,
    readonly index: number,
    readonly shardNumber: number,
  ) {
    this.treasury = this.newTreasury()
    this.begin()
  }

  /** Appends an event: acknowledged once it is on disk, decided with its batch. */
  append(event: TrackedEvent, acknowledge: () => void): void {
    if (this.up) this.write({ kind: 'event', event, acknowledge })
  }

  onAsk(ask: LeaseAsk): void {
    if (!this.up) return
    this.world.auditor.asked(ask)
    this.treasury.onAsk(ask, this.world.events.now)
  }

  /** A grant of the campaign. */
  onGrants(grants: readonly ShardGrant[]): void {
    if (!this.up) return
    this.world.auditor.arrived(this, grants)
    for (const grant of grants) {
      const held = this.heldOf(grant.campaign)
      const stoppedBefore = held.parent.stopped
      const { fence } = held.parent
      const { reversed } = applyGrant(held.parent, held.shard, grant, this.world.events.now)
      for (const of of reversed) this.reverse(held, of)
      held.changed = true
      this.settleWaiting(held)
      // Somebody waits for what is not needed here.
      if (grant.scarce && returnSurplus(held.parent, held.shard, this.world.events.now)) this.askNow(held)
      if (held.parent.fence > fence) this.treasury.onReleased(grant.campaign, null)
      if (held.parent.stopped && !stoppedBefore) {
        releaseLeases(held.shard, this.world.events.now)
        this.treasury.onReleased(grant.campaign, null)
      }
      this.judge(held)
    }
  }

  /** To die at a step of its next commit, or its treasury at once. */
  crash(step: CrashStep, zombie: boolean): void {
    if (!this.up) return
    if (step !== 'treasury') this.dying = { step, zombie }
    if (step !== 'treasury') return
    this.world.faults.treasuryCrashed++
    if (zombie) this.leaveZombie()
    this.openTreasury()
    this.log.push({ kind: 'epoch', epoch: this.epoch })
    this.schedule()
  }

  /** Whether this is the step that it dies at: what is on disk and not decided is decided after the restart. */
  private dies(step: CrashStep): boolean {
    if (this.dying?.step !== step) return false
    const { zombie } = this.dying
    this.dying = null
    this.world.faults[CRASH_KINDS[step]]++
    this.up = false
    this.generation++
    // Nobody was told that they are kept: nodes send their events again.
    if (step === 'unflushed') this.log = this.log.filter(({ kind }) => kind === 'epoch')
    if (this.world.breakage === 'decisions-forgotten') this.seen.clear()
    if (zombie) this.leaveZombie()
    this.world.events.after(RESTART_MS, () => {
      this.up = true
      this.openTreasury()
      this.log.unshift({ kind: 'epoch', epoch: this.epoch })
      this.committing = false
      this.schedule()
      this.begin()
    })
    return true
  }

  private leaveZombie(): void {
    const old = this.treasury
    haunt(this.world, this, old, grant => this.grantNode(old, grant))
  }

  private openTreasury(): void {
    this.epoch++
    this.treasury = this.newTreasury()
    for (const campaign of this.held.keys()) this.treasury.wake(campaign)
  }

  /** What the home has granted of a day, as far as it is known here. */
  grantedOn(campaign: number, start: number): number {
    return this.held.get(campaign)?.shard.days.find(known => known.start === start)?.link.granted ?? 0
  }

  /** Gives the money of a charge back, if there is one and it was not given back before. */
  refund(serial: number): void {
    const charge = this.ledger.of(serial)
    if (charge === undefined || charge.back === charge.amount) return
    const { campaign, fence, start } = charge
    const held = this.held.get(campaign)!
    const amount = micros(charge.amount - charge.back)
    if (!refundCharge(held.parent, held.shard, { fence, start, amount })) return
    if (this.world.breakage !== 'refund-twice') charge.back = charge.amount
    held.changed = true
    this.world.auditor.refunded(this, { serial, fence, start, amount })
  }

  /** What the home does not honour of the charges under an older fence. */
  private reverse(held: Held, of: { fence: number; start: number; amountMicros: number }): void {
    const campaign = held.facts.number
    for (const taken of this.ledger.takeBack({ campaign, ...of }, of.amountMicros)) {
      this.world.auditor.reversed(this, { ...taken, fence: of.fence, start: of.start })
    }
  }

  private begin(): void {
    const mine = this.generation
    const every = (ms: number, run: () => void) => {
      const turn = () => {
        if (mine !== this.generation) return
        run()
        // After the last request only holds lapse and late clicks come.
        this.world.events.after(this.world.isDraining ? ms * DRAIN_SLOWER : ms, turn)
      }
      this.world.events.after(ms * this.world.random.next(), turn)
    }
    every(ROUND_MS, () => this.round(this.treasury))
    every(SECOND_MS, () => this.second())
  }

  private newTreasury(): Treasury {
    return new Treasury(this.index, this.epoch, campaign => this.viewOf(campaign))
  }

  private round(treasury: Treasury): void {
    if (treasury.overdue) this.tellChosen()
    const { leases, grants } = treasury.round(this.world.events.now)
    if (leases !== null) this.write({ kind: 'leases', record: leases })
    for (const grant of grants) this.grantNode(treasury, grant)
  }

  private grantNode(treasury: Treasury, grant: Parameters<Node['onGrant']>[0]): void {
    const { world } = this
    const node = world.nodeOf(grant.node)
    world.auditor.granted(this, treasury.epoch, grant)
    if (node === undefined) return
    world.leaseMessages++
    world.network.send(this, node, () => {
      if (node.alive && !node.cutOff) world.auditor.heard(node, grant)
      node.onGrant(grant)
    })
  }

  private second(): void {
    this.tellChosen()
    const { now } = this.world.events
    const reports = []
    for (const held of this.held.values()) {
      const { parent, shard } = held
      observeSpend(parent, held.spent, 1)
      held.spent = 0
      this.sweep(held)
      if (returnSurplus(parent, shard, now)) held.changed = true
      const wanted = wantedOf(parent, shard, now, shortBy(held))
      const wants = wanted.some(({ start, micros: amount, shortMicros }) => {
        const day = shard.days.find(known => known.start === start)!
        return shortMicros > 0 || amount > unspent(day.link) * 1.1
      })
      // What is known already is told now and then all the same: a message may have been lost.
      const due = held.changed || wants || hasUnsettled(parent) || now - held.told > 10_000
      if (!due) continue
      held.changed = false
      held.told = now
      reports.push(reportOf(parent, shard, wanted))
    }
    if (reports.length > 0) this.world.toHome(this, reports)
  }

  /** A charge that waits is not to wait for the next second. */
  private askNow(held: Held): void {
    const wanted = wantedOf(held.parent, held.shard, this.world.events.now, shortBy(held))
    this.world.toHome(this, [reportOf(held.parent, held.shard, wanted)])
  }

  private tellChosen(): void {
    const chosen = this.treasury.chosenSince(this.world.events.now)
    if (chosen !== null) this.write({ kind: 'chosen', record: chosen })
  }

  private sweep(held: Held): void {
    const { now } = this.world.events
    for (const day of held.shard.days) {
      const ended = endLease(held.shard, day, now)
      if (ended > 0) this.treasury.onReleased(held.facts.number, ended)
    }
    for (let i = held.waiting.length - 1; i >= 0; i--) {
      const { event, since } = held.waiting[i]!
      if (!waitIsOver(held.parent, since, now)) continue
      held.waiting.splice(i, 1)
      if (this.world.breakage !== 'waiting-forgotten') this.giveAway(event)
    }
  }

  private write(record: LogRecord): void {
    this.log.push(record)
    this.schedule()
  }

  private schedule(): void {
    if (this.committing || this.log.length === 0) return
    this.committing = true
    const { world } = this
    const { slow, fails } = storeFaults(world)
    const mine = this.generation
    world.events.after(slow ? SLOW_COMMIT_MS : COMMIT_MS, () => {
      if (mine !== this.generation || this.dies('unflushed') || this.dies('beforeCommit')) return
      if (!fails) {
        this.commit()
        return
      }
      // Nothing is kept of the batch: it is decided anew.
      world.events.after(RETRY_MS, () => {
        if (mine === this.generation) this.commit()
      })
    })
  }

  private commit(): void {
    this.committing = false
    const batch = this.log
    this.log = []
    for (const record of batch) this.decide(record)
    if (this.dies('afterCommit')) return
    for (const record of batch) {
      if (record.kind !== 'event') continue
      this.world.auditor.acknowledged(record.event)
      record.acknowledge()
    }
    this.schedule()
  }

  private decide(record: LogRecord): void {
    switch (record.kind) {
      case 'epoch':
        for (const { shard } of this.held.values()) {
          openEpoch(shard, record.epoch, this.world.events.now, this.drainMs)
        }
        return
      case 'leases':
        this.decideLeases(record.record)
        return
      case 'chosen':
        for (const said of record.record.shards) {
          const held = this.heldOf(said.campaign)
          const day = dayAt(held.shard, this.world.events.now) ?? held.shard.days.at(-1)
          if (day === undefined) continue
          reportChosen(held.shard, day, { epoch: record.record.epoch, ...said }, this.world.events.now)
        }
        return
      case 'event':
        this.decideEvent(record.event)
    }
  }

  /** For how long nodes of an older epoch may choose. */
  private get drainMs(): number {
    return this.world.breakage === 'close-at-once' ? 0 : DRAIN_MS
  }

  private decideLeases({ epoch, leases }: LeaseTakenRecord): void {
    const { now } = this.world.events
    for (const lease of leases) {
      const held = this.heldOf(lease.campaign)
      const day = dayAt(held.shard, now)
      let granted = 0
      if (day !== null && epoch === this.epoch && lease.amountMicros < 0)
        unlease(day, Math.round(-lease.amountMicros * 1000))
      else if (day !== null && epoch === this.epoch && !held.parent.stopped) {
        if (held.shard.epoch !== epoch) openEpoch(held.shard, epoch, now, this.drainMs)
        granted = leaseFor(held.shard, day, lease.amountMicros, now, this.world.breakage)
        held.spent += granted
      }
      if (day !== null && granted > 0) {
        const { campaign } = lease
        this.world.auditor.leased(this, epoch, { campaign, dayStart: day.start, amountMicros: granted })
      }
      if (epoch === this.epoch) this.treasury.onLeased(lease.campaign, granted)
    }
  }

  private decideEvent(event: TrackedEvent): void {
    const { impression, kind } = event
    const key = impression.serial * 2 + (kind === 'click' ? 1 : 0)
    if (this.seen.has(key)) {
      this.world.auditor.repeated(event)
      return
    }
    this.seen.add(key)
    const billable = (impression.campaign.model === 'cpm') === (kind === 'render')
    if (!billable) return
    const held = this.heldOf(impression.campaign.number)
    if (this.charge(held, event)) return
    held.waiting.push({ event, since: this.world.events.now })
    if (held.waiting.length === 1) this.askNow(held)
  }

  private charge(held: Held, event: TrackedEvent): boolean {
    const { campaign, chosenAt } = event.impression
    const { shard } = held
    const at = this.world.breakage === 'day-of-click' ? this.world.events.now : chosenAt
    const day = dayAt(shard, at) ?? shard.days.at(-1)
    if (day === undefined) return false
    const amount =
      campaign.model === 'cpc'
        ? micros(campaign.amount)
        : impressionCost(cpmMicros(campaign.amount), shard.remainder).cost
    if (!spend(day, amount)) return false
    if (campaign.model === 'cpc') settleClick(shard, amount)
    else
      settleImpression(shard, day, cpmMicros(campaign.amount), {
        chosenAt,
        now: settledAt(chosenAt, this.world),
      })
    held.changed = true
    this.judge(held)
    const { fence } = held.parent
    const { serial } = event.impression
    this.ledger.note({ serial, campaign: campaign.number, fence, start: day.start, amount })
    this.world.auditor.charged(this, event, { fence, dayStart: day.start, amount })
    return true
  }

  private settleWaiting(held: Held): void {
    while (held.waiting.length > 0 && this.charge(held, held.waiting[0]!.event)) held.waiting.shift()
  }

  /** Nodes hear at once where there is nothing more to choose with, and where there is again. */
  private judge(held: Held): void {
    const day = dayAt(held.shard, this.world.events.now)
    const stopped = held.parent.stopped || day === null || unspent(day.link) < unitPrice(held.shard)
    if (stopped === held.stopped) return
    held.stopped = stopped
    this.treasury.wake(held.facts.number)
  }

  private giveAway(event: TrackedEvent): void {
    this.world.auditor.gaveAway(event, priceOf(event))
  }

  private viewOf(campaign: number): ShardView | null {
    const held = this.held.get(campaign)
    if (held === undefined) return null
    const { shard, parent, facts } = held
    const day = dayAt(shard, this.world.events.now)
    const view = {
      model: shard.model,
      price: shard.model === 'cpc' ? facts.amount * 1000 : facts.amount,
      stopped: held.stopped,
      scarce: parent.scarce,
      starving: false,
      pacing: parent.pacing,
      closed: false,
      shard: this.shardNumber,
    }
    if (day === null)
      return { ...view, grantableMicros: 0, dayStart: this.world.start, dayEnd: Number.POSITIVE_INFINITY }
    const { start: dayStart, end: dayEnd } = day
    return { ...view, grantableMicros: this.grantable(held, day), dayStart, dayEnd }
  }

  private grantable({ shard }: Held, day: ShardDay): number {
    if (unspent(day.link) < unitPrice(shard)) return 0
    if (this.world.breakage === 'holds-forgotten') return freeWithoutHolds(day)
    return Math.max(0, unspent(day.link) - reserveTarget(shard, day, this.world.events.now))
  }

  private heldOf(campaign: number): Held {
    let held = this.held.get(campaign)
    if (held === undefined) {
      const facts = this.world.campaigns.get(campaign)!
      held = {
        facts,
        shard: newShard({ model: facts.model, amount: facts.amount }),
        parent: newFarParent(campaign, this.shardNumber),
        waiting: [],
        spent: 0,
        stopped: false,
        changed: true,
        told: Number.NEGATIVE_INFINITY,
      }
      this.held.set(campaign, held)
    }
    return held
  }
}

/** What waiting charges are short of, by the start of their day. */
function shortBy({ shard, waiting }: Held): Map<number, number> {
  const short = new Map<number, number>()
  for (const { event } of waiting) {
    const day = dayAt(shard, event.impression.chosenAt) ?? shard.days.at(-1)
    if (day !== undefined) short.set(day.start, (short.get(day.start) ?? 0) + priceOf(event))
  }
  return short
}

function priceOf({ impression: { campaign } }: TrackedEvent): number {
  return campaign.model === 'cpc' ? campaign.amount : Math.ceil(campaign.amount / 1000)
}
