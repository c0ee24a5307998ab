/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number

export const SECOND_MS = 1000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** A source of wall time. Rules never read it: time comes to them with the records. */
export interface Clock {
  now(): EpochMs
}

/** RFC 3339 in UTC with milliseconds, as the API has it. */
export function rfc3339(time: EpochMs): string {
  return new Date(time).toISOString()
}

/** The last time of RFC 3339: a year has four digits, and a later one is written with more. */
export const RFC3339_MAX: EpochMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
