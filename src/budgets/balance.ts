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
  /** Campaigns that were restored from a backup and have yet to hear what they had granted: until then nothing is. */
  awaiting?: number
}

export function newBalance(credit: number): Balance {
  return { balance: micros(0), credit: micros(credit), reserved: micros(0) }
}

/** May be negative, after a cut of the credit. */
export function availableMicros(balance: Balance): number {
  return balance.balance + balance.credit - balance.reserved
}
