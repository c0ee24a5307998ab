/**
 * What other ways of keeping budgets come to, in the market, traffic, network and faults of the simulator:
 * `bun simulation/compare.ts [--seed N] [SCENARIO ...]` prints a table in Markdown.
 */
import { billedOn } from './budgets/audit/days.ts'
import type { Budgeting } from './budgets/others/budgeting.ts'
import { FixedSlices } from './budgets/others/fixed-slices.ts'
import { Gossip } from './budgets/others/gossip.ts'
import { OthersWorld } from './budgets/others/others-world.ts'
import { PeriodicSync } from './budgets/others/periodic-sync.ts'
import { SingleOwner } from './budgets/others/single-owner.ts'
import { StaticSplit } from './budgets/others/static-split.ts'
import { SCENARIOS, type Scenario } from './budgets/scenarios.ts'
import { World } from './budgets/world.ts'

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

const NAMES = ['calm-day', 'viral-spike', 'small-budgets', 'region-cut', 'nodes-killed']

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

function print(scenario: Scenario, seed: number): void {
  const most = runOther(scenario, seed, world => new SingleOwner(world, true))
  const rows = [runOurs(scenario, seed), ...OTHERS.map(make => runOther(scenario, seed, make)), most]
  const share = (micros: number) => `${((100 * micros) / most.delivered).toFixed(2)}%`
  for (const { name, over, givenAway, delivered, waitsMs, messages, charges } of rows) {
    const wait = (of: number) => (waitsMs[Math.floor((waitsMs.length - 1) * of)] ?? 0).toFixed(0)
    console.log(
      `| ${[
        scenario.name,
        name,
        share(over),
        share(givenAway),
        share(Math.max(0, most.delivered - delivered)),
        `${wait(0.5)} / ${wait(0.99)}`,
        (messages / Math.max(1, charges)).toFixed(1),
      ].join(' | ')} |`,
    )
  }
}

function main(args: readonly string[]): void {
  const at = args.indexOf('--seed')
  const seed = at < 0 ? 1 : Number(args[at + 1])
  const chosen = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1))
  console.log(
    '| scenario | way | billed over | given away | stranded | latency p50 / p99, ms | messages a charge |',
  )
  console.log('|---|---|---|---|---|---|---|')
  for (const name of chosen.length > 0 ? chosen : NAMES) {
    print(compared(SCENARIOS.find(scenario => scenario.name === name)!), seed)
  }
}

if (import.meta.main) main(process.argv.slice(2))
