import { assert } from '../core/assert.ts'
import { micros } from '../core/money.ts'
import { availableMicros, type Balance, isUndecided } from './balance.ts'
import { type CampaignBudget, type FarShard, grantable } from './budget.ts'
import { farShard, linkKey, linkOf, raiseFences, takeIn } from './far-links.ts'
import { unspent } from './link.ts'
import { hearTold, takeTold } from './restores.ts'
import { unitPrice } from './shard.ts'
import type { ShardGrant, ShardReport } from './shard-messages.ts'
import { awaitsOthers, noteShort, shortOfOthers } from './waiting-charges.ts'

/**
 * The campaign's side of its links to shards in other partitions and regions.
 *
 *   shard --report (totals, wanted)--> campaign --grant (totals)--> shard
 *
 * Money comes back by the shard's own `returned` only, never by time: a region that is cut off goes on within its grant.
 * Where a region is given up, `fenceShard` (far-links.ts) ends its link: what was merged stands, and what the region says
 * later is honoured from free money or else reversed. After a restore from a backup nothing is granted until all have
 * told what they were granted (restores.ts).
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
  /** Until pacing lets more out. */
  readonly waitMs: number
  readonly stopped: boolean
}

/** Takes a report in, grants what may be granted, and says where the link stands. */
export function answerReport(
  budget: CampaignBudget,
  balance: Balance,
  report: ShardReport,
  terms: GrantTerms,
): ShardGrant {
  const shard = farShard(budget, balance, report.shard)
  if (isUndecided(balance)) hearTold(budget, balance, report)
  takeTold(budget, balance)
  raiseFences(budget, balance)
  let honoured: ShardGrant['honoured'] = []
  shard.heardAt = terms.now
  if (!isUndecided(balance)) {
    honoured = takeIn(budget, balance, report, false)
    if (report.fence === shard.fence) grantWanted(budget, balance, shard, report, terms)
  }
  const scarce = isScarce(budget, terms.now)
  return grantTo(budget, balance, report, shard, { ...terms, scarce, honoured })
}

/** A grant that nobody asked for: the campaign stopped or goes on, money became scarce, a restored one wants an echo. */
export function pushGrant(
  budget: CampaignBudget,
  balance: Balance,
  to: { readonly campaign: number; readonly shard: number },
  terms: { readonly now: number; readonly stopped: boolean; readonly pacing: number },
): ShardGrant {
  const shard = farShard(budget, balance, to.shard)
  takeTold(budget, balance)
  raiseFences(budget, balance)
  const scarce = isScarce(budget, terms.now)
  return grantTo(budget, balance, to, shard, { ...terms, waitMs: 0, scarce, honoured: [] })
}

/** A shard wanted more than there was, a moment ago: the others are to give back what they do not need. */
export function isScarce(budget: CampaignBudget, now: number): boolean {
  return now - (budget.scarceAt ?? Number.NEGATIVE_INFINITY) < WANTED_MS
}

/** Whether a shard may have money that it does not need: of others there is no use in saying that it is scarce. */
export function hasUnspent(budget: CampaignBudget, number: number): boolean {
  const fence = budget.far?.[number]?.fence ?? 0
  return budget.days.some(day => {
    const link = day.far?.[linkKey(number, fence)]
    return link !== undefined && unspent(link) > 0
  })
}

function grantWanted(
  budget: CampaignBudget,
  balance: Balance,
  shard: FarShard,
  report: ShardReport,
  terms: GrantTerms,
): void {
  for (const day of budget.days) {
    const wanted = report.wanted.find(({ start }) => start === day.start)
    if (wanted === undefined) {
      noteShort(day, report.shard, 0, terms.now)
      continue
    }
    const link = linkOf(day, report.shard, shard.fence)
    const room = grantable(budget, day, balance)
    // An honest click is not refused while its campaign has money: not for pacing, a pause, or the end of its day.
    const short = wanted.shortMicros - (wanted.shortMicros > 0 ? unspent(link) : 0)
    const serves = !terms.stopped && terms.now < day.end
    const missing = serves ? wanted.micros - unspent(link) : 0
    let granted = Math.max(0, Math.min(short, room))
    if (noteShort(day, report.shard, short - granted, terms.now)) budget.shortAt = terms.now
    if (missing <= 0 && short <= 0) continue
    if (missing > 0) {
      shard.wantedAt = terms.now
      // What comes back for waiting charges is theirs.
      const open = Math.min(room - shortOfOthers(day, report.shard, terms.now), terms.allowance)
      granted = Math.max(granted, shareOf(budget, missing, open, terms.now))
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
  said: Pick<ShardGrant, 'stopped' | 'scarce' | 'pacing' | 'waitMs' | 'honoured'> & { readonly now: number },
): ShardGrant {
  const days: ShardGrant['days'][number][] = []
  for (const day of budget.days) {
    const link = day.far?.[linkKey(to.shard, shard.fence)]
    if (link === undefined && day !== budget.days.at(-1)) continue
    const { day: name, start, end } = day
    const shortMicros = shortOfOthers(day, to.shard, said.now)
    days.push({ day: name, start, end, granted: link?.granted ?? 0, shortMicros })
  }
  return {
    campaign: to.campaign,
    shard: to.shard,
    fence: shard.fence,
    incarnation: balance.incarnation ?? 0,
    fences: { ...balance.fences },
    days,
    awaitsOthers: awaitsOthers(budget, to.shard, said.now),
    undecided: isUndecided(balance),
    stopped: said.stopped,
    scarce: said.scarce,
    pacing: said.pacing,
    waitMs: said.waitMs,
    honoured: said.honoured,
  }
}
