import { type CpmMicros, impressionCost, type Micros, micros } from '../core/money.ts'
import { availableMicros, type Balance } from './balance.ts'
import { addChoice, type ChoiceBucket, heldThousandths, settleChoice } from './liability.ts'
import { assertLink, type Link, netCharged, newLink, outWith, unspent } from './link.ts'

/**
 * The money of one campaign in its home: the campaign's caps and its shard, day by day.
 *
 * Balance -> campaign -> day: every arrow is a Link. They share a partition, so a message of the link is a call within
 * the same commit, grants are made to the micro when they are needed, and what is not needed goes back at once. So
 * for each day: granted - returned = charged - refunded + reserved, where `reserved` is R + H of the design: what nodes
 * may still choose with, and what chosen impressions may still cost.
 *
 * A lease limits serving, not charging: a charge draws on what is reserved, then asks its parents once.
 */
export interface DayBudget {
  readonly day: string
  readonly start: number
  readonly end: number
  readonly link: Link
  /** R: money leased for choosing and not reported as chosen, thousandths of a micro. */
  leaseLeft: number
  readonly choices: ChoiceBucket[]
}

export interface CampaignBudget {
  model: 'cpc' | 'cpm'
  /** Micros of a click, or of a thousand impressions. */
  amount: number
  totalCap: Micros | null
  dailyCap: Micros | null
  timeZone: string
  /** The remainder of CPM prices, thousandths of a micro. */
  remainder: number
  /** The treasury's epoch, and what its nodes have reported as chosen since it began: thousandths of a micro. */
  epoch: number
  chosen: number
  variance: number
  /** Days that may still be charged, the newest last. */
  days: DayBudget[]
  /** Net spend of days that were folded away. */
  foldedSpend: Micros
  stopped: StopReason
}

export type StopReason = 'unfunded' | 'exhaustedDaily' | 'exhausted' | null

export function newBudget(
  terms: Pick<CampaignBudget, 'model' | 'amount' | 'totalCap' | 'dailyCap' | 'timeZone'>,
): CampaignBudget {
  return {
    ...terms,
    remainder: 0,
    epoch: 0,
    chosen: 0,
    variance: 0,
    days: [],
    foldedSpend: micros(0),
    stopped: null,
  }
}

/** Days are kept for charges of late clicks and for refunds that reopen the day. */
export const DAYS_KEPT = 4

export function spentTotal(budget: CampaignBudget): Micros {
  let spent: number = budget.foldedSpend
  for (const day of budget.days) spent += netCharged(day.link)
  return micros(spent)
}

export function reservedTotal(budget: CampaignBudget): Micros {
  let reserved = 0
  for (const day of budget.days) reserved += unspent(day.link)
  return micros(reserved)
}

export function dayAt(budget: CampaignBudget, at: number): DayBudget | null {
  for (let i = budget.days.length - 1; i >= 0; i--) {
    const day = budget.days[i]!
    if (at >= day.start && at < day.end) return day
  }
  return null
}

/** Days abut: one that would overlap the last (a zone was changed) starts where the last ends. Null where it is over. */
export function newDay(
  budget: CampaignBudget,
  day: { readonly day: string; readonly start: number; readonly end: number },
): DayBudget | null {
  const last = budget.days.at(-1)
  const start = last === undefined ? day.start : Math.max(day.start, last.end)
  if (start >= day.end) return null
  return { day: day.day, start, end: day.end, link: newLink(), leaseLeft: 0, choices: [] }
}

/** Whether anything of the budget is out with nodes or held for what they chose: time will give it back. */
export function isReserving(budget: CampaignBudget): boolean {
  return budget.days.some(day => unspent(day.link) > 0 || day.leaseLeft > 0 || day.choices.length > 0)
}

/** Folds days away that nothing can be charged to any more. What they had reserved has come back before. */
export function foldDays(budget: CampaignBudget, balance: Balance): void {
  while (budget.days.length > DAYS_KEPT) {
    const oldest = budget.days.shift()!
    giveBack(oldest, balance, unspent(oldest.link))
    budget.foldedSpend = micros(budget.foldedSpend + netCharged(oldest.link))
  }
}

/** What the parents would still grant to this day. Negative after a cap was cut below what is out. */
export function grantable(budget: CampaignBudget, day: DayBudget, balance: Balance): number {
  let room = availableMicros(balance)
  if (budget.dailyCap !== null) room = Math.min(room, budget.dailyCap - outWith(day.link))
  if (budget.totalCap !== null) {
    room = Math.min(room, budget.totalCap - spentTotal(budget) - reservedTotal(budget))
  }
  return room
}

/** Reserves up to `wanted` more for the day; returns what was granted. */
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
  if (budget.dailyCap !== null && netCharged(day.link) + amount > budget.dailyCap) return false
  const missing = amount - unspent(day.link)
  if (missing > 0) {
    if (grantable(budget, day, balance) < missing) return false
    reserve(budget, day, balance, missing)
  }
  day.link.charged = micros(day.link.charged + amount)
  balance.reserved = micros(balance.reserved - amount)
  balance.balance = micros(balance.balance - amount)
  assertLink(day.link)
  return true
}

/** Charges a rendered impression at a CPM price, the remainder carried. Null where the money is not there. */
export function chargeImpression(
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  price: CpmMicros,
  chosenAt: number,
): Micros | null {
  const next = impressionCost(price, budget.remainder)
  if (!charge(budget, day, balance, next.cost)) return null
  budget.remainder = next.remainder
  // A thousandth of a CPM price is the price of one impression: the units agree.
  settleChoice(day.choices, chosenAt, price)
  return next.cost
}

/** Takes a refund back in. It reopens total and balance, and the day while that day lasts. */
export function refund(budget: CampaignBudget, balance: Balance, chargedAt: number, amount: Micros): void {
  balance.balance = micros(balance.balance + amount)
  const day = dayAt(budget, chargedAt)
  if (day === null) {
    budget.foldedSpend = micros(budget.foldedSpend - amount)
    return
  }
  day.link.refunded = micros(day.link.refunded + amount)
  day.link.returned = micros(day.link.returned + amount)
  assertLink(day.link)
}

/** Leases money for choosing, under the treasury's epoch. Returns the micros that were granted. */
export function takeLease(
  budget: CampaignBudget,
  day: DayBudget,
  balance: Balance,
  lease: { readonly epoch: number; readonly amountMicros: number },
): Micros {
  if (budget.epoch !== lease.epoch) openEpoch(budget, lease.epoch)
  const granted = reserve(budget, day, balance, lease.amountMicros)
  day.leaseLeft += granted * 1000
  return granted
}

/** Takes in what nodes chose, as totals of an epoch. Late and repeated reports change nothing. */
export function reportChosen(
  budget: CampaignBudget,
  day: DayBudget,
  report: { readonly epoch: number; readonly chosenThousandths: number; readonly variance: number },
  at: number,
): void {
  if (report.epoch !== budget.epoch) return
  const chosen = Math.max(0, report.chosenThousandths - budget.chosen)
  const variance = Math.max(0, report.variance - budget.variance)
  budget.chosen += chosen
  budget.variance += variance
  day.leaseLeft = Math.max(0, day.leaseLeft - chosen)
  addChoice(day.choices, at, chosen, variance)
}

/** A new epoch: what the old one had leased and not reported as chosen is free again. */
export function openEpoch(budget: CampaignBudget, epoch: number): void {
  budget.epoch = epoch
  budget.chosen = 0
  budget.variance = 0
  releaseLeases(budget)
}

/** What nobody may choose with any more: the campaign stopped, or its nodes are gone. Charges then draw on free money. */
export function releaseLeases(budget: CampaignBudget): void {
  for (const day of budget.days) day.leaseLeft = 0
}

/** What R and H should be at `now`, micros. */
export function reserveTarget(budget: CampaignBudget, day: DayBudget, now: number): Micros {
  const held = heldThousandths(day.choices, budget.model, now)
  return micros(Math.ceil((day.leaseLeft + held) / 1000))
}

/** Brings what is reserved to its target: asks for what is missing where it can be had, gives back what is too much. */
export function rebalance(budget: CampaignBudget, balance: Balance, now: number): void {
  for (const day of budget.days) {
    if (now >= day.end) day.leaseLeft = 0
    const target = reserveTarget(budget, day, now)
    const surplus = unspent(day.link) - target
    if (surplus > 0) giveBack(day, balance, surplus)
    else if (surplus < 0) reserve(budget, day, balance, -surplus)
  }
}

function giveBack(day: DayBudget, balance: Balance, amount: number): void {
  day.link.returned = micros(day.link.returned + amount)
  balance.reserved = micros(balance.reserved - amount)
  assertLink(day.link)
}

/** The least that one more billable event costs. */
export function unitPrice(budget: Pick<CampaignBudget, 'model' | 'amount'>): Micros {
  return micros(budget.model === 'cpc' ? budget.amount : Math.max(1, Math.ceil(budget.amount / 1000)))
}

/** Why the money does not let the campaign be chosen. By what is spent: less than one price left is exhausted. */
export function stopReason(budget: CampaignBudget, balance: Balance, now: number): StopReason {
  const price = unitPrice(budget)
  if (budget.totalCap !== null && budget.totalCap - spentTotal(budget) < price) return 'exhausted'
  if (balance.balance + balance.credit < price) return 'unfunded'
  const day = dayAt(budget, now)
  if (budget.dailyCap !== null) {
    if (budget.dailyCap - (day === null ? 0 : netCharged(day.link)) < price) return 'exhaustedDaily'
  }
  return null
}
