import { DAY_MS } from '../../src/core/time.ts'
import type { ChargeBook } from './audit/charge-book.ts'
import type { Stop } from './audit/days.ts'
import { deliveryOf } from './audit/delivery.ts'
import type { FaultCounts } from './faults.ts'
import type { World } from './world.ts'

export interface StopTimes {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** What a run comes to. Money in micros, shares of 1. */
export interface Figures {
  readonly scenario: string
  readonly seed: number
  readonly overbilledMicros: number
  readonly givenAwayShare: number
  /** Charged by a region that was given up, beyond what was free, and refunded: no part of `givenAwayShare`. */
  readonly reversedShare: number
  /** Null where no day is judged: those are that are over with the run, and had two hours of it. */
  readonly deliveredShare: number | null
  readonly strandedMicros: number
  /** The most that one campaign has left on a day, in prices of its events. */
  readonly strandedPricesMax: number
  /** Budgets that were spent to the last price, and pauses. */
  readonly stops: number
  /** From a stop to the last ad of a node that is connected, 0 where none came after, and where nothing stopped. */
  readonly stopMs: StopTimes
  /** The same of the stops after which a node served that nothing reached; null where none did. */
  readonly cutOffStopMs: StopTimes | null
  /** And of those after which nodes served in a region that the home did not reach: within what that was granted before. */
  readonly regionCutOffStopMs: StopTimes | null
  /**
   * Mean distance from plan in slots of 15 minutes, as a share of the plan; null where nothing is paced, or for no whole
   * day. The chance of few events in a slot is in it: 2.3% of 7,000 events a day, 6% of 1,100.
   */
  readonly pacingError: number | null
  /** Asks, heartbeats included, and grants: each message between a node and a treasury, lost ones too. */
  readonly messagesPerCharge: number
  readonly charges: number
  readonly repeats: number
  readonly nodes: number
  readonly campaigns: number
  readonly requests: number
  /** Of the scenario's time. */
  readonly hours: number
  /** How often each kind of fault happened. */
  readonly faults: FaultCounts
}

const SLOT_MS = 900_000
/** Campaigns of fewer events a day are paced one event at a time: their slots are noise. */
const PACED_EVENTS_MIN = 1000

export function figuresOf(world: World, seed: number): Figures {
  const { market, scenario } = world
  const { money, events } = world.auditor
  const { billed, target, stranded, strandedPricesMax } = deliveryOf(money, market.advertisers, world)
  const stops = stopsOf(money)
  return {
    scenario: scenario.name,
    seed,
    overbilledMicros: money.overbilledMicros,
    givenAwayShare: billed === 0 ? 0 : money.givenAway() / billed,
    reversedShare: billed === 0 ? 0 : money.reversedMicros / billed,
    deliveredShare: target === 0 ? null : (target - stranded) / target,
    strandedMicros: stranded,
    strandedPricesMax,
    stops: stops.length,
    stopMs: timesOf(stops.map(({ connectedMs }) => connectedMs)),
    cutOffStopMs: timesServed(stops.map(({ cutOffMs }) => cutOffMs)),
    regionCutOffStopMs: timesServed(stops.map(({ regionCutOffMs }) => regionCutOffMs)),
    pacingError: pacingError(world),
    messagesPerCharge: world.leaseMessages / Math.max(1, events.charges),
    charges: events.charges,
    repeats: events.repeats,
    nodes: scenario.nodes,
    campaigns: market.campaigns.length,
    requests: world.requests,
    hours: scenario.hours,
    faults: world.faults,
  }
}

/** How long each was served on after it was exhausted or paused. */
export function stopsOf(money: ChargeBook): Stop[] {
  const stops = [...money.stops]
  for (const { days } of money.books.values()) {
    for (const day of days.values()) if (day.exhaustedAt !== null) stops.push(day.served)
  }
  return stops
}

function timesServed(ms: readonly number[]): StopTimes | null {
  const served = ms.filter(time => time > 0)
  return served.length === 0 ? null : timesOf(served)
}

function timesOf(ms: readonly number[]): StopTimes {
  const sorted = [...ms].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

function pacingError(world: World): number | null {
  if (world.end - world.start < DAY_MS) return null
  let distance = 0
  let planned = 0
  for (const facts of world.market.campaigns) {
    const price = facts.model === 'cpc' ? facts.amount : facts.amount / 1000
    if (facts.pacing !== 'even' || facts.model !== 'cpm' || facts.dailyCap / price < PACED_EVENTS_MIN)
      continue
    const slots = world.auditor.money.slots.get(facts.number) ?? new Map<number, number>()
    let mass = 0
    for (let at = world.start; at < world.start + DAY_MS; at += SLOT_MS) mass += world.curve(at + SLOT_MS / 2)
    for (let at = world.start; at < Math.min(world.end, world.start + DAY_MS); at += SLOT_MS) {
      const plan = (facts.dailyCap * world.curve(at + SLOT_MS / 2)) / mass
      distance += Math.abs((slots.get(Math.floor(at / SLOT_MS)) ?? 0) - plan)
      planned += plan
    }
  }
  return planned === 0 ? null : distance / planned
}
