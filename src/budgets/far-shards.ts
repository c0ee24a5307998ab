import { assert } from '../core/assert.ts'
import { type Micros, micros } from '../core/money.ts'
import { availableMicros, type Balance } from './balance.ts'
import { type CampaignBudget, type DayBudget, type FarLink, type FarShard, grantable } from './budget.ts'
import { mergeTotals, netCharged, newLink, unspent } from './link.ts'
import { newShardDay, unitPrice } from './shard.ts'
import type { DayTotals, ShardGrant, ShardReport } from './shard-messages.ts'

/**
 * The campaign's side of its links to shards in other partitions and regions.
 *
 *   shard --report (totals, wanted)--> campaign --grant (totals)--> shard
 *
 * Money comes back by the shard's own `returned` only, never by time: a region that is cut off goes on within its grant.
 * Where a region is given up, `fenceShard` ends its link: what was merged stands, and what the region says later is
 * honoured from free money or else reversed.
 */

/** Share of the free money that the shards which want some may be given in one go. */
const GRANT_SHARE = 0.5
/** A shard that asked within this time is counted when scarce money is shared. */
const WANTED_MS = 5000

/** What the shell knows at the time of a report. */
export interface GrantTerms {
  readonly now: number
  /** What pacing lets the campaign have out on a day, beyond what is out: micros. */
  readonly allowance: number
  readonly pacing: number
  readonly stopped: boolean
}

/** Takes a report in, grants what may be granted, and says where the link stands. */
export function answerReport(
  budget: CampaignBudget,
  balance: Balance,
  report: ShardReport,
  terms: GrantTerms,
): ShardGrant {
  const shard = farShard(budget, report.shard)
  const honoured: ShardGrant['honoured'][number][] = []
  if (report.fence < shard.fence) {
    for (const said of report.days) {
      const charged = settleClosed(budget, balance, report, said)
      if (charged !== null) honoured.push({ fence: report.fence, start: said.start, charged })
    }
  } else {
    // The parent was restored to a time before this fence was raised.
    shard.fence = report.fence
    for (const said of report.days) mergeReport(budget, balance, report, said)
    hearEcho(budget, balance, shard, report.echoed)
  }
  if (report.fence === shard.fence) grantWanted(budget, balance, shard, report, terms)
  const scarce = isScarce(budget, terms.now)
  return grantTo(budget, balance, report, shard, { ...terms, scarce, honoured })
}

/** Gives a shard's region up: nothing more of its money is the shard's. What it has not told of is free again. */
export function fenceShard(budget: CampaignBudget, balance: Balance, number: number): void {
  const shard = farShard(budget, number)
  for (const day of budget.days) {
    const link = day.far?.[linkKey(number, shard.fence)]
    if (link === undefined || link.closed === true) continue
    const freed = unspent(link)
    link.closed = true
    link.returned = micros(link.returned + freed)
    balance.reserved = micros(balance.reserved - freed)
  }
  shard.fence++
}

/**
 * After a restore from a backup: nothing is granted from the balance until each of `shards`, all that there may be, has
 * said what it was granted before. One of another incarnation is not believed to have said all.
 */
export function beginIncarnation(
  budget: CampaignBudget,
  balance: Balance,
  incarnation: number,
  shards: readonly number[],
): void {
  assert(incarnation > (budget.incarnation ?? 0), 'an incarnation is newer than all before it')
  const awaited = isAwaiting(budget)
  budget.incarnation = incarnation
  for (const number of shards) farShard(budget, number).echoed = incarnation - 1
  if (!awaited && isAwaiting(budget)) balance.awaiting = (balance.awaiting ?? 0) + 1
}

function hearEcho(budget: CampaignBudget, balance: Balance, shard: FarShard, echoed: number): void {
  const awaited = isAwaiting(budget)
  shard.echoed = Math.max(shard.echoed, echoed)
  if (awaited && !isAwaiting(budget)) balance.awaiting = Math.max(0, (balance.awaiting ?? 0) - 1)
}

function isAwaiting(budget: CampaignBudget): boolean {
  const incarnation = budget.incarnation ?? 0
  return incarnation > 0 && Object.values(budget.far ?? {}).some(shard => shard.echoed < incarnation)
}

/** A grant that nobody asked for: the campaign stopped or goes on, money became scarce, a restored one wants an echo. */
export function pushGrant(
  budget: CampaignBudget,
  balance: Balance,
  to: { readonly campaign: number; readonly shard: number },
  terms: { readonly now: number; readonly stopped: boolean; readonly pacing: number },
): ShardGrant {
  const scarce = isScarce(budget, terms.now)
  return grantTo(budget, balance, to, farShard(budget, to.shard), { ...terms, scarce, honoured: [] })
}

/** A shard wanted more than there was, a moment ago: the others are to give back what they do not need. */
export function isScarce(budget: CampaignBudget, now: number): boolean {
  return now - (budget.scarceAt ?? Number.NEGATIVE_INFINITY) < WANTED_MS
}

function farShard(budget: CampaignBudget, number: number): FarShard {
  budget.far ??= {}
  budget.far[number] ??= { fence: 0, echoed: budget.incarnation ?? 0, wantedAt: Number.NEGATIVE_INFINITY }
  return budget.far[number]
}

function linkKey(shard: number, fence: number): string {
  return `${shard}:${fence}`
}

function linkOf(day: DayBudget, shard: number, fence: number): FarLink {
  const key = linkKey(shard, fence)
  day.far ??= {}
  day.far[key] ??= newLink()
  return day.far[key]
}

/** The day that a shard speaks of. A parent restored from a backup may not have opened it yet. */
function dayNamed(budget: CampaignBudget, said: DayTotals): DayBudget | null {
  const known = budget.days.find(day => day.start === said.start)
  if (known !== undefined) return known
  const last = budget.days.at(-1)
  // Older than all that is kept: nothing can be charged to it any more.
  if (last !== undefined && said.start < last.start) return null
  const day = newShardDay(said)
  budget.days.push(day)
  return day
}

function mergeReport(budget: CampaignBudget, balance: Balance, report: ShardReport, said: DayTotals): void {
  const day = dayNamed(budget, said)
  if (day === null) return
  const link = linkOf(day, report.shard, report.fence)
  const reserved = unspent(link)
  const charged = netCharged(link)
  mergeTotals(link, {
    granted: micros(said.granted),
    returned: micros(said.returned),
    charged: micros(said.charged),
    refunded: micros(said.refunded),
  })
  balance.reserved = micros(balance.reserved + unspent(link) - reserved)
  balance.balance = micros(balance.balance - (netCharged(link) - charged))
}

/** What a region says of charges after it was given up: honoured once, from free money only. Null: not decided yet. */
function settleClosed(
  budget: CampaignBudget,
  balance: Balance,
  report: ShardReport,
  said: DayTotals,
): Micros | null {
  const day = dayNamed(budget, said)
  if (day === null) return micros(0)
  const link = linkOf(day, report.shard, report.fence)
  if (link.settled !== true) {
    if ((balance.awaiting ?? 0) > 0) return null
    link.closed = true
    link.settled = true
    const late = said.charged - said.refunded - netCharged(link)
    const honoured = micros(Math.max(0, Math.min(late, grantable(budget, day, balance))))
    link.granted = micros(link.granted + honoured)
    link.charged = micros(link.charged + honoured)
    balance.balance = micros(balance.balance - honoured)
    assert(unspent(link) === 0, 'a closed link has nothing to spend')
  }
  return netCharged(link)
}

function grantWanted(
  budget: CampaignBudget,
  balance: Balance,
  shard: FarShard,
  report: ShardReport,
  terms: GrantTerms,
): void {
  for (const wanted of report.wanted) {
    const day = budget.days.find(({ start }) => start === wanted.start)
    if (day === undefined) continue
    const link = linkOf(day, report.shard, shard.fence)
    const room = grantable(budget, day, balance)
    // An honest click is not refused while its campaign has money: not for pacing, a pause, or the end of its day.
    const short = wanted.shortMicros - (wanted.shortMicros > 0 ? unspent(link) : 0)
    const serves = !terms.stopped && terms.now < day.end
    const missing = serves ? wanted.micros - unspent(link) : 0
    if (missing <= 0 && short <= 0) continue
    let granted = Math.min(short, room)
    if (missing > 0) {
      shard.wantedAt = terms.now
      granted = Math.max(granted, shareOf(budget, missing, Math.min(room, terms.allowance), terms.now))
    }
    if (granted < Math.max(missing, short)) budget.scarceAt = terms.now
    // Money that does not pay for one more stays where all the fragments come together.
    if (granted <= 0 || unspent(link) + granted < unitPrice(budget)) continue
    link.granted = micros(link.granted + granted)
    balance.reserved = micros(balance.reserved + granted)
    assert(availableMicros(balance) >= 0, 'a balance was granted twice')
  }
}

/** A part of what there is, the smaller the more shards want some; at least one price. */
function shareOf(budget: CampaignBudget, missing: number, room: number, now: number): number {
  const share = Math.floor((GRANT_SHARE * room) / activeShards(budget, now))
  return Math.min(missing, Math.max(share, Math.min(unitPrice(budget), room)))
}

function activeShards(budget: CampaignBudget, now: number): number {
  let active = 0
  for (const shard of Object.values(budget.far ?? {})) if (now - shard.wantedAt < WANTED_MS) active++
  return Math.max(1, active)
}

function grantTo(
  budget: CampaignBudget,
  balance: Balance,
  to: { readonly campaign: number; readonly shard: number },
  shard: FarShard,
  said: Pick<ShardGrant, 'stopped' | 'scarce' | 'pacing' | 'honoured'>,
): ShardGrant {
  const days: ShardGrant['days'][number][] = []
  for (const day of budget.days) {
    const link = day.far?.[linkKey(to.shard, shard.fence)]
    if (link === undefined && day !== budget.days.at(-1)) continue
    days.push({ day: day.day, start: day.start, end: day.end, granted: link?.granted ?? 0 })
  }
  return {
    campaign: to.campaign,
    shard: to.shard,
    fence: shard.fence,
    incarnation: budget.incarnation ?? 0,
    days,
    undecided: (balance.awaiting ?? 0) > 0,
    stopped: said.stopped,
    scarce: said.scarce,
    pacing: said.pacing,
    honoured: said.honoured,
  }
}
