/**
 * What other ways of keeping budgets come to, in the market, traffic, network and faults of the simulator: what
 * `./farthing simulate --compare` shows.
 */
import { billedOn } from './budgets/audit/days.ts'
import type { Budgeting } from './budgets/others/budgeting.ts'
import { FixedSlices } from './budgets/others/fixed-slices.ts'
import { Gossip } from './budgets/others/gossip.ts'
import { OthersWorld } from './budgets/others/others-world.ts'
import { PeriodicSync } from './budgets/others/periodic-sync.ts'
import { SingleOwner } from './budgets/others/single-owner.ts'
import { StaticSplit } from './budgets/others/static-split.ts'
import type { Scenario } from './budgets/scenarios.ts'
import { World } from './budgets/world.ts'
import { type Job, scenarioOf } from './options.ts'

interface Row {
  readonly name: string
  /** Micros. */
  readonly over: number
  readonly givenAway: number
  readonly delivered: number
  readonly waitsMs: readonly number[]
  readonly messages: number
  readonly charges: number
}

interface Shares {
  readonly name: string
  readonly over: number
  readonly givenAway: number
  readonly stranded: number
  readonly p50: number
  readonly p99: number
  readonly messages: number
}

const OTHERS: readonly ((world: OthersWorld) => Budgeting)[] = [
  world => new StaticSplit(world),
  world => new PeriodicSync(world),
  world => new Gossip(world),
  world => new FixedSlices(world),
  world => new SingleOwner(world, false),
]

const HOURS_MAX = 6

/** Pacing is no part of this, nor are refunds and balances: budgets are the caps of one day, of which the evening is run. */
function compared(scenario: Scenario): Scenario {
  const hours = Math.min(HOURS_MAX, scenario.hours)
  return { ...scenario, hours, startHour: 24 - hours, evenShare: 0, balanceShare: 1, refundShare: 0 }
}

function runOther(scenario: Scenario, seed: number, make: (world: OthersWorld) => Budgeting): Row {
  let name = ''
  const world = new OthersWorld(scenario, seed, of => {
    const budgeting = make(of)
    name = budgeting.name
    return budgeting
  })
  world.run()
  return {
    name,
    over: world.overMicros(),
    givenAway: world.givenAwayMicros,
    delivered: world.deliveredMicros(),
    waitsMs: world.waitsMs.sort((a, b) => a - b),
    messages: world.messages,
    charges: world.charges,
  }
}

function runOurs(scenario: Scenario, seed: number): Row {
  const world = new World(scenario, seed)
  world.runUntil(world.drained)
  const { money, events } = world.auditor
  let delivered = 0
  for (const { days } of money.books.values()) {
    for (const day of days.values()) delivered += billedOn(day)
  }
  return {
    name: 'leases (Farthing)',
    over: money.overbilledMicros,
    givenAway: money.givenAway(),
    delivered,
    waitsMs: [],
    messages: world.leaseMessages + world.shardMessages,
    charges: events.charges,
  }
}

/** One way in one scenario, over seeds: shares of what one counter without a network delivers within the caps. */
export interface Compared {
  readonly scenario: string
  readonly way: string
  readonly overShare: Spread
  readonly givenAwayShare: Spread
  readonly strandedShare: Spread
  readonly latencyMs: { readonly p50: Spread; readonly p99: Spread }
  readonly messagesPerCharge: Spread
}

interface Spread {
  readonly mean: number
  readonly worst: number
}

/** Runs all ways in each job. `onRun` hears of each run that is begun. */
export function compare(jobs: readonly Job[], onRun: (text: string) => void): Compared[] {
  const names = [...new Set(jobs.map(({ scenario }) => scenario))]
  return names.flatMap(name => {
    const mine = jobs.filter(({ scenario }) => scenario === name)
    const runs = mine.map(job => {
      onRun(`${name}, seed ${job.seed}`)
      return runAll(compared(scenarioOf(job)), job.seed)
    })
    return runs[0]!.map((_, way) =>
      summary(
        name,
        runs.map(ways => ways[way]!),
      ),
    )
  })
}

/** As Markdown: the mean, and the worst seed behind it where there are more. */
export function comparisonTable(rows: readonly Compared[], seeds: number): string {
  const text = ({ mean, worst }: Spread, show: (figure: number) => string) =>
    seeds === 1 ? show(mean) : `${show(mean)} (${show(worst)})`
  const share = (of: Spread) => text(of, figure => `${(100 * figure).toFixed(2)}%`)
  const lines = rows.map(row => [
    row.scenario,
    row.way,
    share(row.overShare),
    share(row.givenAwayShare),
    share(row.strandedShare),
    `${row.latencyMs.p50.mean.toFixed(0)} / ${row.latencyMs.p99.mean.toFixed(0)}`,
    text(row.messagesPerCharge, figure => figure.toFixed(1)),
  ])
  const head = [
    'scenario',
    'way',
    'billed over',
    'given away',
    'stranded',
    'latency p50 / p99, ms',
    'messages a charge',
  ]
  return [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** The last one is what the others are held against. */
function runAll(scenario: Scenario, seed: number): Shares[] {
  const most = runOther(scenario, seed, world => new SingleOwner(world, true))
  const rows = [runOurs(scenario, seed), ...OTHERS.map(make => runOther(scenario, seed, make)), most]
  return rows.map(({ name, over, givenAway, delivered, waitsMs, messages, charges }) => {
    const wait = (of: number) => waitsMs[Math.floor((waitsMs.length - 1) * of)] ?? 0
    return {
      name,
      over: over / most.delivered,
      givenAway: givenAway / most.delivered,
      stranded: Math.max(0, most.delivered - delivered) / most.delivered,
      p50: wait(0.5),
      p99: wait(0.99),
      messages: messages / Math.max(1, charges),
    }
  })
}

function summary(scenario: string, runs: readonly Shares[]): Compared {
  const spread = (figure: (run: Shares) => number): Spread => {
    const figures = runs.map(figure)
    return {
      mean: figures.reduce((sum, of) => sum + of, 0) / figures.length,
      worst: Math.max(...figures),
    }
  }
  return {
    scenario,
    way: runs[0]!.name,
    overShare: spread(run => run.over),
    givenAwayShare: spread(run => run.givenAway),
    strandedShare: spread(run => run.stranded),
    latencyMs: { p50: spread(run => run.p50), p99: spread(run => run.p99) },
    messagesPerCharge: spread(run => run.messages),
  }
}
