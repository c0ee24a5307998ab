import { type Micros, micros } from '../core/money.ts'
import { HOUR_MS } from '../core/time.ts'
import type { CampaignBudget, DayBudget, FarShard, ShardShort } from './budget.ts'
import { linkKey } from './far-links.ts'
import type { FarParent } from './far-parent.ts'
import { unspent } from './link.ts'
import { giveBack, type Shard } from './shard.ts'
import type { ShardGrant } from './shard-messages.ts'

/**
 * Charges that wait: their shard has no money for them, and their campaign may have some with other shards. An honest click
 * is not refused while its campaign has money, so the others give back what they do not need, and then what they hold for
 * clicks that may come: of one that has come and one that may, the first is paid.
 *
 *   shard --short by so much--> campaign --so much is waited for--> other shards --returned--> campaign --granted--> shard
 */

/** What was heard longer ago is over. */
const SHORT_MS = 3000
const WAIT_MS = 3000
const WAIT_MS_MAX = 2 * HOUR_MS

/** The campaign hears what a shard's charges still wait for on a day, after what it grants now. Returns whether that is news. */
export function noteShort(day: DayBudget, shard: number, missing: number, now: number): boolean {
  const known = day.short?.[shard]
  if (missing <= 0) {
    if (known !== undefined) delete day.short![shard]
    return false
  }
  const goesOn = known !== undefined && isCurrent(known, now)
  day.short ??= {}
  day.short[shard] = { micros: missing, since: goesOn ? known.since : now, at: now }
  return !goesOn
}

/** What charges at other shards wait for: money that is held for clicks to come is to go back for it. */
export function shortOfOthers(day: DayBudget, shard: number, now: number): Micros {
  let short = 0
  for (const number in day.short) {
    const of = day.short[Number(number)]!
    if (Number(number) !== shard && isCurrent(of, now)) short += of.micros
  }
  return micros(short)
}

/** Whether a shard's charges wait for money of others that were not heard of since: they are not refused before that. */
export function awaitsOthers(budget: CampaignBudget, shard: number, now: number): boolean {
  return budget.days.some(day => {
    const short = day.short?.[shard]
    if (short === undefined || !isCurrent(short, now)) return false
    return Object.entries(budget.far ?? {}).some(([number, other]) => {
      if (Number(number) === shard || other.heardAt > short.since) return false
      return hasMoney(day, Number(number), other)
    })
  })
}

function hasMoney(day: DayBudget, number: number, { fence }: FarShard): boolean {
  const link = day.far?.[linkKey(number, fence)]
  return link !== undefined && unspent(link) > 0
}

function isCurrent({ at }: ShardShort, now: number): boolean {
  return now - at < SHORT_MS
}

/**
 * The shard gives back what charges at others wait for, of all that nodes cannot choose with: what is held for clicks that
 * may come, too. Returns whether it did.
 */
export function returnForWaiting(shard: Shard, grant: Pick<ShardGrant, 'days'>): boolean {
  let returned = false
  for (const { start, shortMicros } of grant.days) {
    if (shortMicros <= 0) continue
    const day = shard.days.find(known => known.start === start)
    if (day === undefined) continue
    const leased = Math.ceil((day.leaseLeft + (day.draining ?? 0)) / 1000)
    const back = giveBack(day, Math.min(shortMicros, unspent(day.link) - leased))
    if (back > 0) returned = true
  }
  return returned
}

/**
 * Whether a charge that has waited since `since` for its campaign's money is to be given away: the campaign has answered,
 * and the others had time to give back what they have; or it was not heard of for so long that nothing may hang.
 */
export function waitIsOver(parent: FarParent, since: number, now: number): boolean {
  const waited = now - since
  return waited >= WAIT_MS_MAX || (waited >= WAIT_MS && parent.answeredAt - since >= WAIT_MS / 2)
}
