import { type CpmMicros, cpmMicros } from '../core/money.ts'

/** OpenRTB `at`: 1 is first price; 2, and absent, second price. */
export const FIRST_PRICE = 1
/** A second-price winner pays a cent for a thousand more than the runner-up. */
export const PRICE_STEP = cpmMicros(10_000)

export interface Standing {
  readonly at: number
  readonly bid: CpmMicros
  /** The best bid of another campaign or bidder; 0 where there is none. */
  readonly runnerUp: CpmMicros
  readonly floor: CpmMicros
}

/** What the winner pays for a thousand impressions: never more than it bid, never less than the floor. */
export function clearingPrice({ at, bid, runnerUp, floor }: Standing): CpmMicros {
  if (at === FIRST_PRICE) return bid
  return cpmMicros(Math.min(bid, Math.max(floor, runnerUp + PRICE_STEP)))
}

export function meetsFloor(bid: CpmMicros, floor: CpmMicros): boolean {
  return bid > 0 && bid >= floor
}

/** What a click price is worth for a thousand impressions: amount x predicted click rate x 1000, rounded down. */
export function expectedCpm(clickMicros: number, clickRatePpb: number): CpmMicros {
  // Billionths of a click x 1000 impressions: a division by a million. A double is exact below 2^53, and an ulp above.
  return cpmMicros(Math.floor((clickMicros * clickRatePpb) / 1_000_000))
}

/** Whose bid of two equal ones wins: the older campaign's. */
export function isOlder(
  one: { readonly createdAt: number; readonly number: number },
  other: { readonly createdAt: number; readonly number: number },
): boolean {
  return one.createdAt === other.createdAt ? one.number < other.number : one.createdAt < other.createdAt
}
