import type { Figures } from './budgets/figures.ts'
import type { Goals } from './budgets/scenarios.ts'

/** One figure, beside what it must reach. */
export interface Row {
  readonly key: string
  readonly what: string
  readonly figure: number | null
  readonly unit: 'share' | 'micros' | 'ms' | 'count' | 'prices'
  /** Which side of it is good; null where nothing is asked of the figure. */
  readonly goal: { readonly atMost: number } | { readonly atLeast: number } | null
}

/** Messages per charge are held against a goal from this many nodes on. */
const FLEET_NODES = 1000
const MESSAGES_PER_CHARGE_MAX = 1
/** A lease ends by the node's own timer. */
const CUT_OFF_STOP_MS_MAX = 5000

export function rowsOf(figures: Figures, goals: Goals): Row[] {
  const atMost = (most: number | null) => (most === null ? null : { atMost: most })
  const { cutOffStopMs, regionCutOffStopMs } = figures
  const stopMs = figures.stops === 0 ? null : figures.stopMs
  return [
    row('overbilledMicros', 'billed past a cap', figures.overbilledMicros, 'micros', { atMost: 0 }),
    row('givenAwayShare', 'given away', figures.givenAwayShare, 'share', atMost(goals.givenAwayShareMax)),
    row('reversedShare', 'reversed: served by a region given up', figures.reversedShare, 'share', null),
    row('deliveredShare', 'delivered', figures.deliveredShare, 'share', {
      atLeast: goals.deliveredShareMin,
    }),
    row('strandedMicros', 'stranded at the end', figures.strandedMicros, 'micros', null),
    row('strandedPricesMax', 'stranded, the worst campaign', figures.strandedPricesMax, 'prices', null),
    row('stops', 'budgets exhausted, and pauses', figures.stops, 'count', null),
    row('stopMsP50', 'last ad after exhaustion, p50', stopMs?.p50 ?? null, 'ms', null),
    row('stopMsP99', 'last ad after exhaustion, p99', stopMs?.p99 ?? null, 'ms', atMost(goals.stopMsP99Max)),
    row('stopMsMax', 'last ad after exhaustion, latest', stopMs?.max ?? null, 'ms', null),
    row('cutOffStopMsP99', 'of nodes cut off, p99', cutOffStopMs?.p99 ?? null, 'ms', {
      atMost: CUT_OFF_STOP_MS_MAX,
    }),
    row('regionCutOffStopMsMax', 'in a region cut off, latest', regionCutOffStopMs?.max ?? null, 'ms', null),
    row(
      'pacingError',
      'paced, error against plan',
      figures.pacingError,
      'share',
      figures.pacingError === null ? null : atMost(goals.pacingErrorMax),
    ),
    row(
      'messagesPerCharge',
      'treasury messages per charge',
      figures.messagesPerCharge,
      'count',
      figures.nodes >= FLEET_NODES ? { atMost: MESSAGES_PER_CHARGE_MAX } : null,
    ),
  ]
}

export function isMet({ figure, goal }: Row): boolean {
  if (goal === null || figure === null) return true
  return 'atMost' in goal ? figure <= goal.atMost : figure >= goal.atLeast
}

/** The worse of two figures for the same thing. */
export function worse(a: Row, b: Row): Row {
  if (a.figure === null) return b
  if (b.figure === null) return a
  const less = a.key === 'deliveredShare'
  return (less ? b.figure < a.figure : b.figure > a.figure) ? b : a
}

export function textOf(figure: number | null, unit: Row['unit']): string {
  if (figure === null) return '-'
  switch (unit) {
    case 'share':
      return `${(figure * 100).toFixed(2)}%`
    case 'micros':
      return (figure / 1e6).toFixed(figure === 0 ? 0 : 2)
    case 'ms':
      return `${Math.round(figure)} ms`
    case 'prices':
      return `${figure.toFixed(1)} prices`
    case 'count':
      return figure.toFixed(figure < 10 && !Number.isInteger(figure) ? 2 : 0)
  }
}

export function goalText({ goal, unit }: Row): string {
  if (goal === null) return ''
  return 'atMost' in goal ? `at most ${textOf(goal.atMost, unit)}` : `at least ${textOf(goal.atLeast, unit)}`
}

function row(key: string, what: string, figure: number | null, unit: Row['unit'], goal: Row['goal']): Row {
  return { key, what, figure, unit, goal }
}
