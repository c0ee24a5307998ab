import type { CampaignFacts } from '../market.ts'
import type { WorkerPlace } from '../places.ts'

/** What one worker says it charged of a day, under one fence: micros. */
export interface Slip {
  local: number
  refunded: number
  /** As told to the home, before it gave the worker up. */
  toldCharged: number
  toldRefunded: number
  fenced: boolean
  honoured: number | null
  /** Of the home's grants, the greatest sent and the greatest that arrived. */
  granted: number
  arrived: number
  /** What came back: as the worker sent it, and as the home heard it. */
  returned: number
  heardReturned: number
  /** Of `refunded`, what was in `returned` when that was told last. */
  returnedRefunds: number
  /** As told, to a home that had given the worker up, too: it counts where a restored one takes the link up again. */
  readonly since: { charged: number; refunded: number; returned: number }
}

/** From a stop to the last ad that came after it, by who can have heard of it: 0 where none came. */
export interface Stop {
  /** Of nodes that every message reaches. */
  connectedMs: number
  /** Of nodes that nothing reaches: their leases end. */
  cutOffMs: number
  /** Of nodes whose region the home does not reach: they go on within what that was granted, or had when it was given up. */
  regionCutOffMs: number
}

/**
 * Whether a node's region could hear of a stop, since when, and whether the node itself hears anything. A node that is cut
 * off in a region that is cut off, too, is one of those.
 */
export type Reach = { readonly since: number; readonly nodeCutOff: boolean } | 'regionCutOff'

export interface DayBook {
  readonly start: number
  /** As the home has told it; null where it has told nothing yet. */
  end: number | null
  /** By shard and fence. */
  readonly slips: Map<number, Slip>
  /** The largest cap that was in force: money out before a cut comes back as it is returned. */
  capMost: number
  exhaustedAt: number | null
  served: Stop
  capChanged: boolean
  /** Granted to workers and not heard to have come back. */
  out: number
}

/** One campaign. Money in micros. */
export interface Book {
  readonly facts: CampaignFacts
  readonly days: Map<number, DayBook>
  chosenValue: number
  givenAway: number
  /** Charged by a region that was given up, beyond what the home could honour: refunded. */
  reversed: number
  pausedAt: number | null
  servedPaused: Stop
}

const FENCES_MAX = 2 ** 20
/** No day is shorter. */
const DAY_MS_LEAST = 82_800_000

export function newBook(facts: CampaignFacts): Book {
  return {
    facts,
    days: new Map(),
    chosenValue: 0,
    givenAway: 0,
    reversed: 0,
    pausedAt: null,
    servedPaused: newStop(),
  }
}

export function newStop(): Stop {
  return { connectedMs: 0, cutOffMs: 0, regionCutOffMs: 0 }
}

/** A node served at `now`. */
export function noteServed(stop: Stop, now: number, stoppedAt: number, reach: Reach): void {
  if (reach === 'regionCutOff') {
    stop.regionCutOffMs = Math.max(stop.regionCutOffMs, now - stoppedAt)
    return
  }
  const ms = now - Math.max(reach.since, stoppedAt)
  if (reach.nodeCutOff) stop.cutOffMs = Math.max(stop.cutOffMs, ms)
  else stop.connectedMs = Math.max(stop.connectedMs, ms)
}

export function dayOf(book: Book, start: number): DayBook {
  let day = book.days.get(start)
  if (day === undefined) {
    day = {
      start,
      end: null,
      slips: new Map(),
      capMost: book.facts.dailyCap,
      exhaustedAt: null,
      served: newStop(),
      capChanged: false,
      out: 0,
    }
    book.days.set(start, day)
  }
  return day
}

export function dayHolding(book: Book, at: number): DayBook | null {
  for (const day of book.days.values()) {
    if (at >= day.start && at < (day.end ?? day.start + DAY_MS_LEAST)) return day
  }
  return null
}

export function slipOf(day: DayBook, worker: WorkerPlace, fence: number): Slip {
  const key = worker.shardNumber * FENCES_MAX + fence
  let slip = day.slips.get(key)
  if (slip === undefined) {
    slip = {
      local: 0,
      refunded: 0,
      toldCharged: 0,
      toldRefunded: 0,
      fenced: false,
      honoured: null,
      granted: 0,
      arrived: 0,
      returned: 0,
      heardReturned: 0,
      returnedRefunds: 0,
      since: { charged: 0, refunded: 0, returned: 0 },
    }
    day.slips.set(key, slip)
  }
  return slip
}

export function slipNamed(day: DayBook, shard: number, fence: number): Slip | undefined {
  return day.slips.get(shard * FENCES_MAX + fence)
}

/** What a worker has told of an open link: the home counts it, unless it has given the worker up. */
export function noteTold(slip: Slip, said: { charged: number; refunded: number; returned: number }): void {
  const { since } = slip
  since.charged = Math.max(since.charged, said.charged)
  since.refunded = Math.max(since.refunded, said.refunded)
  since.returned = Math.max(since.returned, said.returned)
  if (!slip.fenced) countTold(slip)
}

/** Whatever was told of the link stands. */
export function countTold(slip: Slip): void {
  const { since } = slip
  slip.toldCharged = Math.max(slip.toldCharged, since.charged)
  slip.toldRefunded = Math.max(slip.toldRefunded, since.refunded)
  slip.heardReturned = Math.max(slip.heardReturned, since.returned)
}

/** Those of a worker, whatever the fence. */
export function* slipsOf(day: DayBook, worker: WorkerPlace): Generator<Slip> {
  for (const [key, slip] of day.slips) if (Math.floor(key / FENCES_MAX) === worker.shardNumber) yield slip
}

/** What a worker has of a day and neither charged nor gave back. */
export function ownOf(slip: Slip): number {
  return slip.arrived - slip.returned - slip.local + slip.refunded
}

/** What was billed of a day in the end. */
export function billedOn(day: DayBook): number {
  let billed = 0
  for (const slip of day.slips.values()) {
    billed += slip.fenced ? standing(slip) : slip.local - slip.refunded
  }
  return billed
}

/** What the home has out on a day. */
export function outOn(day: DayBook): number {
  let out = 0
  for (const slip of day.slips.values()) {
    out += slip.fenced ? standing(slip) : slip.granted - slip.heardReturned
  }
  return out
}

/** Of a worker that was given up: what was heard of before, until the home says what it honours. */
function standing(slip: Slip): number {
  return slip.honoured ?? Math.max(0, slip.toldCharged - slip.toldRefunded)
}
