/**
 * Why an event is not billed, numbered as records and tables store them: a number is never used again for another
 * reason. The names are the API's.
 */
export const Reason = {
  none: 0,
  crawler: 1,
  rate: 2,
  dataCentre: 3,
  tooSoon: 4,
  expired: 5,
  test: 6,
  unrendered: 7,
  budgetExhausted: 8,
  unknownAd: 9,
  conflict: 10,
  future: 11,
  awaitingImpression: 12,
} as const
export type Reason = (typeof Reason)[keyof typeof Reason]

const NAMES = Object.keys(Reason)
/** For tables by reason. */
export const REASONS = NAMES.length

export function reasonName(reason: number): string | null {
  return reason === Reason.none ? null : (NAMES[reason] ?? null)
}
