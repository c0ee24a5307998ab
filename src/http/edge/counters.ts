/** What an edge counts, shown at /metrics. Numbers only grow. */
export const COUNTERS = [
  'requests',
  'bids',
  'noBids',
  'badRequests',
  'robotsRefused',
  'impressions',
  'clicks',
  'forged',
  'longExpired',
  'unsignedClicks',
  'ingested',
  'lost',
  'shed',
] as const
export type Counter = (typeof COUNTERS)[number]

export class Counters {
  readonly values: Record<Counter, number> = Object.fromEntries(COUNTERS.map(name => [name, 0])) as Record<
    Counter,
    number
  >

  add(counter: Counter, by = 1): void {
    this.values[counter] += by
  }
}
