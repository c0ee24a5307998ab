import { type CpmMicros, impressionCost, type Micros, micros } from '../core/money.ts'
import { HOUR_MS } from '../core/time.ts'
import { type Calibration, newCalibration, observeClick } from './calibration.ts'
import {
  addToPool,
  type ClickPool,
  decayPool,
  heldForClicks,
  isEmptyPool,
  newClickPool,
} from './click-pool.ts'
import { assertLink, type Link, newLink, unspent } from './link.ts'
import { heldForRenders, holdRenders, type RenderHold, settleRender } from './render-holds.ts'

/**
 * A part of a campaign's money, with one writer: it charges, and keeps back what its nodes may still cost. For each day
 *
 *   C + R + H <= granted - returned
 *
 * with C charged less refunded, R leased to nodes and not reported as chosen, H what chosen impressions may still cost.
 * What is left over is free: leases are taken from it, and charges without a hold.
 */
export interface Shard {
  model: 'cpc' | 'cpm'
  /** Micros of a click, or of a thousand impressions. */
  amount: number
  /** The remainder of CPM prices, thousandths of a micro. */
  remainder: number
  /** The treasury's epoch, and what its nodes have reported as chosen since it began: thousandths of a micro. */
  epoch: number
  chosen: number
  variance: number
  calibration?: Calibration
  /** Days that may still be charged, the newest last. */
  days: ShardDay[]
}

export interface ShardDay {
  readonly day: string
  readonly start: number
  readonly end: number
  readonly link: Link
  /** R, of the treasury's epoch: thousandths of a micro. */
  leaseLeft: number
  /** R of an older epoch, until no node can choose with it any more: thousandths of a micro. */
  draining?: number
  drainingUntil?: number
  /** H: of CPM, and of CPC. */
  readonly renders: RenderHold[]
  clicks?: ClickPool
}

/** What nodes report, as totals of an epoch: thousandths of a micro, and their square. */
export interface ChosenTotals {
  readonly epoch: number
  readonly chosenThousandths: number
  readonly variance: number
}

/** Days are kept for charges of late clicks and for refunds that reopen the day. */
export const DAYS_KEPT = 4
const CAUTION_MS = 1.5 * HOUR_MS
const CAUTION_MIN = 0.4

export function newShard(terms: Pick<Shard, 'model' | 'amount'>): Shard {
  return { ...terms, remainder: 0, epoch: 0, chosen: 0, variance: 0, days: [] }
}

export function newShardDay(day: Pick<ShardDay, 'day' | 'start' | 'end'>): ShardDay {
  return { day: day.day, start: day.start, end: day.end, link: newLink(), leaseLeft: 0, renders: [] }
}

export function dayAt<D extends ShardDay>(of: { readonly days: readonly D[] }, at: number): D | null {
  for (let i = of.days.length - 1; i >= 0; i--) {
    const day = of.days[i]!
    if (at >= day.start && at < day.end) return day
  }
  return null
}

/** The least that one more billable event costs. */
export function unitPrice(of: Pick<Shard, 'model' | 'amount'>): Micros {
  return micros(of.model === 'cpc' ? of.amount : Math.max(1, Math.ceil(of.amount / 1000)))
}

/** R + H at `now`, micros: what is to stay reserved of the day's money, as far as it is there. */
export function reserveTarget(shard: Shard, day: ShardDay, now: number): Micros {
  let reserved = day.leaseLeft + heldForRenders(day.renders, now)
  if (now < (day.drainingUntil ?? 0)) reserved += day.draining ?? 0
  if (day.clicks !== undefined) {
    shard.calibration ??= newCalibration()
    decayPool(day.clicks, now, shard.calibration)
    if (isEmptyPool(day.clicks)) delete day.clicks
    else reserved += heldForClicks(day.clicks, shard.calibration, cautionOf(day, now))
  }
  return micros(Math.ceil(reserved / 1000))
}

/** Falls over the last hours of the day. */
function cautionOf(day: ShardDay, now: number): number {
  return Math.min(1, Math.max(CAUTION_MIN, (day.end - now) / CAUTION_MS))
}

/** What the day has beyond R and H; negative where R and H are not covered. */
export function freeMicros(shard: Shard, day: ShardDay, now: number): number {
  return unspent(day.link) - reserveTarget(shard, day, now)
}

/** Moves money of the day to the treasury's lease, from what is free. Returns what was moved. */
export function leaseFree(shard: Shard, day: ShardDay, wanted: number, now: number): Micros {
  const moved = micros(Math.max(0, Math.min(Math.floor(wanted), freeMicros(shard, day, now))))
  day.leaseLeft += moved * 1000
  return moved
}

/** Charges the day where its money is there. It draws on what is reserved, too: a lease limits serving, not charging. */
export function spend(day: ShardDay, amount: Micros): boolean {
  if (unspent(day.link) < amount) return false
  day.link.charged = micros(day.link.charged + amount)
  return true
}

/** After `spend` took the cost of an impression: carries the remainder of its price, and ends its hold. */
export function settleImpression(shard: Shard, day: ShardDay, price: CpmMicros, chosenAt: number): void {
  shard.remainder = impressionCost(price, shard.remainder).remainder
  // A thousandth of a CPM price is the price of one impression: the units agree.
  settleRender(day.renders, chosenAt, price)
}

/** After `spend` took the price of a click: what was predicted is held against what came. */
export function settleClick(shard: Shard, amount: Micros): void {
  shard.calibration ??= newCalibration()
  observeClick(shard.calibration, amount)
}

/** Takes in what nodes chose, as totals of an epoch. Late and repeated reports change nothing. */
export function reportChosen(shard: Shard, day: ShardDay, report: ChosenTotals, at: number): void {
  if (report.epoch !== shard.epoch) return
  const chosen = Math.max(0, report.chosenThousandths - shard.chosen)
  const variance = Math.max(0, report.variance - shard.variance)
  shard.chosen += chosen
  shard.variance += variance
  day.leaseLeft = Math.max(0, day.leaseLeft - chosen)
  if (shard.model === 'cpm') holdRenders(day.renders, at, chosen)
  else {
    day.clicks ??= newClickPool(at)
    shard.calibration ??= newCalibration()
    addToPool(day.clicks, at, chosen, variance, shard.calibration)
  }
}

/**
 * A new epoch of the treasury. With what the old one had leased and not reported as chosen, its nodes may choose until
 * their leases end at `drainingUntil`; where they ended with the treasury (one process; 0) it is free at once.
 */
export function openEpoch(shard: Shard, epoch: number, drainingUntil: number): void {
  shard.epoch = epoch
  shard.chosen = 0
  shard.variance = 0
  for (const day of shard.days) {
    if (day.leaseLeft > 0 && drainingUntil > 0) {
      day.draining = day.leaseLeft
      day.drainingUntil = drainingUntil
    }
    day.leaseLeft = 0
  }
}

/** The treasury gives back what it will not hand out: it may be reserved for other things. */
export function unlease(day: ShardDay, thousandths: number): void {
  day.leaseLeft = Math.max(0, day.leaseLeft - thousandths)
}

/** What nobody may choose with any more: the campaign stopped. Charges then draw on free money. */
export function releaseLeases(shard: Shard): void {
  for (const day of shard.days) day.leaseLeft = 0
}

/** Gives money of the day back to the parent. */
export function giveBack(day: ShardDay, amount: number): Micros {
  const back = micros(Math.max(0, Math.min(amount, unspent(day.link))))
  day.link.returned = micros(day.link.returned + back)
  assertLink(day.link)
  return back
}

/** A refund goes to the parent: it reopens total and balance, and the day as long as the parent still grants to it. */
export function refundDay(day: ShardDay, amount: Micros): void {
  day.link.refunded = micros(day.link.refunded + amount)
  day.link.returned = micros(day.link.returned + amount)
  assertLink(day.link)
}

/** Whether anything is out with nodes or held for what they chose: time will give it back. */
export function isReserving(shard: Shard): boolean {
  return shard.days.some(
    day =>
      unspent(day.link) > 0 ||
      day.leaseLeft > 0 ||
      day.renders.length > 0 ||
      (day.clicks !== undefined && !isEmptyPool(day.clicks)),
  )
}
