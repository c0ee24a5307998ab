import { type CpmMicros, impressionCost, MICROS_MAX, type Micros, micros } from '../core/money.ts'
import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { type Calibration, newCalibration, observeClick } from './calibration.ts'
import { LAST_CLICK_MS } from './click-delay.ts'
import {
  addToPool,
  type ClickPool,
  type ClicksOut,
  decayPool,
  heldForClicks,
  isEmptyPool,
  leasableForClicks,
  newClickPool,
} from './click-pool.ts'
import { DRAIN_MS } from './lease-time.ts'
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
  /** Of what drains, what nodes have told the treasury of this epoch that they will not choose with. */
  dropped?: number
  /** Of `chosen`, what no node has told. */
  supposed?: number
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
  /**
   * R that nodes may not have heard of that it ended: of an older epoch, of a campaign that stopped, of a day that is over.
   * Thousandths of a micro. From `drainingUntil` on no node can choose with it, and what of it was not dropped until then
   * may have been chosen: it goes to H.
   */
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
  readonly droppedThousandths?: number
  /** Of what was chosen, what the treasury took for it: nodes had it in hand, and were not heard of again. */
  readonly supposedThousandths?: number
}

/** Days are kept for charges of late clicks and for refunds that reopen the day. */
export const DAYS_KEPT = 4
/** Over so much of its end a day's margin falls to so little, in steps: in between nothing changes with time alone. */
const CAUTION_MS = 1.5 * HOUR_MS
const CAUTION_STEP_MS = 5 * MINUTE_MS
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
  endDraining(shard, day, now)
  if (shard.model === 'cpm')
    return micros(Math.ceil((leasedOf(day) + heldForRenders(day.renders, now)) / 1000))
  if (day.clicks !== undefined) {
    shard.calibration ??= newCalibration()
    decayPool(day.clicks, now, shard.calibration)
    if (isEmptyPool(day.clicks) || now >= day.end + LAST_CLICK_MS) delete day.clicks
  }
  // The margin of a few clicks at a very high price is more than there can be money.
  return micros(Math.min(MICROS_MAX, Math.ceil(heldForClicks(clicksOf(shard, day, now)) / 1000)))
}

/**
 * Of `money`, which is all that the day has or could have, what may still be leased: micros. It only looks: holds lapse
 * where the target is asked for.
 */
export function leasableMicros(shard: Shard, day: ShardDay, money: number, now: number): Micros {
  const thousandths =
    shard.model === 'cpm'
      ? money * 1000 - leasedOf(day) - heldForRenders([...day.renders], now)
      : leasableForClicks(clicksOf(shard, day, now), money * 1000)
  return micros(Math.max(0, Math.min(money, Math.floor(thousandths / 1000))))
}

/** R, whether of this epoch or of one that drains. */
function leasedOf(day: ShardDay): number {
  return day.leaseLeft + (day.draining ?? 0)
}

function clicksOf(shard: Shard, day: ShardDay, now: number): ClicksOut {
  return {
    pool: day.clicks,
    calibration: shard.calibration,
    leased: leasedOf(day),
    price: shard.amount * 1000,
    caution: cautionOf(day, now),
  }
}

function cautionOf(day: ShardDay, now: number): number {
  return Math.min(1, Math.max(CAUTION_MIN, (stepsLeft(day, now) * CAUTION_STEP_MS) / CAUTION_MS))
}

function stepsLeft(day: ShardDay, now: number): number {
  return Math.ceil((day.end - now) / CAUTION_STEP_MS)
}

/** When the margin of a day falls next; its end at the latest. */
function nextFall(day: ShardDay, now: number): number {
  return Math.min(
    day.end,
    Math.max(day.end - CAUTION_MS, day.end - (stepsLeft(day, now) - 1) * CAUTION_STEP_MS),
  )
}

/** What the day has beyond R and H; negative where R and H are not covered. */
export function freeMicros(shard: Shard, day: ShardDay, now: number): number {
  return unspent(day.link) - reserveTarget(shard, day, now)
}

/** Moves money of the day to the treasury's lease, from what is free. Returns what was moved. */
export function leaseFree(shard: Shard, day: ShardDay, wanted: number, now: number): Micros {
  const free = freeMicros(shard, day, now)
  const leasable = Math.min(free, leasableMicros(shard, day, unspent(day.link), now))
  const moved = micros(Math.max(0, Math.min(Math.floor(wanted), leasable)))
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
export function settleImpression(
  shard: Shard,
  day: ShardDay,
  price: CpmMicros,
  { chosenAt, now }: { readonly chosenAt: number; readonly now: number },
): void {
  shard.remainder = impressionCost(price, shard.remainder).remainder
  // A thousandth of a CPM price is the price of one impression: the units agree.
  settleRender(day.renders, chosenAt, now, price)
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
  // What the lease does not cover was chosen with what drains.
  let drained = Math.max(0, chosen - day.leaseLeft)
  day.leaseLeft = Math.max(0, day.leaseLeft - chosen)
  const supposedBefore = shard.supposed ?? 0
  shard.supposed = Math.max(supposedBefore, report.supposedThousandths ?? 0)
  hold(shard, day, { chosen, variance, supposed: shard.supposed - supposedBefore }, at)
  // A node that has it in hand has chosen nothing with it, and will not.
  const droppedBefore = shard.dropped ?? 0
  shard.dropped = Math.max(droppedBefore, report.droppedThousandths ?? 0)
  drained += shard.dropped - droppedBefore
  for (const draining of shard.days) {
    if (draining.draining === undefined || drained <= 0) continue
    const part = Math.min(drained, draining.draining)
    draining.draining -= part
    drained -= part
  }
}

/** H of what was chosen: thousandths of a micro, and their square. */
function hold(
  shard: Shard,
  day: ShardDay,
  {
    chosen,
    variance,
    supposed,
  }: { readonly chosen: number; readonly variance: number; readonly supposed: number },
  at: number,
): void {
  if (shard.model === 'cpm') holdRenders(day.renders, at, chosen)
  else {
    day.clicks ??= newClickPool(at)
    shard.calibration ??= newCalibration()
    addToPool(day.clicks, at, chosen, variance, shard.calibration, supposed)
  }
}

function endDraining(shard: Shard, day: ShardDay, now: number): void {
  const { draining, drainingUntil } = day
  if (draining === undefined || drainingUntil === undefined || now < drainingUntil) return
  delete day.draining
  delete day.drainingUntil
  // As if each of it was chosen at the last moment.
  const price = shard.amount * 1000
  if (draining > 0) {
    const supposed = { chosen: draining, variance: draining * price, supposed: draining }
    hold(shard, day, supposed, drainingUntil)
  }
}

/**
 * A new epoch of the treasury. With what the old one had leased and not reported as chosen, its nodes may choose for
 * `drainMs` more; where they ended with the treasury (one process; 0) it is free at once.
 */
export function openEpoch(shard: Shard, epoch: number, now: number, drainMs: number): void {
  shard.epoch = epoch
  shard.chosen = 0
  shard.variance = 0
  shard.dropped = 0
  shard.supposed = 0
  for (const day of shard.days) {
    drain(shard, day, now, drainMs)
  }
}

function drain(shard: Shard, day: ShardDay, now: number, drainMs: number): void {
  endDraining(shard, day, now)
  if (day.leaseLeft > 0 && drainMs > 0) {
    // A treasury may have started anew twice within seconds: what the first had leased drains still.
    day.draining = (day.draining ?? 0) + day.leaseLeft
    day.drainingUntil = now + drainMs
  }
  day.leaseLeft = 0
}

/** The treasury gives back what it will not hand out: it may be reserved for other things. */
export function unlease(day: ShardDay, thousandths: number): void {
  day.leaseLeft = Math.max(0, day.leaseLeft - thousandths)
}

/** The campaign stopped: nodes hear of it, at the latest with the end of their leases. */
export function releaseLeases(shard: Shard, now: number): void {
  for (const day of shard.days) drain(shard, day, now, DRAIN_MS)
}

/** What was leased of a day that is over is not to be chosen with. Returns the thousandths; 0 where there are none. */
export function endLease(shard: Shard, day: ShardDay, now: number): number {
  const ended = now < day.end ? 0 : day.leaseLeft
  if (ended > 0) drain(shard, day, now, DRAIN_MS)
  return ended
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

/**
 * Until when time alone changes nothing: the end of the first day of which money is leased, or before it a fall of the
 * margin of its clicks. Negative infinity where holds lapse, or more or less is reserved than R asks for, so that the next
 * look may ask for some or give some back.
 */
export function settledUntil(shard: Shard, now: number): number {
  let until = Number.POSITIVE_INFINITY
  for (const day of shard.days) {
    const holds = day.renders.length > 0 || day.clicks !== undefined || day.draining !== undefined
    if (holds || unspent(day.link) !== reserveTarget(shard, day, now)) return Number.NEGATIVE_INFINITY
    if (day.leaseLeft > 0) until = Math.min(until, shard.model === 'cpm' ? day.end : nextFall(day, now))
  }
  return until
}

/** Whether anything is out with nodes or held for what they chose: time will give it back. */
export function isReserving(shard: Shard): boolean {
  return shard.days.some(
    day =>
      unspent(day.link) > 0 ||
      day.leaseLeft > 0 ||
      (day.draining ?? 0) > 0 ||
      day.renders.length > 0 ||
      (day.clicks !== undefined && !isEmptyPool(day.clicks)),
  )
}
