import type { ShardGrant, ShardReport } from '../../../src/budgets/shard-messages.ts'
import type { LeaseAsk, LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { AdvertiserFacts, CampaignFacts } from '../market.ts'
import type { Node, TrackedEvent } from '../node.ts'
import type { Worker } from '../worker.ts'
import { ChargeBook, type GivenBack } from './charge-book.ts'
import { LeaseBook } from './lease-book.ts'

/** A charge, as its worker made it: micros. */
export interface Charged {
  readonly fence: number
  readonly dayStart: number
  readonly amount: number
}

/**
 * Recomputes all money by itself: from what nodes chose, what workers charged and what messages said. It shares no code
 * with the protocol and reads none of its state. It stops at the first breach. One book is of leases, the other of
 * charges; what happens is told here, and goes into both.
 */
export class Auditor {
  readonly leases: LeaseBook
  readonly money: ChargeBook

  constructor(
    advertisers: readonly AdvertiserFacts[],
    now: () => number,
    exactDays: boolean,
    /** Since when a node and its region have been in touch with the others; null where they are not. */
    connectedSince: (node: Node) => number | null,
  ) {
    this.leases = new LeaseBook(now)
    this.money = new ChargeBook(advertisers, now, exactDays, connectedSince)
  }

  /** The latest that concerned what is watched. */
  history(): readonly string[] {
    return []
  }

  /** A node chose. */
  chosen(node: Node, lease: { campaign: number; partition: number }, cost: number): void {
    this.leases.chosen(node, lease, cost)
    this.money.chosen(node, lease.campaign, cost)
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
  granted(worker: Worker, epoch: number, grant: LeaseGrant): void {
    this.leases.granted(worker, epoch, grant)
  }

  /** That reached a node. */
  heard(node: Node, grant: LeaseGrant): void {
    this.leases.heard(node, grant)
  }

  /** A worker decided that its treasury has more to hand out, or (negative) less. */
  leased(worker: Worker, epoch: number, campaign: number, amountMicros: number): void {
    this.leases.leased(worker, epoch, campaign, amountMicros)
    if (amountMicros <= 0) return
    this.money.checkLeased(worker, campaign, amountMicros, () => this.leases.inHand(worker, epoch, campaign))
  }

  /** The home grants. */
  told(worker: Worker, grants: readonly ShardGrant[]): void {
    this.money.told(worker, grants)
  }

  /** Grants reached a worker. */
  arrived(worker: Worker, grants: readonly ShardGrant[]): void {
    this.money.arrived(worker, grants)
  }

  /** A worker tells the home. */
  said(worker: Worker, reports: readonly ShardReport[]): void {
    this.money.said(worker, reports)
  }

  /** That reached the home. */
  reported(worker: Worker, report: ShardReport): void {
    this.money.reported(worker, report)
  }

  charged(worker: Worker, event: TrackedEvent, charge: Charged): void {
    this.money.charged(worker, event, charge)
  }

  refunded(worker: Worker, back: GivenBack): void {
    this.money.refunded(worker, back)
  }

  /** A charge that the home does not honour. */
  reversed(worker: Worker, back: GivenBack): void {
    this.money.reversed(worker, back)
  }

  /** The home has given a worker up. */
  fenced(worker: Worker, campaign: number): void {
    this.money.fenced(worker, campaign)
  }

  /** The home says what stands of what was charged under an older fence. */
  honoured(
    report: { readonly campaign: number; readonly shard: number },
    said: { readonly fence: number; readonly start: number; readonly charged: number },
  ): void {
    this.money.honoured(report, said)
  }

  gaveAway(facts: CampaignFacts, amount: number): void {
    this.money.gaveAway(facts, amount)
  }

  repeated(event: TrackedEvent): void {
    this.money.repeated(event)
  }

  paused(campaign: number, is: boolean): void {
    this.money.paused(campaign, is)
  }

  capChanged(facts: CampaignFacts, cap: number): void {
    this.money.capChanged(facts, cap)
  }
}
