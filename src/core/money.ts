import { assert } from './assert.ts'

/** Integer millionths of a currency unit, within +-(2^53 - 1). */
export type Micros = number & { readonly __unit: 'micros' }
/** Integer millionths of a currency unit for a thousand impressions. */
export type CpmMicros = number & { readonly __unit: 'cpmMicros' }

export const MICROS_MAX = Number.MAX_SAFE_INTEGER
export const PARTS_PER_MILLION = 1_000_000

export function micros(value: number): Micros {
  assert(Number.isSafeInteger(value), 'not an amount in micros', value)
  return value as Micros
}

export function cpmMicros(value: number): CpmMicros {
  assert(Number.isSafeInteger(value), 'not a CPM price in micros', value)
  return value as CpmMicros
}

/**
 * The whole micros that the next impression costs at a price for a thousand, and the remainder that is carried
 * (in thousandths of a micro), so that N impressions at one price cost N * price / 1000 rounded down.
 */
export function impressionCost(price: CpmMicros, remainder: number): { cost: Micros; remainder: number } {
  const thousandths = price + remainder
  const cost = Math.floor(thousandths / 1000)
  return { cost: micros(cost), remainder: thousandths - cost * 1000 }
}

/** The share of an amount, rounded down. `sharePpm` is in millionths, 0 to 1,000,000. Exact beyond 2^53. */
export function shareOf(amount: Micros, sharePpm: number): Micros {
  const high = Math.floor(amount / PARTS_PER_MILLION)
  const low = amount - high * PARTS_PER_MILLION
  return micros(high * sharePpm + Math.floor((low * sharePpm) / PARTS_PER_MILLION))
}
