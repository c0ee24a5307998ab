import { FAULT_KINDS, type FaultCounts, noFaults } from './budgets/faults.ts'
import type { Figures, StopTimes } from './budgets/figures.ts'
import { SCENARIOS, type Scenario } from './budgets/scenarios.ts'
import { type Row, rowsOf, worse } from './goals.ts'
import type { Outcome } from './run.ts'

/** What a scenario comes to over its seeds. */
export interface Summary {
  readonly scenario: Scenario
  readonly seeds: number
  readonly charges: number
  /** Over all seeds. */
  readonly faults: FaultCounts
  readonly rows: readonly SummaryRow[]
}

export interface SummaryRow {
  readonly worst: Row
  readonly worstSeed: number
  readonly mean: number | null
}

/** By scenario, in the order of the runs. */
export function summaries(outcomes: readonly Outcome[]): Summary[] {
  const names = [...new Set(outcomes.map(({ figures }) => figures.scenario))]
  return names.map(name => {
    const scenario = SCENARIOS.find(known => known.name === name)!
    const mine = outcomes.filter(({ figures }) => figures.scenario === name)
    const each = mine.map(({ figures }) => rowsOf(figures, scenario.goals))
    return {
      scenario,
      seeds: mine.length,
      charges: mine.reduce((sum, { figures }) => sum + figures.charges, 0),
      faults: faultsOf(mine.map(({ figures }) => figures)),
      rows: each[0]!.map((_, at) => {
        const rows = each.map(run => run[at]!)
        const worst = rows.reduce(worse)
        const known = rows.flatMap(({ figure }) => (figure === null ? [] : [figure]))
        const mean = known.length === 0 ? null : known.reduce((sum, figure) => sum + figure, 0) / known.length
        return { worst, worstSeed: mine[rows.indexOf(worst)]!.figures.seed, mean }
      }),
    }
  })
}

/** One object for one run. For many: the worst of each figure, and the runs. */
export function jsonOf(outcomes: readonly Outcome[], breach: object | null): object {
  const [first] = outcomes
  if (outcomes.length === 1) return { ...first!.figures, ...(breach === null ? {} : { breach }) }
  const runs = outcomes.map(({ figures }) => figures)
  const most = (figure: (run: (typeof runs)[number]) => number | null) => {
    const known = runs.flatMap(run => figure(run) ?? [])
    return known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b))
  }
  const least = (figure: (run: (typeof runs)[number]) => number | null) => {
    const known = runs.flatMap(run => figure(run) ?? [])
    return known.length === 0 ? null : known.reduce((a, b) => Math.min(a, b))
  }
  const sum = (figure: (run: (typeof runs)[number]) => number) =>
    runs.reduce((all, run) => all + figure(run), 0)
  const names = new Set(runs.map(({ scenario }) => scenario))
  return {
    scenario: names.size === 1 ? runs[0]!.scenario : 'all',
    seed: runs[0]!.seed,
    seeds: new Set(runs.map(({ seed }) => seed)).size,
    overbilledMicros: most(run => run.overbilledMicros),
    givenAwayShare: most(run => run.givenAwayShare),
    reversedShare: most(run => run.reversedShare),
    deliveredShare: least(run => run.deliveredShare),
    strandedMicros: most(run => run.strandedMicros),
    stops: sum(run => run.stops),
    stopMs: worstTimes(runs.map(run => run.stopMs)),
    cutOffStopMs: worstTimes(runs.map(run => run.cutOffStopMs)),
    regionCutOffStopMs: worstTimes(runs.map(run => run.regionCutOffStopMs)),
    pacingError: most(run => run.pacingError),
    messagesPerCharge: most(run => run.messagesPerCharge),
    charges: sum(run => run.charges),
    faults: faultsOf(runs),
    nodes: most(run => run.nodes),
    campaigns: most(run => run.campaigns),
    ...(breach === null ? {} : { breach }),
    runs,
  }
}

function faultsOf(runs: readonly Figures[]): FaultCounts {
  const sum = noFaults()
  for (const { faults } of runs) for (const kind of FAULT_KINDS) sum[kind] += faults[kind]
  return sum
}

/** Of each time the worst; null where no run has any. */
function worstTimes(all: readonly (StopTimes | null)[]): StopTimes | null {
  const known = all.flatMap(times => times ?? [])
  if (known.length === 0) return null
  const worst = (of: (times: StopTimes) => number) => Math.max(...known.map(of))
  return { p50: worst(times => times.p50), p99: worst(times => times.p99), max: worst(times => times.max) }
}
