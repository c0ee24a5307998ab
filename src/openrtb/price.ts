import { assert } from '../core/assert.ts'
import { type CpmMicros, cpmMicros, PARTS_PER_MILLION } from '../core/money.ts'
import { PRICE_MAX } from './limits.ts'

/**
 * The micros of a decimal CPM between 0 and PRICE_MAX, which `validateBidRequest` grants. The number stands for the
 * shortest decimal that reads as it: 0.1 is 100,000. A price finer than a micro rounds up, so that a bid at the
 * result is never below the floor it came from.
 */
export function cpmMicrosFromDecimal(price: number): CpmMicros {
  assert(price >= 0 && price <= PRICE_MAX, `not a decimal CPM price: ${price}`)
  const nearest = Math.round(price * PARTS_PER_MILLION) + 0 // JSON has -0
  // A quotient is rounded correctly, so it equals `price` when `price` was read from that very decimal, and it is
  // less only when the exact quotient is less. The product above is off by less than one below 2^50.
  return cpmMicros(nearest / PARTS_PER_MILLION < price ? nearest + 1 : nearest)
}

/** The decimal that JSON writes with at most six digits after the point. */
export function decimalFromCpmMicros(price: CpmMicros): number {
  return price / PARTS_PER_MILLION
}
