import { applyGrant, refundCharge, returnSurplus } from '../../src/budgets/far-parent.ts'
import { DRAIN_MS } from '../../src/budgets/lease-time.ts'
import { unspent } from '../../src/budgets/link.ts'
import {
  dayAt,
  endLease,
  openEpoch,
  releaseLeases,
  reportChosen,
  type Shard,
  settleClick,
  settleImpression,
  spend,
  unitPrice,
  unlease,
} from '../../src/budgets/shard.ts'
import type { ShardGrant } from '../../src/budgets/shard-messages.ts'
import type { Habits, ShardView } from '../../src/budgets/shard-view.ts'
import { Treasury } from '../../src/budgets/treasury.ts'
import { returnForWaiting, waitIsOver } from '../../src/budgets/waiting-charges.ts'
import { cpmMicros, impressionCost, micros } from '../../src/core/money.ts'
import type { LeaseAsk, LeaseGrant } from '../../src/ports/treasury-link.ts'
import type { ChosenRecord, LeaseTakenRecord } from '../../src/records/events.ts'
import { giveHoldsBack, leaseFor, settledAt } from './breakages.ts'
import { CRASH_KINDS, type CrashStep, storeFaults } from './faults.ts'
import { type Held, LOOK_MS, newHeld, priceOf } from './held.ts'
import { HomeLink, LAPSE_MS } from './home-link.ts'
import { keyOf, type TrackedEvent } from './impression.ts'
import { Ledger } from './ledger.ts'
import type { FromHome } from './messages.ts'
import { SeenKeys } from './seen-keys.ts'
import { viewOf } from './shard-views.ts'
import type { LoggingWorker, Surroundings } from './surroundings.ts'
import { haunt } from './zombie.ts'

/** From an append to its decision: the flush, and the batch. */
const COMMIT_MS = 12
const SLOW_COMMIT_MS = 3000
/** From the first that a treasury has to answer or hand out to its round: all that comes meanwhile is in it. */
const ROUND_MS = 50
const SECOND_MS = 1000
/** Money comes free with messages and lapsing holds, and is told of then. */
const FLEET: Habits = { hungryMs: 10_000, pushes: false }
const RESTART_MS = 2000
const RETRY_MS = 500
const DRAIN_SLOWER = 30
type LogRecord =
  | { readonly kind: 'event'; readonly event: TrackedEvent; readonly acknowledge: () => void }
  | { readonly kind: 'leases'; readonly record: LeaseTakenRecord }
  | { readonly kind: 'chosen'; readonly record: ChosenRecord }
  | { readonly kind: 'epoch'; readonly epoch: number }

/** A worker of a region, one partition of its log: the production shard machine and treasury, around them a log that crashes. */
export class Worker implements LoggingWorker {
  readonly kind = 'worker'
  readonly held = new Map<number, Held>()
  /** Decided events, by serial and kind: the bits of the design. */
  private readonly seen = new SeenKeys()
  private readonly ledger = new Ledger()
  private log: LogRecord[] = []
  private committing = false
  private treasury: Treasury
  private epoch = 1
  private hasNodes = false
  up = true
  private generation = 0
  private dying: { readonly step: CrashStep; readonly zombie: boolean } | null = null
  /** The generation whose round is scheduled; -1 where none is. */
  private rounding = -1
  private readonly home: HomeLink

  constructor(
    private readonly world: Surroundings,
    readonly region: number,
    readonly index: number,
    readonly shardNumber: number,
  ) {
    this.treasury = this.newTreasury()
    this.home = new HomeLink(world, this, held => this.sweep(held))
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
    this.roundSoon()
  }

  /** Grants of the home. */
  onGrants({ sequence, answers, number, grants }: FromHome): void {
    if (!this.up) return
    this.world.auditor.arrived(this, grants)
    this.home.onMessage(answers, number)
    for (const grant of grants) this.take(grant, sequence, answers === 0)
  }

  private take(grant: ShardGrant, sequence: number, isPush: boolean): void {
    const { now } = this.world.events
    const held = this.heldOf(grant.campaign)
    const { parent, shard } = held
    const { fence, incarnation, stopped, scarce } = parent
    const day = shard.days.at(-1)
    const granted = grantedTo(shard)
    const { reversed } = applyGrant(parent, shard, grant, now)
    const isMore = parent.fence > fence || grantedTo(shard) > granted
    for (const of of reversed) this.reverse(held, of)
    // What is no total (stopped, scarce) may be older than what is known: asked for again.
    const isLate = sequence < held.sequence
    held.sequence = Math.max(held.sequence, sequence)
    if (isLate || parent.fence !== fence || parent.incarnation !== incarnation || reversed.length > 0) {
      held.changed = true
    }
    this.settleWaiting(held)
    // Somebody waits for what is not needed here, or for what is held. That is said whether there is any or not.
    const returned = (grant.scarce && returnSurplus(parent, shard, now)) || returnForWaiting(shard, grant)
    if (returned || (isPush && grant.days.some(({ shortMicros }) => shortMicros > 0)))
      this.home.tellSoon(held)
    if (parent.fence > fence) this.release(held, null)
    if (parent.stopped && !stopped) {
      releaseLeases(shard, now)
      this.release(held, null)
    }
    this.judge(held)
    if (grant.waitMs > 0) {
      held.asksAt = now + Math.max(LOOK_MS, grant.waitMs)
      this.home.lookBy(held, held.asksAt)
    }
    if (isMore) {
      held.askMs = LOOK_MS
      this.treasury.lookAt(grant.campaign)
      this.roundSoon()
    }
    const isNews =
      isMore || parent.stopped !== stopped || parent.scarce !== scarce || shard.days.at(-1) !== day
    if (held.changed || isNews) this.home.touch(held)
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
    this.roundSoon()
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
    this.home.touch(held)
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
    this.roundSoon()
    every(SECOND_MS, () => this.second())
  }

  private newTreasury(): Treasury {
    return new Treasury(this.index, this.epoch, campaign => this.viewOf(campaign), undefined, FLEET)
  }

  private roundSoon(): void {
    if (this.rounding === this.generation) return
    const mine = this.generation
    this.rounding = mine
    this.world.events.after(ROUND_MS, () => {
      if (mine !== this.generation) return
      this.rounding = -1
      this.round(this.treasury)
    })
  }

  private round(treasury: Treasury): void {
    if (treasury.overdue) this.tellChosen()
    const { leases, grants } = treasury.round(this.world.events.now)
    if (leases !== null) this.write({ kind: 'leases', record: leases })
    for (const grant of grants) this.grantNode(treasury, grant)
  }

  private grantNode(treasury: Treasury, grant: LeaseGrant): void {
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

  /** Looks at the campaigns that are due, and tells the home what is new of them. */
  private second(): void {
    this.tellChosen()
    this.noteNodes()
    this.home.turn()
  }

  /** Money that nobody is there to choose with is not wanted, and what there is of it goes back. */
  private noteNodes(): void {
    const { hasNodes } = this.treasury
    if (hasNodes === this.hasNodes) return
    this.hasNodes = hasNodes
    for (const held of this.held.values()) {
      held.parent.hasNodes = hasNodes
      this.home.touch(held)
    }
    this.roundSoon()
  }

  private release(held: Held, thousandths: number | null): void {
    this.treasury.onReleased(held.facts.number, thousandths)
    this.treasury.lookAt(held.facts.number)
    this.roundSoon()
  }

  private tellChosen(): void {
    const chosen = this.treasury.chosenSince(this.world.events.now)
    if (chosen !== null) this.write({ kind: 'chosen', record: chosen })
  }

  /** What time does to a campaign: days end, waits are over, holds lapse. */
  private sweep(held: Held): void {
    this.treasury.lookAt(held.facts.number)
    if (this.world.breakage === 'holds-given-back') giveHoldsBack(held.shard)
    const { now } = this.world.events
    for (const day of held.shard.days) {
      const ended = endLease(held.shard, day, now)
      if (ended > 0) this.release(held, ended)
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
    // From here on it is to be charged or refused, whether its node hears that it is kept or sends it again.
    for (const record of batch) if (record.kind === 'event') this.world.auditor.logged(record.event)
    if (this.dies('afterCommit')) return
    for (const record of batch) if (record.kind === 'event') record.acknowledge()
    this.schedule()
  }

  private decide(record: LogRecord): void {
    switch (record.kind) {
      case 'epoch':
        for (const held of this.held.values()) {
          openEpoch(held.shard, record.epoch, this.world.events.now, this.drainMs)
          this.home.touch(held)
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
          this.home.lookBy(held, this.world.events.now + LAPSE_MS)
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
      this.home.touch(held)
      if (day !== null && granted > 0) {
        const { campaign } = lease
        this.world.auditor.leased(this, epoch, { campaign, dayStart: day.start, amountMicros: granted })
      }
      if (epoch === this.epoch) this.treasury.onLeased(lease.campaign, granted)
    }
    this.roundSoon()
  }

  private decideEvent(event: TrackedEvent): void {
    const { impression, kind } = event
    if (!this.seen.add(keyOf(event))) {
      this.world.auditor.repeated(event)
      return
    }
    const billable = (impression.campaign.model === 'cpm') === (kind === 'render')
    if (!billable) return
    const held = this.heldOf(impression.campaign.number)
    if (this.charge(held, event)) return
    held.waiting.push({ event, since: this.world.events.now })
    this.home.touch(held)
    if (held.waiting.length === 1) this.home.tellSoon(held)
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
    this.home.touch(held)
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
    this.treasury.wake(held.facts.number, held.parent.stopped)
    this.roundSoon()
  }

  private giveAway(event: TrackedEvent): void {
    this.world.auditor.gaveAway(event, priceOf(event))
  }

  private viewOf(campaign: number): ShardView | null {
    const held = this.held.get(campaign)
    return held === undefined ? null : viewOf(held, this.world)
  }

  private heldOf(campaign: number): Held {
    let held = this.held.get(campaign)
    if (held === undefined) {
      const facts = this.world.campaigns.get(campaign)!
      held = newHeld(facts, this.shardNumber, this.world.events.now)
      held.parent.hasNodes = this.hasNodes
      this.held.set(campaign, held)
    }
    return held
  }
}

function grantedTo({ days }: Shard): number {
  let granted = 0
  for (const { link } of days) granted += link.granted
  return granted
}
