import { type Micros, micros } from '../core/money.ts'

/**
 * An advertiser's money: the top of the tiers. `balance` is what the ledger's account `advertiser:ID` holds: deposits
 * less charges, refunds counted back in. `reserved` is what is out below and not charged yet (leases and holds).
 * Invariant, at every commit: reserved <= balance + credit, or the commit does not raise `reserved`.
 */
export interface Balance {
  balance: Micros
  credit: Micros
  reserved: Micros
  /**
   * By shard, how often its region was given up, of all campaigns alike: what it says under a lower fence is late. Numbers
   * are never used again, so that a restored parent's are above all that may have been raised before.
   */
  fences?: Record<number, number>
  /** Raised with each restore from a backup. */
  incarnation?: number
  /**
   * Restored from a backup: campaigns that have yet to hear from all of their shards, and those that have yet to take in
   * what they heard. Until there are none nothing is granted.
   */
  awaiting?: number
  untaken?: number
}

export function newBalance(credit: number): Balance {
  return { balance: micros(0), credit: micros(credit), reserved: micros(0) }
}

/** It was restored, and does not know yet what had been granted. */
export function isUndecided(balance: Balance): boolean {
  return (balance.awaiting ?? 0) > 0 || (balance.untaken ?? 0) > 0
}

/** May be negative, after a cut of the credit. */
export function availableMicros(balance: Balance): number {
  return balance.balance + balance.credit - balance.reserved
}
