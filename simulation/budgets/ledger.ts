/** A charge of a worker, and what of it was given back. Micros. */
export interface LedgerCharge {
  readonly serial: number
  readonly campaign: number
  readonly fence: number
  /** The start of its day. */
  readonly start: number
  readonly amount: number
  back: number
}

/** What a worker has charged, by the serial of the impression: a region reverses and refunds charges, not sums. */
export class Ledger {
  private readonly charges = new Map<number, LedgerCharge>()

  note(charge: Omit<LedgerCharge, 'back'>): void {
    this.charges.set(charge.serial, { ...charge, back: 0 })
  }

  of(serial: number): LedgerCharge | undefined {
    return this.charges.get(serial)
  }

  /** Takes back charges of a campaign's day under a fence, the newest first, until they make up the amount. */
  takeBack(
    of: { readonly campaign: number; readonly fence: number; readonly start: number },
    amount: number,
  ): { readonly serial: number; readonly amount: number }[] {
    const taken: { serial: number; amount: number }[] = []
    let missing = amount
    for (const charge of [...this.charges.values()].reverse()) {
      if (missing === 0) break
      const { campaign, fence, start, serial } = charge
      if (campaign !== of.campaign || fence !== of.fence || start !== of.start) continue
      const part = Math.min(missing, charge.amount - charge.back)
      if (part === 0) continue
      charge.back += part
      missing -= part
      taken.push({ serial, amount: part })
    }
    return taken
  }
}
