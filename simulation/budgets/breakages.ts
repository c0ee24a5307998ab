import type { Balance } from '../../src/budgets/balance.ts'
import type { CampaignBudget } from '../../src/budgets/budget.ts'
import { unspent } from '../../src/budgets/link.ts'
import type { NodeLeases } from '../../src/budgets/node-leases.ts'
import { leaseFree, type Shard, type ShardDay } from '../../src/budgets/shard.ts'
import type { ShardGrant, ShardReport } from '../../src/budgets/shard-messages.ts'
import { returnForWaiting } from '../../src/budgets/waiting-charges.ts'
import type { LeaseGrant } from '../../src/ports/treasury-link.ts'
import type { WorkerPlace } from './places.ts'

/**
 * The protocol broken on purpose, each time in one place of the shells around it: the production code stays whole. A
 * check is believed once it has been seen to fail, so the auditor has to find each of these.
 */
export const BREAKAGES = [
  'grant-unchecked',
  'close-at-once',
  'day-of-click',
  'node-clock',
  'merge-by-adding',
  'node-keeps-grant',
  'restore-grants-at-once',
  'restore-forgets-fences',
  'restore-forgets-honoured',
  'holds-forgotten',
  'holds-by-node-clock',
  'holds-given-back',
  'old-epoch-accepted',
  'void-ignored',
  'refund-twice',
  'decisions-forgotten',
  'waiting-forgotten',
] as const

export type Breakage = (typeof BREAKAGES)[number]

/** The home grants what is wanted, whatever there is. */
export function grantUnchecked(grant: ShardGrant, report: ShardReport): ShardGrant {
  const days = grant.days.map(day => {
    const said = report.days.find(({ start }) => start === day.start)
    const wanted = report.wanted.find(({ start }) => start === day.start)
    if (said === undefined || wanted === undefined) return day
    const spent = said.returned + said.charged - said.refunded
    return { ...day, granted: Math.max(day.granted, spent + wanted.micros) }
  })
  return { ...grant, days }
}

/** What a restored home does not hear of what it has forgotten. */
export function unheard(report: ShardReport, breakage: Breakage | null): ShardReport {
  if (breakage === 'restore-forgets-fences') return { ...report, fences: {} }
  if (breakage !== 'restore-forgets-honoured') return report
  return { ...report, closed: report.closed.filter(({ settled }) => settled === null) }
}

/** A restored home that believes that it knows all. */
export function decideAtOnce(balance: Balance, budgets: readonly CampaignBudget[]): void {
  delete balance.awaiting
  delete balance.untaken
  for (const budget of budgets) delete budget.told
}

/** Micros that are free where nobody holds back what chosen impressions may still cost. */
export function freeWithoutHolds(day: ShardDay): number {
  return Math.max(0, Math.floor(unspent(day.link) - (day.leaseLeft + (day.draining ?? 0)) / 1000))
}

/** Leases what is free of a day: micros. */
export function leaseFor(
  shard: Shard,
  day: ShardDay,
  amountMicros: number,
  now: number,
  breakage: Breakage | null,
): number {
  if (breakage !== 'holds-forgotten') return leaseFree(shard, day, amountMicros, now)
  const granted = Math.min(amountMicros, freeWithoutHolds(day))
  day.leaseLeft += granted * 1000
  return granted
}

/** What is held for clicks that may come goes back though no charge waits for it. */
export function giveHoldsBack(shard: Shard): void {
  const days = shard.days.map(({ day, start, end }) => {
    return { day, start, end, granted: 0, shortMicros: Number.POSITIVE_INFINITY }
  })
  returnForWaiting(shard, { days })
}

/** The time at which a render ends its hold: where it is broken, whatever the node's clock says. */
export function settledAt(
  chosenAt: number,
  of: { readonly breakage: Breakage | null; readonly events: { readonly now: number } },
): number {
  return of.breakage === 'holds-by-node-clock' ? chosenAt : of.events.now
}

/** A grant as a node takes it that does not look at its epoch, or at what is void. */
export function heardCarelessly(
  grant: LeaseGrant,
  leases: NodeLeases,
  breakage: Breakage | null,
): LeaseGrant {
  if (breakage === 'void-ignored') {
    return { ...grant, shards: grant.shards.map(said => ({ ...said, voidThousandths: 0 })) }
  }
  const epoch = leases.epochOf(grant.partition)
  if (breakage !== 'old-epoch-accepted' || grant.epoch >= epoch) return grant
  return { ...grant, epoch, term: leases.termOf(grant.partition) }
}

/** Grants as what is new, added where they arrive: right as long as each message arrives once. */
export class AddingGrants {
  private readonly told = new Map<string, number>()

  differences(to: WorkerPlace, grants: readonly ShardGrant[]): ShardGrant[] {
    return grants.map(grant => ({
      ...grant,
      days: grant.days.map(day => {
        const key = `${to.shardNumber}:${grant.fence}:${grant.campaign}:${day.start}`
        const before = this.told.get(key) ?? 0
        this.told.set(key, Math.max(before, day.granted))
        return { ...day, granted: Math.max(0, day.granted - before) }
      }),
    }))
  }

  added(
    to: { grantedOn(campaign: number, start: number): number },
    grants: readonly ShardGrant[],
  ): ShardGrant[] {
    return grants.map(grant => ({
      ...grant,
      days: grant.days.map(day => ({
        ...day,
        granted: to.grantedOn(grant.campaign, day.start) + day.granted,
      })),
    }))
  }
}

interface Grantee {
  readonly boot: number
  timer(): number
  onGrant(grant: LeaseGrant): void
}

/** A node that comes back takes for its own what it was granted before it died. */
export function keepGrants(from: { readonly leases: NodeLeases }, to: Grantee, partitions: number): void {
  for (let partition = 0; partition < partitions; partition++) {
    const shards: LeaseGrant['shards'][number][] = []
    for (const { granted, returned, ...lease } of from.leases.leasesOf(partition)) {
      shards.push({ ...lease, grantedThousandths: granted - returned, voidThousandths: 0 })
    }
    to.onGrant({
      node: to.boot,
      partition,
      epoch: from.leases.epochOf(partition),
      term: from.leases.termOf(partition),
      sequence: 0,
      askSentAt: to.timer(),
      validMs: 5000,
      shards,
    })
  }
}
