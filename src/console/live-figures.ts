/** Seconds that the page draws. The server keeps as many, for a page that comes late. */
export const SECONDS_SHOWN = 300

/** What happened in one second. */
export interface LiveSecond {
  readonly served: number
  readonly shown: number
  readonly clicked: number
  readonly charged: number
  readonly refused: number
  readonly lagMs: number
}

/** The answer of `/live.json?after=N`: nothing in it belongs to an account. */
export interface LiveFigures {
  readonly counters: Readonly<Record<string, number>>
  readonly ready: boolean
  readonly recording: boolean
  readonly problem: string | null
  readonly lagMs: number
  readonly charged: number
  readonly refused: Readonly<Record<string, number>>
  readonly repeated: number
  /** The number of the newest second, to ask for what comes after. It starts again with the server. */
  readonly second: number
  readonly seconds: readonly LiveSecond[]
}

/** Why something is not billed, in words. What the edge turns away comes first, then what the books refuse. */
const REASONS: Readonly<Record<string, string>> = {
  robotsRefused: 'a robot asked for an ad',
  forged: 'forged or broken link',
  longExpired: 'a link of weeks ago',
  badRequests: 'malformed request',
  unsignedClicks: 'click without a token',
  shed: 'turned away under load',
  lost: 'not recorded: disk full',
  repeated: 'seen before: billed once only',
  crawler: 'crawler, prefetch or HEAD',
  tooSoon: 'click within half a second',
  rate: 'too many clicks from one place',
  dataCentre: 'from a data centre',
  unrendered: 'click on an ad never shown',
  budgetExhausted: 'no money left',
  expired: 'too late',
  test: 'a test',
  unknownAd: 'unknown ad',
  conflict: 'an id used for two events',
  future: 'dated in the future',
}

/** Only what there was, most first. */
export function notBilled({ counters, refused, repeated }: LiveFigures): { text: string; count: number }[] {
  const counts: Readonly<Record<string, number>> = { ...counters, ...refused, repeated }
  return Object.entries(REASONS)
    .map(([name, text]) => ({ text, count: counts[name] ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
}
