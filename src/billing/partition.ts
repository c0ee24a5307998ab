import type { Balance } from '../budgets/balance.ts'
import type { CampaignBudget } from '../budgets/budget.ts'
import { dayAt, isReserving } from '../budgets/shard.ts'
import type { Advertiser, ApiKey, Campaign, Placement, Publisher } from '../campaigns/campaign.ts'
import { type EntityKind, entityNumber, parseId } from '../core/ids.ts'
import type { CommandOutcome, EntityTable } from '../ports/control.ts'
import type { Bits } from './bits.ts'
import type { BlockItems } from './block.ts'
import type { Changes } from './changes.ts'

export interface EntityTypes {
  advertiser: Advertiser
  campaign: Campaign
  publisher: Publisher
  placement: Placement
  key: ApiKey
}

/** A click that waits for its impression. */
export interface HeldClick {
  readonly deadline: number
  /** The click's record, header included. */
  readonly record: Uint8Array
}

/** Charged impressions that are no entry yet: see decide-block.ts. */
export interface OpenBlock {
  /** Of its first impression, by the partition's time. */
  second: number
  items: BlockItems
}

/** Who used an idempotency key first, and who waits for its answer. */
export interface Claim {
  readonly bodyHash: string
  outcome: CommandOutcome | null
  waiting: string[]
}

export interface CalendarDay {
  readonly day: string
  readonly start: number
  readonly end: number
}

/** The small state of a partition that is written whole with each batch. JSON. */
export interface PartitionHead {
  /** The partition's own time: append times made monotone. Drives deadlines only. */
  time: number
  /** False in a log that began before `timePassed` records: up to the first, jumps were taken as they came. */
  jumpsAreLogged: boolean
  /** When holds and deadlines were last gone through, by that time. */
  sweptAt: number
  chainSequence: number
  /** Hash of the chain's last entry, hex. */
  chainHash: string
  transitionSequence: number
  entitySequence: Partial<Record<EntityKind, number>>
  treasuryEpoch: number
  /** How long a click waits for its impression: as the process said that opened the epoch, so that a replay waits as long. */
  holdMs: number
  /** For how long after its choice an impression is known, as the process said that opened the epoch. 0: for ever. */
  keptMs: number
  /** See floor.ts. Ms, 0 before the first. */
  floor: number
  /** How many seconds a small block takes in, as the process said that opened the epoch. 1 where it did not. */
  blockSeconds: number
  /** Next sequence by target, last applied by source. */
  effectsOut: Record<string, number>
  effectsIn: Record<string, number>
  /** Impressions of the last half second: [boot, serial, received]. For `tooSoon`. */
  recent: [number, number, number][]
  /** Days by zone, made ahead, in order. */
  calendars: Record<string, CalendarDay[]>
}

/** Of epochs that were opened before their records said it. */
const DEFAULT_HOLD_MS = 60_000

export function newHead(): PartitionHead {
  return {
    time: 0,
    jumpsAreLogged: false,
    sweptAt: 0,
    chainSequence: 0,
    chainHash: '0'.repeat(64),
    transitionSequence: 0,
    entitySequence: {},
    treasuryEpoch: 0,
    holdMs: DEFAULT_HOLD_MS,
    keptMs: 0,
    floor: 0,
    blockSeconds: 1,
    effectsOut: {},
    effectsIn: {},
    recent: [],
    calendars: {},
  }
}

/**
 * All that one partition knows. `decide` reads and changes it, and names in `Changes` what it changed; where the commit
 * fails the whole state is dropped and read again from the store.
 */
export class Partition {
  readonly entities: { [K in EntityTable]: Map<number, EntityTypes[K]> } = {
    advertiser: new Map(),
    campaign: new Map(),
    publisher: new Map(),
    placement: new Map(),
    key: new Map(),
  }
  readonly budgets = new Map<number, CampaignBudget>()
  readonly balances = new Map<number, Balance>()
  /** Campaigns of an advertiser, and the campaign of an ad, by number. */
  readonly campaignsOf = new Map<number, number[]>()
  readonly campaignOfAd = new Map<number, number>()
  /** The advertiser of a campaign, which never changes. */
  private readonly advertisers = new Map<number, number>()
  readonly openBlocks = new Map<string, OpenBlock>()
  /** In order of deadline, as they came in. */
  readonly held = new Map<string, HeldClick>()
  /** Of the idempotency keys that this partition owns, those whose command is on its way or was settled in this batch. */
  readonly claims = new Map<string, Claim>()
  /** Campaigns with something reserved: time will give it back. */
  readonly reserving = new Set<number>()
  /**
   * Those whose reserve has to be gone through: changed since the last time, or with holds that lapse. The rest have
   * leases alone, which end at `leasesEndAt` at the earliest. After a start, all of them.
   */
  readonly unsettled = new Set<number>()
  leasesEndAt = Number.POSITIVE_INFINITY
  /** Campaigns that have spent the day's cap: the next day wakes them, at `wakesAt` at the earliest. */
  readonly exhaustedDaily = new Set<number>()
  wakesAt = Number.POSITIVE_INFINITY

  constructor(
    readonly number: number,
    readonly head: PartitionHead,
    readonly bits: Bits,
  ) {}

  nextNumber(kind: EntityKind): number {
    const next = (this.head.entitySequence[kind] ?? 0) + 1
    this.head.entitySequence[kind] = next
    return entityNumber(next, this.number)
  }

  /** Takes an entity in, as decided or as read from the store. */
  put<K extends EntityTable>(kind: K, number: number, entity: EntityTypes[K]): void {
    const known = this.entities[kind].has(number)
    this.entities[kind].set(number, entity)
    if (kind === 'campaign') this.indexCampaign(number, entity as Campaign, known)
  }

  /** Takes a campaign's money in, as read from the store. */
  putBudget(campaign: number, budget: CampaignBudget): void {
    this.budgets.set(campaign, budget)
    if (budget.stopped === 'exhaustedDaily') this.wakeWithDay(campaign, budget)
    if (!isReserving(budget)) return
    this.reserving.add(campaign)
    this.unsettled.add(campaign)
  }

  /** Exhausted without a day, its cap is below its price: an edit wakes it, no day does. */
  wakeWithDay(campaign: number, budget: CampaignBudget): void {
    this.exhaustedDaily.add(campaign)
    const end = dayAt(budget, this.head.time)?.end ?? Number.POSITIVE_INFINITY
    this.wakesAt = Math.min(this.wakesAt, end)
  }

  /** 0 for a campaign that is not known. */
  advertiserOf(campaign: number): number {
    return this.advertisers.get(campaign) ?? 0
  }

  private indexCampaign(number: number, campaign: Campaign, known: boolean): void {
    for (const ad of campaign.ads) {
      const adNumber = parseId('ad', ad.id)
      if (adNumber !== null) this.campaignOfAd.set(adNumber, number)
    }
    if (known) return
    const advertiser = parseId('advertiser', campaign.advertiserId) ?? 0
    this.advertisers.set(number, advertiser)
    const campaigns = this.campaignsOf.get(advertiser)
    if (campaigns === undefined) this.campaignsOf.set(advertiser, [number])
    else campaigns.push(number)
  }
}

/** What a decision works on: the partition, the changes of the batch, and where and when the record stands. */
export interface Turn {
  readonly partition: Partition
  readonly changes: Changes
  /** The time that the edge gave the record. */
  readonly receivedAt: number
}
