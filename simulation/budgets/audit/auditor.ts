import type { ShardGrant, ShardReport } from '../../../src/budgets/shard-messages.ts'
import type { LeaseAsk, LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { Impression, TrackedEvent } from '../impression.ts'
import type { AdvertiserFacts, CampaignFacts } from '../market.ts'
import type { NodePlace, WorkerPlace } from '../places.ts'
import { ChargeBook, type GivenBack, type Moved } from './charge-book.ts'
import type { Reach } from './days.ts'
import { EventBook } from './event-book.ts'
import { HoldBook } from './hold-book.ts'
import { LeaseBook } from './lease-book.ts'

/** A charge, as its worker made it: micros. */
export interface Charged {
  readonly fence: number
  readonly dayStart: number
  readonly amount: number
}

/** That a charge does not wait any more is told within this, whatever is lost. */
const WAITED_MS = 5000

/**
 * Recomputes all money by itself: from what nodes chose, what workers charged and what messages said. It shares no code
 * with the protocol and reads none of its state. It stops at the first breach. Its books are of leases, of holds, of
 * events and of charges; what happens is told here, and goes into those that it concerns.
 */
export class Auditor {
  readonly leases: LeaseBook
  readonly holds: HoldBook
  readonly events: EventBook
  readonly money: ChargeBook

  constructor(
    advertisers: readonly AdvertiserFacts[],
    now: () => number,
    exactDays: boolean,
    reachOf: (node: NodePlace) => Reach,
  ) {
    this.leases = new LeaseBook(now)
    this.holds = new HoldBook(now)
    this.events = new EventBook(now)
    this.money = new ChargeBook(advertisers, now, exactDays, reachOf)
  }

  /** The latest that concerned what is watched. */
  history(): readonly string[] {
    return []
  }

  /** A node chose what may cost so many thousandths of a micro. */
  chosen(
    node: NodePlace,
    lease: { campaign: number; partition: number },
    impression: Impression,
    cost: number,
  ): void {
    this.leases.chosen(node, lease, cost)
    const dayStart = this.money.chosen(node, impression, cost)
    this.holds.chosen(impression, cost, dayStart)
  }

  /** A node sends an ask. */
  sent(ask: LeaseAsk): void {
    this.leases.sent(ask)
  }

  /** An ask reached a treasury. */
  asked(ask: LeaseAsk): void {
    this.leases.asked(ask)
  }

  /** A treasury hands out. */
  granted(worker: WorkerPlace, epoch: number, grant: LeaseGrant): void {
    this.leases.granted(worker, epoch, grant)
  }

  /** That reached a node. */
  heard(node: NodePlace, grant: LeaseGrant): void {
    this.leases.heard(node, grant)
  }

  /** A worker decided that its treasury has more to hand out of a day. */
  leased(worker: WorkerPlace, epoch: number, lease: Moved): void {
    this.checkCovered(worker, lease, 'treasury')
    this.leases.leased(worker, epoch, lease)
  }

  /** The home grants. */
  told(worker: WorkerPlace, grants: readonly ShardGrant[]): void {
    this.money.told(worker, grants)
  }

  /** Grants reached a worker. */
  arrived(worker: WorkerPlace, grants: readonly ShardGrant[]): void {
    for (const campaign of this.money.arrived(worker, grants)) this.leases.voided(worker, campaign)
  }

  /** A worker tells the home. */
  said(worker: WorkerPlace, reports: readonly ShardReport[]): void {
    for (const of of this.money.said(worker, reports)) this.checkCovered(worker, of, 'home')
  }

  /** That reached the home. */
  reported(worker: WorkerPlace, report: ShardReport): void {
    this.money.reported(worker, report)
  }

  /** An event is on disk and decided, whether its node hears of that or not. */
  logged(event: TrackedEvent): void {
    this.events.logged(event)
  }

  charged(worker: WorkerPlace, event: TrackedEvent, charge: Charged): void {
    this.events.charged(event)
    this.holds.charged(event.impression.serial)
    this.money.charged(worker, event, charge)
  }

  refunded(worker: WorkerPlace, back: GivenBack): void {
    this.money.refunded(worker, back)
  }

  /** A charge that the home does not honour. */
  reversed(worker: WorkerPlace, back: GivenBack): void {
    this.money.reversed(worker, back)
  }

  /** The home has given a worker up. */
  fenced(worker: WorkerPlace, campaign: number): void {
    this.money.fenced(worker, campaign)
  }

  /** The home says what stands of what was charged under an older fence. */
  honoured(
    report: { readonly campaign: number; readonly shard: number },
    said: { readonly fence: number; readonly start: number; readonly charged: number },
  ): void {
    this.money.honoured(report, said)
  }

  /** An event is not charged: there is no money for it. */
  gaveAway(event: TrackedEvent, amount: number): void {
    this.events.gaveAway(event)
    this.money.gaveAway(event.impression.campaign, amount)
  }

  /** An event came again. */
  repeated(_event: TrackedEvent): void {
    this.events.repeated()
  }

  paused(campaign: number, is: boolean): void {
    this.money.paused(campaign, is)
  }

  capChanged(facts: CampaignFacts, cap: number): void {
    this.money.capChanged(facts, cap)
  }

  /** When all was told and every hold has lapsed. */
  checkDrained(workers: readonly WorkerPlace[]): void {
    this.events.checkDrained()
    for (const worker of workers) this.money.checkDrained(worker)
  }

  /** What is held for clicks that may come goes back for one that has come, to any shard, and waits for money there. */
  private checkCovered(worker: WorkerPlace, of: Moved, to: 'home' | 'treasury'): void {
    this.money.checkCovered(worker, of, to, () => ({
      inHand: this.leases.inHand(worker, of.campaign),
      held:
        to === 'home' && this.events.hasWaited(of.campaign, WAITED_MS)
          ? 0
          : this.holds.held(this.money.books.get(of.campaign)!.facts, worker.shardNumber, of.dayStart),
    }))
  }
}
