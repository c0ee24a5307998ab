/**
 * The scenarios, by name. Each is a market (regions, nodes, campaigns, traffic) and what goes wrong in it. Sizes are those
 * of a run in the tests; `--nodes`, `--campaigns` and `--hours` make it larger.
 */
export interface Scenario {
  readonly name: string
  readonly about: string
  readonly hours: number
  /** Hour of the day, UTC, at which it begins. */
  readonly startHour: number
  readonly regions: number
  readonly nodes: number
  readonly campaigns: number
  /** Requests a second of a node, on average over the week. */
  readonly requestsPerSecond: number
  /** Money of a day, in events: the smallest and the largest of a campaign. Sizes between follow a power law. */
  readonly eventsFrom: number
  readonly eventsTo: number
  readonly cpcShare: number
  readonly evenShare: number
  /** Unpaced campaigns are so many times the size: large ones would leave the paced no traffic for hours. */
  readonly asapTimes: number
  /** Campaigns of an advertiser share its balance; below 1 the balance is less than their caps together. */
  readonly balanceShare: number
  readonly zones: readonly string[]
  readonly refundShare: number
  readonly faults: Faults
  readonly goals: Goals
}

export interface Faults {
  /** Of messages between any two. */
  readonly lossShare: number
  readonly duplicateShare: number
  /** Nodes that neither hear nor say anything for half a minute, of all in a minute. */
  readonly nodesCutOffPerMinute: number
  /** Nodes that die in a minute, of all; a part of them loses its spool. */
  readonly nodesKilledPerMinute: number
  readonly spoolLostShare: number
  /** Crashes of a worker an hour, at any step of a commit, or of its treasury alone. */
  readonly workerCrashesPerHour: number
  readonly homeCrashesPerHour: number
  /** A worker that was replaced goes on answering nodes for a while. */
  readonly zombies: boolean
  /** Wall clocks of nodes are off by up to so much, and timers drift by up to so much of their time. */
  readonly clockSkewMs: number
  readonly driftShare: number
  /** Commits that take seconds. */
  readonly slowStore: boolean
  /** Commits that fail, and are tried again. */
  readonly failingStore: boolean
  /** Every event is told again after a while: all of a day. */
  readonly replay: boolean
  /** Region 1 hears and says nothing, in hours from the start. */
  readonly cut: readonly { readonly from: number; readonly to: number; readonly oneWay?: boolean }[]
  /** Region 1 is given up at this hour while it is cut off. */
  readonly fencedAt: number | null
  /** The home is down, and comes back as it was `backupAgeMinutes` before that. */
  readonly homeLost: readonly {
    readonly from: number
    readonly to: number
    readonly backupAgeMinutes: number
  }[]
  /** Traffic is so many times as much from an hour on, for a minute. */
  readonly spike: { readonly at: number; readonly times: number } | null
  readonly pauses: boolean
  readonly capCuts: boolean
  /** Campaigns get more shards while they serve. */
  readonly shardsAdded: boolean
}

export interface Goals {
  readonly givenAwayShareMax: number
  readonly deliveredShareMin: number
  /** From exhaustion to the last ad served by a node that is connected. */
  readonly stopMsP99Max: number | null
  readonly pacingErrorMax: number | null
}

const CALM: Faults = {
  lossShare: 0.001,
  duplicateShare: 0.001,
  nodesCutOffPerMinute: 0,
  nodesKilledPerMinute: 0,
  spoolLostShare: 0,
  workerCrashesPerHour: 0,
  homeCrashesPerHour: 0,
  zombies: false,
  clockSkewMs: 20,
  driftShare: 0.0001,
  slowStore: false,
  failingStore: false,
  replay: false,
  cut: [],
  fencedAt: null,
  homeLost: [],
  spike: null,
  pauses: false,
  capCuts: false,
  shardsAdded: false,
}

const MARKET = {
  hours: 6,
  startHour: 18,
  regions: 3,
  nodes: 6,
  campaigns: 14,
  requestsPerSecond: 0.8,
  eventsFrom: 20,
  eventsTo: 200,
  cpcShare: 0.4,
  evenShare: 0,
  asapTimes: 1,
  balanceShare: 1,
  zones: ['UTC'],
  refundShare: 0.002,
  goals: { givenAwayShareMax: 0.03, deliveredShareMin: 0.97, stopMsP99Max: 250, pacingErrorMax: null },
} as const

export const SCENARIOS: readonly Scenario[] = [
  {
    ...MARKET,
    name: 'calm-day',
    about: 'a whole day of ordinary traffic: paced and unpaced campaigns of unlike size, some on one balance',
    hours: 24,
    startHour: 0,
    requestsPerSecond: 0.8,
    evenShare: 0.75,
    asapTimes: 0.25,
    balanceShare: 0.9,
    campaigns: 12,
    eventsFrom: 200,
    eventsTo: 2000,
    faults: CALM,
    goals: { givenAwayShareMax: 0.005, deliveredShareMin: 0.995, stopMsP99Max: 250, pacingErrorMax: 0.06 },
  },
  {
    ...MARKET,
    name: 'viral-spike',
    about: 'forty times the traffic for a minute, while campaigns get more shards',
    requestsPerSecond: 1,
    faults: { ...CALM, spike: { at: 0.5, times: 40 }, shardsAdded: true },
  },
  {
    ...MARKET,
    name: 'small-budgets',
    about: 'budgets of ten prices, many more nodes than prices',
    nodes: 24,
    requestsPerSecond: 0.3,
    eventsFrom: 10,
    eventsTo: 10,
    cpcShare: 0.3,
    startHour: 12,
    hours: 12,
    faults: CALM,
    goals: { ...MARKET.goals, deliveredShareMin: 0.9 },
  },
  {
    ...MARKET,
    name: 'last-five-percent',
    about: 'budgets that run out early, under plenty of demand: how the last of them is spent',
    eventsFrom: 50,
    eventsTo: 200,
    requestsPerSecond: 2,
    faults: CALM,
  },
  {
    ...MARKET,
    name: 'midnight',
    about: 'midnight in three zones, one of them on the day that daylight saving ends',
    hours: 12,
    startHour: 19,
    zones: ['UTC', 'Europe/Berlin', 'America/New_York'],
    faults: CALM,
  },
  {
    ...MARKET,
    name: 'region-cut',
    about: 'a region is cut off for an hour and goes on within its grant',
    faults: { ...CALM, cut: [{ from: 0.5, to: 1.5 }] },
  },
  {
    ...MARKET,
    name: 'home-lost',
    about:
      'the home is down for half an hour, and restored from a backup of before a region was given up; twice',
    faults: {
      ...CALM,
      cut: [{ from: 0.3, to: 1.3 }],
      fencedAt: 0.5,
      homeLost: [
        { from: 0.7, to: 1.2, backupAgeMinutes: 15 },
        { from: 1.5, to: 1.55, backupAgeMinutes: 63 },
      ],
    },
  },
  {
    ...MARKET,
    name: 'region-lost',
    about: 'a region is cut off and given up; later it comes back with charges that nobody knew of',
    faults: { ...CALM, cut: [{ from: 0.4, to: 1.4 }], fencedAt: 0.7 },
  },
  {
    ...MARKET,
    name: 'nodes-killed',
    about: 'a tenth of the nodes dies each minute, some with their spool',
    faults: { ...CALM, nodesKilledPerMinute: 0.1, spoolLostShare: 0.3 },
    goals: { ...MARKET.goals, givenAwayShareMax: 0.02, deliveredShareMin: 0.95 },
  },
  {
    ...MARKET,
    name: 'crashes',
    about:
      'workers, treasuries and the home die at every step, some go on as zombies; the store is slow, and fails',
    faults: {
      ...CALM,
      workerCrashesPerHour: 20,
      homeCrashesPerHour: 10,
      zombies: true,
      slowStore: true,
      failingStore: true,
    },
    goals: { ...MARKET.goals, deliveredShareMin: 0.95, stopMsP99Max: null },
  },
  {
    ...MARKET,
    name: 'pause',
    about: 'campaigns are paused and resumed by hand, and nodes are cut off meanwhile',
    faults: { ...CALM, pauses: true, nodesCutOffPerMinute: 0.05 },
    goals: { ...MARKET.goals, deliveredShareMin: 0.9 },
  },
  {
    ...MARKET,
    name: 'cap-cut',
    about: 'caps are cut below what is spent and out, and raised again',
    faults: { ...CALM, capCuts: true },
    goals: { ...MARKET.goals, givenAwayShareMax: 0.05, deliveredShareMin: 0.9 },
  },
  {
    ...MARKET,
    name: 'replay',
    about: 'every event of the day is told again',
    faults: { ...CALM, replay: true, duplicateShare: 0.05 },
  },
  {
    ...MARKET,
    name: 'skewed-clocks',
    about: 'clocks of nodes are off by up to a day, and their timers drift',
    faults: { ...CALM, clockSkewMs: 86_400_000, driftShare: 0.01 },
    goals: { ...MARKET.goals, deliveredShareMin: 0.95 },
  },
  {
    ...MARKET,
    name: 'everything-at-once',
    about: 'all of it',
    hours: 8,
    startHour: 20,
    eventsFrom: 100,
    eventsTo: 600,
    requestsPerSecond: 1.2,
    evenShare: 0.3,
    balanceShare: 0.9,
    zones: ['UTC', 'Europe/Berlin'],
    faults: {
      lossShare: 0.02,
      duplicateShare: 0.02,
      nodesCutOffPerMinute: 0.01,
      nodesKilledPerMinute: 0.01,
      spoolLostShare: 0.3,
      workerCrashesPerHour: 3,
      homeCrashesPerHour: 3,
      zombies: true,
      clockSkewMs: 3_600_000,
      driftShare: 0.01,
      slowStore: true,
      failingStore: true,
      replay: true,
      cut: [
        { from: 0.5, to: 1.2 },
        { from: 2.5, to: 2.7, oneWay: true },
      ],
      fencedAt: 0.9,
      homeLost: [
        { from: 1, to: 1.1, backupAgeMinutes: 10 },
        { from: 1.6, to: 1.8, backupAgeMinutes: 45 },
      ],
      spike: { at: 2, times: 10 },
      pauses: true,
      capCuts: true,
      shardsAdded: true,
    },
    goals: { givenAwayShareMax: 0.02, deliveredShareMin: 0.7, stopMsP99Max: null, pacingErrorMax: null },
  },
]
