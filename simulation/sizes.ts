/** What replaces the scenario's own size: null leaves it. */
export interface Size {
  readonly nodes: number | null
  readonly campaigns: number | null
  readonly regions: number | null
  readonly hours: number | null
  /** Requests a second of a node, on average over the week. */
  readonly requests: number | null
}

/** A run with so many campaigns is of a fleet: of gigabytes, and of minutes. */
export const FLEET_CAMPAIGNS = 20_000

export const SIZES = ['nodes', 'campaigns', 'regions', 'hours', 'requests'] as const

/** Half a second of CPU: the hours in which all goes wrong that does, and fewer campaigns. */
const SHORT: Size = { nodes: 6, campaigns: 8, regions: null, hours: 2.5, requests: null }
const SHORT_OF: Readonly<Record<string, Size>> = {
  'calm-day': { ...SHORT, hours: 4 },
  'small-budgets': { ...SHORT, nodes: 16, campaigns: 12, hours: 2 },
  // The last of its midnights is at five.
  midnight: { ...SHORT, nodes: 3, hours: 10.2 },
  'everything-at-once': { ...SHORT, nodes: 4, hours: 3, requests: 0.8 },
}

/** The size of a scenario that tests run, and `--short`: small enough for many seeds. */
export function shortSize(scenario: string): Size {
  return SHORT_OF[scenario] ?? SHORT
}

/** What is said, and of what is not the other. */
export function sizedAs(said: Size, other: Size): Size {
  return {
    nodes: said.nodes ?? other.nodes,
    campaigns: said.campaigns ?? other.campaigns,
    regions: said.regions ?? other.regions,
    hours: said.hours ?? other.hours,
    requests: said.requests ?? other.requests,
  }
}
