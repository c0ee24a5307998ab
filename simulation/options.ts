import { UsageError } from '../src/config.ts'
import { SCENARIOS, type Scenario } from './budgets/scenarios.ts'
import { SIZES, type Size, shortSize, sizedAs } from './sizes.ts'

/** One run: the same job gives the same run, to the byte. */
export interface Job {
  readonly scenario: string
  readonly seed: number
  readonly size: Size
}

export interface Options {
  readonly jobs: readonly Job[]
  readonly list: boolean
  readonly json: boolean
  readonly html: string | null
  /** Missed goals fail, too. */
  readonly strict: boolean
  /** Other ways of keeping budgets beside this one, in the scenarios and seeds of the jobs. */
  readonly compare: boolean
}

/** Scenarios that show what sets ways of keeping budgets apart. */
const COMPARED = ['calm-day', 'viral-spike', 'small-budgets', 'region-cut', 'nodes-killed']
/** Nodes are numbered so that a number tells the region: so many are told apart. */
const REGIONS_MAX = 64
const NODES_MAX = 100_000
const CAMPAIGNS_MAX = 1_000_000
const HOURS_MAX = 7 * 24
const REQUESTS_MAX = 10_000
/** Of a run whose hours are not said: some minutes of CPU. */
const RUN_REQUESTS_MAX = 5_000_000
const SEEDS_MAX = 1_000_000
const SEED_MAX = 2 ** 32 - 1

export function readOptions(args: readonly string[]): Options {
  const said = new Map<string, string>()
  const flags = new Set<string>()
  for (let i = 0; i < args.length; i++) {
    const option = args[i]!
    if (['--json', '--list', '--strict', '--compare', '--short'].includes(option)) {
      flags.add(option)
      continue
    }
    const name = option.slice(2)
    if (!option.startsWith('--') || !['scenario', 'seed', 'seeds', 'html', ...SIZES].includes(name)) {
      throw new UsageError(`There is no option ${option}.`)
    }
    const value = args[++i]
    if (value === undefined) throw new UsageError(`${option} wants a value.`)
    said.set(name, value)
  }
  const whole = (name: string, most: number, least = 1) => numberOf(said, { name, least, most, whole: true })
  const size: Size = {
    nodes: whole('nodes', NODES_MAX),
    campaigns: whole('campaigns', CAMPAIGNS_MAX),
    regions: whole('regions', REGIONS_MAX),
    hours: numberOf(said, { name: 'hours', least: 0.01, most: HOURS_MAX, whole: false }),
    requests: numberOf(said, { name: 'requests', least: 0.001, most: REQUESTS_MAX, whole: false }),
  }
  const seed = whole('seed', SEED_MAX, 0) ?? 1
  const seeds = whole('seeds', SEEDS_MAX) ?? 1
  const list = flags.has('--list')
  const compare = flags.has('--compare')
  if (compare && said.has('html')) throw new UsageError('--compare makes no page.')
  const scenarios = list
    ? []
    : compare
      ? comparedNamed(said.get('scenario'))
      : scenariosNamed(said.get('scenario'))
  return {
    jobs: scenarios.flatMap(({ name }) =>
      Array.from({ length: seeds }, (_, i) => ({
        scenario: name,
        seed: seed + i,
        size: flags.has('--short') ? sizedAs(size, shortSize(name)) : size,
      })),
    ),
    list,
    json: flags.has('--json'),
    html: said.get('html') ?? null,
    strict: flags.has('--strict'),
    compare,
  }
}

/**
 * The scenario in the size that is asked for. Where nodes have more campaigns than in the scenario they have as many more
 * requests, so that a campaign meets the demand that the scenario has for it. A run that would take days is of a part of
 * the scenario's time: from a third of it on, in the morning of a whole day.
 */
export function scenarioOf({ scenario: name, size }: Job): Scenario {
  const [known] = scenariosNamed(name)
  const scenario = known!
  const nodes = size.nodes ?? scenario.nodes
  const campaigns = size.campaigns ?? scenario.campaigns
  const crowding = Math.max(1, (campaigns * scenario.nodes) / (nodes * scenario.campaigns))
  const requestsPerSecond = size.requests ?? scenario.requestsPerSecond * crowding
  const hoursMost = RUN_REQUESTS_MAX / (nodes * requestsPerSecond * 3600)
  const isPart = hoursMost < scenario.hours
  return {
    ...scenario,
    nodes,
    campaigns,
    regions: size.regions ?? scenario.regions,
    startHour: isPart ? scenario.startHour + scenario.hours / 3 : scenario.startHour,
    hours: size.hours ?? Math.min(scenario.hours, hoursMost),
    requestsPerSecond,
  }
}

/** The command line that runs the job again. */
export function commandOf({ scenario, seed, size }: Job): string {
  const sizes = SIZES.filter(name => size[name] !== null).map(name => ` --${name} ${size[name]}`)
  return `./farthing simulate --scenario ${scenario} --seed ${seed}${sizes.join('')}`
}

function scenariosNamed(name: string | undefined): readonly Scenario[] {
  if (name === 'all') return SCENARIOS
  const scenario = SCENARIOS.find(known => known.name === name)
  if (scenario !== undefined) return [scenario]
  const names = SCENARIOS.map(known => known.name).join(', ')
  throw new UsageError(
    `${name === undefined ? '--scenario is needed' : `There is no scenario ${name}`}. There is all, ${names}.`,
  )
}

/** Those that the comparison is made in where none is named. */
function comparedNamed(name: string | undefined): readonly Scenario[] {
  if (name !== undefined) return scenariosNamed(name)
  return SCENARIOS.filter(scenario => COMPARED.includes(scenario.name))
}

function numberOf(
  said: ReadonlyMap<string, string>,
  want: { readonly name: string; readonly least: number; readonly most: number; readonly whole: boolean },
): number | null {
  const { name, least, most, whole } = want
  const text = said.get(name)
  if (text === undefined) return null
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
    throw new UsageError(
      `--${name} is a ${whole ? 'whole ' : ''}number from ${least} to ${most}, not ${text}.`,
    )
  }
  return value
}
