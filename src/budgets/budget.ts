import { type CpmMicros, impressionCost, MICROS_MAX, type Micros, micros } from '../core/money.ts'
import { availableMicros, type Balance, isUndecided } from './balance.ts'
import { assertLink, type Link, netCharged, outWith, unspent } from './link.ts'
import {
  DAYS_KEPT,
  dayAt,
  endLease,
  giveBack,
  leasableMicros,
  newShard,
  newShardDay,
  openEpoch,
  refundDay,
  reserveTarget,
  type Shard,
  type ShardDay,
  settleClick,
  settleImpression,
  spend,
  unitPrice,
} from './shard.ts'
import type { ShardReport } from './shard-messages.ts'

/**
 * The money of one campaign in its home: its caps, and the shard that it has there.
 *
 * Balance -> campaign and its day -> shard: every arrow is a Link. Those of the home share a partition, so a message of
 * the link is a call within the same commit, grants are made to the micro when they are needed, and what is not needed
 * goes back at once. Shards elsewhere hold links of their own (far-shards.ts).
 */
export interface CampaignBudget extends Shard {
  totalCap: Micros | null
  dailyCap: Micros | null
  timeZone: string
  days: DayBudget[]
  /** Net spend of days that were folded away. */
  foldedSpend: Micros
  stopped: StopReason
  /** Shards in other partitions and regions, by number. */
  far?: Record<number, FarShard>
  /** When a far shard last wanted more than there was: all of them give back what they do not need. */
  scarceAt?: number
  /** When charges of a shard began to wait last: the others are to hear of it at once. */
  shortAt?: number
  /** After a restore, by shard: what it said under the new incarnation, taken in once all have spoken. */
  told?: Record<number, ShardReport>
}

/** What charges of a shard wait for, as the campaign has heard it. */
export interface ShardShort {
  readonly micros: number
  /** Heard first, and last: a shard says so every second while its charges wait. */
  readonly since: number
  readonly at: number
}

export interface DayBudget extends ShardDay {
  /** Links to far shards: number and fence of the shard, `2:0`. Those of older fences are closed. */
  far?: Record<string, FarLink>
  /** By shard, what its charges wait for. */
  short?: Record<number, ShardShort>
}

/** The parent's side of a link to a shard elsewhere. */
export interface FarLink extends Link {
  /** Its fence was raised: nothing of it is the child's any more but what was merged, and what is honoured late. */
  closed?: boolean
  /** What the child charged was weighed: what stands is `charged - refunded`, and only refunds change it from then on. */
  settled?: boolean
}

export interface FarShard {
  /** Of the balance's fence of this shard, up to where its links are closed. */
  fence: number
  /** The newest incarnation of the parent under which it has told. */
  echoed: number
  /** When it last wanted money: what is scarce is shared among those that do. */
  wantedAt: number
  /** When it was heard of last. */
  heardAt: number
}

export type StopReason = 'unfunded' | 'exhaustedDaily' | 'exhausted' | null

export function newBudget(
  terms: Pick<CampaignBudget, 'model' | 'amount' | 'totalCap' | 'dailyCap' | 'timeZone'>,
): CampaignBudget {
  const { totalCap, dailyCap, timeZone } = terms
  return { ...newShard(terms), totalCap, dailyCap, timeZone, days: [], foldedSpend: micros(0), stopped: null }
}

/** Net spend of a day, as far as it is known here. */
export function spentOn(day: DayBudget): Micros {
  let spent: number = netCharged(day.link)
  for (const key in day.far) spent += netCharged(day.far[key]!)
  return micros(spent)
}

/** What the day has granted and not got back, spent or not: within the daily cap. */
export function outOn(day: DayBudget): Micros {
  let out: number = outWith(day.link)
  for (const key in day.far) out += outWith(day.far[key]!)
  return micros(out)
}

export function spentTotal(budget: CampaignBudget): Micros {
  let spent: number = budget.foldedSpend
  for (const day of budget.days) spent += spentOn(day)
  return micros(spent)
}

/** What is out with shards and not spent. */
export function reservedTotal(budget: CampaignBudget): Micros {
  let reserved = 0
  for (const day of budget.days) reserved += outOn(day) - spentOn(day)
  return micros(reserved)
}

/** Days abut: one that would overlap the last (a zone was changed) starts where the last ends. Null where it is over. */
export function newDay(
  budget: CampaignBudget,
  day: { readonly day: string; readonly start: number; readonly end: number },
): DayBudget | null {
  const last = budget.days.at(-1)
  const start = last === undefined ? day.start : Math.max(day.start, last.end)
  return start >= day.end ? null : newShardDay({ ...day, start })
}

/** Folds days away that nothing can be charged to any more. What they had reserved has come back before. */
export function foldDays(budget: CampaignBudget, balance: Balance): void {
  while (budget.days.length > DAYS_KEPT) {
    const oldest = budget.days.shift()!
    const reserved = outOn(oldest) - spentOn(oldest)
    balance.reserved = micros(balance.reserved - reserved)
    budget.foldedSpend = micros(budget.foldedSpend + spentOn(oldest))
  }
}

/**
 * What the parents would still grant to this day. Negative after a cap was cut below what is out. Totals only grow, with
 * each grant and each charge: where one would not be exact any more, the day has had all that it gets.
 */
export function grantable(budget: CampaignBudget, day: DayBudget, balance: Balance): number {
  if (isUndecided(balance)) return 0
  const room = Math.min(
    availableMicros(balance),
    MICROS_MAX - day.link.granted,
    (budget.totalCap ?? MICROS_MAX) - spentTotal(budget) - reservedTotal(budget),
  )
  return budget.dailyCap === null ? room : Math.min(room, budget.dailyCap - outOn(day))
}

/** Reserves up to `wanted` more for the home's shard; returns what was granted. */
export function reserve(budget: CampaignBudget, day: DayBudget, balance: Balance, wanted: number): Micros {
  const granted = micros(Math.max(0, Math.min(wanted, grantable(budget, day, balance))))
  day.link.granted = micros(day.link.granted + granted)
  balance.reserved = micros(balance.reserved + granted)
  return granted
}

/** Charges the day. False where neither what is reserved nor the parents have the money: nothing has changed then. */
export function charge(budget: CampaignBudget, day: DayBudget, balance: Balance, amount: Micros): boolean {
  // A cap may have been cut below what is out: money granted before the cut does not pay past it.
  if (budget.totalCap !== null && spentTotal(budget) + amount > budget.totalCap) return false
  if (budget.dailyCap !== null && spentOn(day) + amount > budget.dailyCap) return false
  const missing = amount - unspent(day.link)
  if (missing > 0) {
    if (grantable(budget, day, balance) < missing) return false
    reserve(budget, day, balance, missing)
  }
  if (!spend(day, amount)) return false
  balance.reserved = micros(balance.reserved - amount)
  balance.balance = micros(balance.balance - amount)
  assertLink(day.link)
  return true
}

/** Charges a click at a CPC price. */
export function chargeClick(
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  amount: Micros,
): boolean {
  if (!charge(budget, day, balance, amount)) return false
  settleClick(budget, amount)
  return true
}

/** Charges a rendered impression at a CPM price, the remainder carried. Null where the money is not there. */
export function chargeImpression(
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  price: CpmMicros,
  times: { readonly chosenAt: number; readonly now: number },
): Micros | null {
  const { cost } = impressionCost(price, budget.remainder)
  if (!charge(budget, day, balance, cost)) return null
  settleImpression(budget, day, price, times)
  return cost
}

/** Takes a refund back in. It reopens total and balance, and the day while that day lasts. */
export function refund(budget: CampaignBudget, balance: Balance, chargedAt: number, amount: Micros): void {
  balance.balance = micros(balance.balance + amount)
  const day = dayAt(budget, chargedAt)
  // A charge from outside of all known days was taken from another than the one that is found now.
  if (day === null || netCharged(day.link) < amount) {
    budget.foldedSpend = micros(budget.foldedSpend - amount)
  } else refundDay(day, amount)
}

/** What the home's shard could lease, from what its parents would still grant to the day. Looks only. */
export function leasable(budget: CampaignBudget, day: DayBudget, balance: Balance, now: number): number {
  const room = grantable(budget, day, balance)
  if (budget.model === 'cpm') return room
  return Math.min(room, leasableMicros(budget, day, unspent(day.link) + room, now))
}

/** Leases money for choosing, under the treasury's epoch. Returns the micros that were granted. */
export function takeLease(
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  lease: { readonly epoch: number; readonly amountMicros: number; readonly now: number },
): Micros {
  if (budget.epoch !== lease.epoch) openEpoch(budget, lease.epoch, 0, 0)
  const wanted = Math.min(lease.amountMicros, leasable(budget, day, balance, lease.now))
  const granted = reserve(budget, day, balance, wanted)
  day.leaseLeft += granted * 1000
  return granted
}

/** Brings what the home's shard has reserved to its target: asks for what is missing where it can be had, gives back the rest. */
export function rebalance(budget: CampaignBudget, balance: Balance, now: number): void {
  for (const day of budget.days) {
    endLease(budget, day, now)
    const surplus = unspent(day.link) - reserveTarget(budget, day, now)
    if (surplus > 0) balance.reserved = micros(balance.reserved - giveBack(day, surplus))
    else if (surplus < 0) reserve(budget, day, balance, -surplus)
  }
}

/** Of leases in thousandths of a micro, that one price is exact. A click, or a thousand impressions, at nine million dollars. */
export const PRICE_CHOSEN_MAX = Math.floor(MICROS_MAX / 1000)

/** Why the money does not let the campaign be chosen. By what is spent: less than one price left is exhausted. */
export function stopReason(budget: CampaignBudget, balance: Balance, now: number): StopReason {
  // No lease holds it: it is kept and charged for what servers report, and never chosen.
  if (budget.amount > PRICE_CHOSEN_MAX) return 'unfunded'
  const price = unitPrice(budget)
  if (budget.totalCap !== null && budget.totalCap - spentTotal(budget) < price) return 'exhausted'
  if (balance.balance + balance.credit < price) return 'unfunded'
  const day = dayAt(budget, now)
  if (budget.dailyCap !== null) {
    if (budget.dailyCap - (day === null ? 0 : spentOn(day)) < price) return 'exhaustedDaily'
  }
  return null
}
