import { assert } from '../core/assert.ts'
import { type Micros, micros } from '../core/money.ts'
import { type Balance, isUndecided } from './balance.ts'
import { type CampaignBudget, type DayBudget, type FarLink, type FarShard, grantable } from './budget.ts'
import { mergeTotals, netCharged, newLink, unspent } from './link.ts'
import { newShardDay } from './shard.ts'
import type { ClosedTotals, DayTotals, ShardGrant, ShardReport } from './shard-messages.ts'

/** The campaign's books of its shards in other partitions and regions: by day a link for each fence, the newest open. */

/** More than a parent raises in its life. */
const FENCES_AN_INCARNATION = 1000

/**
 * Gives a shard's region up, for all campaigns of a balance: nothing more of their money is the shard's. What it has not
 * told of is free again. A restored parent that still waits for the shard waits no more.
 */
export function fenceShard(balance: Balance, budgets: Iterable<CampaignBudget>, number: number): void {
  const incarnation = balance.incarnation ?? 0
  balance.fences ??= {}
  balance.fences[number] = Math.max(balance.fences[number] ?? 0, incarnation * FENCES_AN_INCARNATION) + 1
  for (const budget of budgets) {
    hearEcho(budget, balance, farShard(budget, balance, number), incarnation)
    raiseFences(budget, balance)
  }
}

/** Closes the links of fences that were raised: here, or as shards have told that a parent before a restore raised them. */
export function raiseFences(budget: CampaignBudget, balance: Balance): void {
  if (balance.fences === undefined) return
  for (const number in budget.far) {
    const shard = budget.far[Number(number)]!
    const fence = balance.fences[Number(number)] ?? 0
    if (fence <= shard.fence) continue
    for (const day of budget.days) {
      for (const key in day.far) if (key.startsWith(`${number}:`)) closeLink(balance, day.far[key]!)
    }
    shard.fence = fence
  }
}

export function hearEcho(budget: CampaignBudget, balance: Balance, shard: FarShard, echoed: number): void {
  const awaited = isAwaiting(budget, balance)
  shard.echoed = Math.max(shard.echoed, echoed)
  if (awaited && !isAwaiting(budget, balance)) balance.awaiting = Math.max(0, (balance.awaiting ?? 0) - 1)
}

export function isAwaiting(budget: CampaignBudget, balance: Balance): boolean {
  const incarnation = balance.incarnation ?? 0
  return Object.values(budget.far ?? {}).some(({ echoed }) => echoed < incarnation)
}

/**
 * Takes in what a shard says of its links. Under an older fence only what it has closed is taken, as what is open there
 * may still be charged. Where the parent is restored from a backup, what it had said to stand does so again: unless the
 * shard was given up by an incarnation after the one that said so, which then granted that money to others.
 */
export function takeIn(
  budget: CampaignBudget,
  balance: Balance,
  report: ShardReport,
  isRestored: boolean,
): ShardGrant['honoured'] {
  const { fence } = farShard(budget, balance, report.shard)
  if (report.fence === fence) for (const said of report.days) mergeReport(budget, balance, report, said)
  const fencedIn = Math.floor((fence - 1) / FENCES_AN_INCARNATION)
  const honoured: ShardGrant['honoured'][number][] = []
  for (const said of report.closed) {
    const vouched = isRestored && said.settled !== null && said.settled >= fencedIn
    const charged = settleClosed(budget, balance, report.shard, said, vouched)
    if (charged !== null) honoured.push({ fence: said.fence, start: said.start, charged })
  }
  return honoured
}

export function farShard(budget: CampaignBudget, balance: Balance, number: number): FarShard {
  budget.far ??= {}
  budget.far[number] ??= {
    fence: 0,
    echoed: balance.incarnation ?? 0,
    wantedAt: Number.NEGATIVE_INFINITY,
    heardAt: Number.NEGATIVE_INFINITY,
  }
  return budget.far[number]
}

export function linkKey(shard: number, fence: number): string {
  return `${shard}:${fence}`
}

export function linkOf(day: DayBudget, shard: number, fence: number): FarLink {
  const key = linkKey(shard, fence)
  day.far ??= {}
  day.far[key] ??= newLink()
  return day.far[key]
}

/** The day that a shard speaks of. A parent restored from a backup may not have opened it yet. */
function dayNamed(budget: CampaignBudget, said: DayTotals): DayBudget | null {
  const { days } = budget
  const known = days.find(({ start }) => start === said.start)
  if (known !== undefined) return known
  const after = days.findIndex(({ start }) => start > said.start)
  // Older than all that is kept: nothing can be charged to it any more.
  if (after === 0) return null
  const day = newShardDay(said)
  days.splice(after < 0 ? days.length : after, 0, day)
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

function closeLink(balance: Balance, link: FarLink): void {
  if (link.closed === true) return
  const freed = unspent(link)
  link.closed = true
  link.returned = micros(link.returned + freed)
  balance.reserved = micros(balance.reserved - freed)
}

/**
 * What a shard charged under an older fence: what it had merged before stands, the rest is honoured once, from free money
 * only. Refunds are taken in after that, too. Returns what stands. Null: not decided yet.
 */
function settleClosed(
  budget: CampaignBudget,
  balance: Balance,
  shard: number,
  said: ClosedTotals,
  vouched: boolean,
): Micros | null {
  const day = dayNamed(budget, said)
  if (day === null) return micros(0)
  const link = linkOf(day, shard, said.fence)
  closeLink(balance, link)
  // Before all else: what was refunded may be with others since, and a restored parent has forgotten of it.
  if (said.refunded > link.refunded) {
    setStanding(balance, link, link.charged, Math.max(0, link.charged - said.refunded))
  }
  if (link.settled === true) return netCharged(link)
  let stands = said.charged - said.refunded
  if (!vouched) {
    if (isUndecided(balance)) return null
    stands = Math.min(stands, netCharged(link) + Math.max(0, grantable(budget, day, balance)))
  }
  link.settled = true
  setStanding(balance, link, said.charged, stands)
  return netCharged(link)
}

/** Of a closed link: what does not stand of its charges counts as refunded. */
function setStanding(balance: Balance, link: FarLink, charged: number, stands: number): void {
  const more = stands - netCharged(link)
  link.charged = micros(charged)
  link.refunded = micros(charged - stands)
  if (more > 0) link.granted = micros(link.granted + more)
  else link.returned = micros(link.returned - more)
  balance.balance = micros(balance.balance - more)
  assert(unspent(link) === 0, 'a closed link has nothing to spend')
}
