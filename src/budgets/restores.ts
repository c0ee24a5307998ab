import { assert } from '../core/assert.ts'
import type { Balance } from './balance.ts'
import type { CampaignBudget } from './budget.ts'
import { farShard, hearEcho, isAwaiting, raiseFences, takeIn } from './far-links.ts'
import type { ShardReport } from './shard-messages.ts'

/**
 * A balance that was restored from a backup, with its campaigns. It has forgotten grants, charges, and fences. Every
 * shard knows what it was granted, what it charged under each fence, and of all the fences that freed what it was
 * granted. So nothing is granted, and nothing of what they say taken in, until all of them have told under the new
 * incarnation (from then on they refuse what the parent before said): first all fences are raised again, then the links
 * are merged that are open under them.
 */

/** `shards` are all that there may be of each of the balance's campaigns, which are `budgets`. */
export function beginIncarnation(
  balance: Balance,
  budgets: readonly CampaignBudget[],
  incarnation: number,
  shards: readonly number[],
): void {
  assert(incarnation > (balance.incarnation ?? 0), 'an incarnation is newer than all before it')
  balance.incarnation = incarnation
  for (const budget of budgets) {
    budget.told = {}
    for (const number of shards) farShard(budget, balance, number).echoed = incarnation - 1
  }
  balance.awaiting = budgets.filter(budget => isAwaiting(budget, balance)).length
  balance.untaken = budgets.length
}

/** Keeps what a shard says until all have spoken. Fences are heard of at once, or a shard would refuse what it is told. */
export function hearTold(budget: CampaignBudget, balance: Balance, report: ShardReport): void {
  hearFence(balance, report.shard, report.fence)
  for (const number in report.fences) hearFence(balance, Number(number), report.fences[number]!)
  if (budget.told === undefined || report.echoed < (balance.incarnation ?? 0)) return
  budget.told[report.shard] = report
  hearEcho(budget, balance, farShard(budget, balance, report.shard), report.echoed)
}

/** Once all shards of all campaigns have told: takes in what this campaign's have. */
export function takeTold(budget: CampaignBudget, balance: Balance): void {
  if (budget.told === undefined || (balance.awaiting ?? 0) > 0) return
  raiseFences(budget, balance)
  for (const report of Object.values(budget.told)) takeIn(budget, balance, report, true)
  delete budget.told
  balance.untaken = Math.max(0, (balance.untaken ?? 0) - 1)
}

function hearFence(balance: Balance, shard: number, fence: number): void {
  if (fence <= (balance.fences?.[shard] ?? 0)) return
  balance.fences ??= {}
  balance.fences[shard] = fence
}
