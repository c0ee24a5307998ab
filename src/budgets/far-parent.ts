import { type Micros, micros } from '../core/money.ts'
import { type Link, netCharged, newLink, unspent } from './link.ts'
import {
  DAYS_KEPT,
  giveBack,
  newShardDay,
  refundDay,
  reserveTarget,
  type Shard,
  type ShardDay,
  unitPrice,
} from './shard.ts'
import type { ShardGrant, ShardReport, Wanted } from './shard-messages.ts'

/**
 * The shard's side of its link to a campaign elsewhere: it is granted money ahead of need, reports totals, gives back
 * what it does not need, and starts anew under a higher fence where it was given up while it was cut off.
 */
export interface FarParent {
  readonly campaign: number
  readonly shard: number
  fence: number
  incarnation: number
  /** By shard, the highest that were heard of. */
  fences: Record<number, number>
  /** Under older fences: what was charged there is to be honoured, or reversed. Kept as long as its day. */
  closed: ClosedDay[]
  stopped: boolean
  scarce: boolean
  pacing: number
  /** Whether any node is there to choose with its money. */
  hasNodes: boolean
  /** Micros a second charged or leased, observed: sizes what is wanted. */
  rate: number
  /** When the campaign answered last, and no other shard had yet to. */
  answeredAt: number
  /** When more was granted last: it is to be tried before it goes back. */
  grantedAt: number
  /** Where money is scarce and the shard had no use for its share, it asks again then, and later each time. */
  quietUntil: number
  backoffMs: number
}

export interface ClosedDay {
  readonly fence: number
  readonly day: string
  readonly start: number
  readonly end: number
  readonly link: Link
  settled: number | null
}

/** What a shard likes to have in hand, in seconds of its spend: a cut of the network is outlived for so long at least. */
export const HORIZON_SECONDS = 30
/** And at least so many of the campaign's prices, so that the first requests meet money. */
const LEAST_PRICES = 10
/** Where money is scarce: seconds of spend. */
const SCARCE_SECONDS = 2
/** What was just granted is tried for so long. */
const TRIED_MS = 3000
/** Weight of the newest second in the observed rate. */
const RATE_WEIGHT = 0.3
/** Micros a second below which there is no spend to speak of. */
const LEAST_RATE = 1e-6
const BACKOFF_MS_MIN = 1000
const BACKOFF_MS_MAX = 30_000
/** Tomorrow's money is asked for so long before midnight. */
export const TOMORROW_MS = 30_000

export function newFarParent(campaign: number, shard: number): FarParent {
  return {
    campaign,
    shard,
    fence: 0,
    incarnation: 0,
    fences: {},
    closed: [],
    stopped: false,
    scarce: false,
    pacing: 1,
    hasNodes: true,
    rate: 0,
    answeredAt: Number.NEGATIVE_INFINITY,
    grantedAt: Number.NEGATIVE_INFINITY,
    quietUntil: 0,
    backoffMs: BACKOFF_MS_MIN,
  }
}

/** What the shard leased in the last of `seconds`, of the others nothing: who spends nothing need not be looked at. */
export function observeSpend(parent: FarParent, spentMicros: number, seconds: number): void {
  for (let quiet = 1; quiet < seconds && parent.rate > 0; quiet++) observeSecond(parent, 0)
  observeSecond(parent, spentMicros)
  if (spentMicros > 0) {
    parent.backoffMs = BACKOFF_MS_MIN
    parent.quietUntil = 0
  }
}

function observeSecond(parent: FarParent, spentMicros: number): void {
  parent.rate += RATE_WEIGHT * (Math.max(0, spentMicros) - parent.rate)
  if (parent.rate < LEAST_RATE) parent.rate = 0
}

/** Takes a grant in. Of an older fence or incarnation it is refused: its parent may have forgotten of it since. */
export function applyGrant(parent: FarParent, shard: Shard, grant: ShardGrant, now: number): GrantHeard {
  if (grant.fence < parent.fence || grant.incarnation < parent.incarnation) return { reversed: [] }
  if (grant.fence > parent.fence) beginFence(parent, shard, grant.fence)
  parent.incarnation = grant.incarnation
  for (const number in grant.fences) {
    parent.fences[number] = Math.max(parent.fences[number] ?? 0, grant.fences[number]!)
  }
  if (!grant.undecided && !grant.awaitsOthers) parent.answeredAt = now
  parent.stopped = grant.stopped
  parent.scarce = grant.scarce
  parent.pacing = grant.pacing
  for (const said of grant.days) {
    let day = shard.days.find(({ start }) => start === said.start)
    if (day === undefined) {
      const last = shard.days.at(-1)
      if (last !== undefined && said.start < last.end) continue
      day = newShardDay(said)
      shard.days.push(day)
    }
    if (said.granted <= day.link.granted) continue
    day.link.granted = micros(said.granted)
    parent.grantedAt = now
  }
  while (shard.days.length > DAYS_KEPT) shard.days.shift()
  const reversed = settleHonoured(parent, grant)
  const oldest = shard.days[0]?.start ?? Number.NEGATIVE_INFINITY
  parent.closed = parent.closed.filter(({ settled, start }) => settled === null || start >= oldest)
  return { reversed }
}

export interface GrantHeard {
  /** Charges beyond what was honoured, by day: to be refunded to the advertiser, who was promised a hard cap. */
  readonly reversed: readonly {
    readonly fence: number
    readonly start: number
    readonly amountMicros: Micros
  }[]
}

/** Whether something was charged under an older fence of which the campaign has not said what stands. */
export function hasUnsettled(parent: FarParent): boolean {
  return parent.closed.some(({ settled }) => settled === null)
}

/**
 * Gives a charge back, on the link that it was charged on. False where that has not so much left: what was reversed is
 * not refunded once more.
 */
export function refundCharge(
  parent: FarParent,
  shard: Shard,
  charge: { readonly fence: number; readonly start: number; readonly amount: Micros },
): boolean {
  const { fence, start, amount } = charge
  if (fence === parent.fence) {
    const day = shard.days.find(known => known.start === start)
    if (day === undefined || netCharged(day.link) < amount) return false
    refundDay(day, amount)
    return true
  }
  const closed = parent.closed.find(known => known.fence === fence && known.start === start)
  if (closed === undefined || netCharged(closed.link) < amount) return false
  closed.link.refunded = micros(closed.link.refunded + amount)
  return true
}

/** All that there is to tell, of the current fence and of older ones: a restored campaign needs the whole of it at once. */
export function reportOf(parent: FarParent, shard: Shard, wanted: ShardReport['wanted']): ShardReport {
  return {
    campaign: parent.campaign,
    shard: parent.shard,
    fence: parent.fence,
    echoed: parent.incarnation,
    fences: { ...parent.fences },
    days: shard.days.map(totalsOf),
    closed: parent.closed.map(closed => ({
      ...totalsOf(closed),
      fence: closed.fence,
      settled: closed.settled,
    })),
    wanted,
  }
}

/**
 * What the shard would like to have unspent today, and near midnight tomorrow; and of whatever day, what its waiting
 * charges are short of, by the start of the day.
 */
export function wantedOf(
  parent: FarParent,
  shard: Shard,
  now: number,
  short: ReadonlyMap<number, number>,
): Wanted[] {
  const wanted: Wanted[] = []
  for (const day of shard.days) {
    const { start } = day
    const shortMicros = short.get(start) ?? 0
    const isOpen = now < day.end && now >= start - TOMORROW_MS
    const serves = isOpen && parent.hasNodes && !parent.stopped && now >= parent.quietUntil
    if (!serves && shortMicros === 0) continue
    const ahead = Math.max(parent.rate * HORIZON_SECONDS, LEAST_PRICES * unitPrice(shard))
    const micros = serves ? Math.ceil(reserveTarget(shard, day, now) + ahead) : 0
    wanted.push({ start, micros, shortMicros })
  }
  return wanted
}

/** Gives back what the shard does not need: all that is free of a day that is over, most of it where money is scarce. */
export function returnSurplus(parent: FarParent, shard: Shard, now: number): boolean {
  let returned = false
  let unused = false
  for (const day of shard.days) {
    const surplus = Math.floor(unspent(day.link) - keepOf(parent, shard, day, now))
    if (surplus <= 0) continue
    giveBack(day, surplus)
    returned = true
    if (surplus >= unitPrice(shard) && now < day.end) unused = true
  }
  if (unused && parent.scarce && parent.rate < unitPrice(shard)) {
    // Many shards, little money: whoever has requests is not to wait for those that have none.
    parent.quietUntil = now + parent.backoffMs
    parent.backoffMs = Math.min(BACKOFF_MS_MAX, 2 * parent.backoffMs)
  }
  return returned
}

function keepOf(parent: FarParent, shard: Shard, day: ShardDay, now: number): number {
  // Money that does not pay for one event is of use only together with the others' fragments: it holds nothing here.
  if (parent.scarce && unspent(day.link) < unitPrice(shard)) return Math.ceil(day.leaseLeft / 1000)
  const needed = reserveTarget(shard, day, now)
  if (now >= day.end || parent.stopped || !parent.hasNodes) return needed
  if (parent.scarce && now - parent.grantedAt >= TRIED_MS) return needed + parent.rate * SCARCE_SECONDS
  return needed + 2 * Math.max(parent.rate * HORIZON_SECONDS, LEAST_PRICES * unitPrice(shard))
}

/** The parent has given this shard up: all that it had is the parent's again, and the shard starts from nothing. */
function beginFence(parent: FarParent, shard: Shard, fence: number): void {
  for (const day of shard.days) {
    const { start, end } = day
    if (day.link.charged > 0) {
      parent.closed.push({
        fence: parent.fence,
        day: day.day,
        start,
        end,
        link: { ...day.link },
        settled: null,
      })
    }
    Object.assign(day.link, newLink())
    day.leaseLeft = 0
    // What nodes may still choose with is of money that is the parent's: they are told, and it may be given away.
    delete day.draining
    delete day.drainingUntil
  }
  parent.fence = fence
}

function settleHonoured(parent: FarParent, grant: ShardGrant): GrantHeard['reversed'] {
  const reversed: GrantHeard['reversed'][number][] = []
  for (const { fence, start, charged } of grant.honoured) {
    const closed = parent.closed.find(known => known.fence === fence && known.start === start)
    if (closed === undefined) continue
    closed.settled = grant.incarnation
    const amountMicros = micros(netCharged(closed.link) - charged)
    if (amountMicros <= 0) continue
    closed.link.refunded = micros(closed.link.refunded + amountMicros)
    reversed.push({ fence, start, amountMicros })
  }
  return reversed
}

function totalsOf(day: ClosedDay | ShardDay): ShardReport['days'][number] {
  const { granted, returned, charged, refunded } = day.link
  return { day: day.day, start: day.start, end: day.end, granted, returned, charged, refunded }
}
