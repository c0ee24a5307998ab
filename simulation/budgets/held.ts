import { type FarParent, newFarParent } from '../../src/budgets/far-parent.ts'
import { dayAt, newShard, type Shard } from '../../src/budgets/shard.ts'
import type { TrackedEvent } from './impression.ts'
import type { CampaignFacts } from './market.ts'

/** What a worker keeps of one campaign: the production shard, and its link to the campaign's home. */
export interface Held {
  readonly facts: CampaignFacts
  readonly shard: Shard
  readonly parent: FarParent
  readonly waiting: Waiting[]
  /** Leased in this second: micros. */
  spent: number
  /** Its nodes were told to stop: by the home, or because nothing is left that pays for an event. */
  stopped: boolean
  /** Something changed that the home has not been told. */
  changed: boolean
  /** Of the home's newest message that spoke of it. */
  sequence: number
  dueAt: number
  lookedAt: number
  /** Looks after which nothing had changed come ever later. */
  quietMs: number
  /** What is wanted and was not granted is asked for again then, and later each time. */
  asksAt: number
  askMs: number
}

interface Waiting {
  readonly event: TrackedEvent
  readonly since: number
}

export const LOOK_MS = 1000

export function newHeld(facts: CampaignFacts, shardNumber: number, now: number): Held {
  return {
    facts,
    shard: newShard({ model: facts.model, amount: facts.amount }),
    parent: newFarParent(facts.number, shardNumber),
    waiting: [],
    spent: 0,
    stopped: false,
    changed: true,
    sequence: 0,
    dueAt: Number.POSITIVE_INFINITY,
    lookedAt: now,
    quietMs: LOOK_MS,
    asksAt: now,
    askMs: LOOK_MS,
  }
}

const NOTHING: ReadonlyMap<number, number> = new Map()

/** What waiting charges are short of, by the start of their day. */
export function shortBy({ shard, waiting }: Held): ReadonlyMap<number, number> {
  if (waiting.length === 0) return NOTHING
  const short = new Map<number, number>()
  for (const { event } of waiting) {
    const day = dayAt(shard, event.impression.chosenAt) ?? shard.days.at(-1)
    if (day !== undefined) short.set(day.start, (short.get(day.start) ?? 0) + priceOf(event))
  }
  return short
}

export function priceOf({ impression: { campaign } }: TrackedEvent): number {
  return campaign.model === 'cpc' ? campaign.amount : Math.ceil(campaign.amount / 1000)
}
