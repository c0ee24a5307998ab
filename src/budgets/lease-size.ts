/**
 * How much one node is leased: min(v*t + z*p*sqrt(v*t/p), a*F/A), at least one price (DESIGN: "Size of a node's lease").
 * Shares shrink geometrically as money runs out. Thousandths of a micro.
 */

/** Spend that a lease covers: two rounds of asks. */
const SPAN_SECONDS = 2
/** Standard deviations of the span's spend that a lease has in hand. */
const DEVIATIONS = 3
/** Share of the free money that the nodes together may be given in one go. */
const SHARE = 0.5
/**
 * A lease is sized for at least so many choices, so that a burst after a quiet time meets money: impressions for cpm;
 * for cpc one click, which covers about a thousand.
 */
const BURST_IMPRESSIONS = 1000
const BURST_CLICKS = 1
/** A share of the free money is not cut below so many impressions: small budgets are spent without waiting. */
const LEAST_IMPRESSIONS = 20

export interface LeaseTerms {
  readonly model: 'cpc' | 'cpm'
  /** What one billable event costs. */
  readonly price: number
  /** With less nothing can be done. */
  readonly least: number
  /** What the node spends a second, observed. */
  readonly rate: number
  /** What could be leased now. */
  readonly free: number
  readonly nodes: number
}

export function leaseSize({ model, price, least, rate, free, nodes }: LeaseTerms): number {
  const burst = price * (model === 'cpm' ? BURST_IMPRESSIONS : BURST_CLICKS)
  const small = price * (model === 'cpm' ? LEAST_IMPRESSIONS : 1)
  const span = Math.max(rate * SPAN_SECONDS, burst)
  const size = span + DEVIATIONS * price * Math.sqrt(span / price)
  const share = (SHARE * free) / Math.max(1, nodes)
  const wanted = Math.min(size, Math.max(share, Math.min(small, free / Math.max(1, nodes))))
  return Math.max(least, Math.floor(wanted))
}
