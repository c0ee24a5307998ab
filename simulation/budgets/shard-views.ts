import { unspent } from '../../src/budgets/link.ts'
import { dayAt, leasableMicros, reserveTarget, type ShardDay, unitPrice } from '../../src/budgets/shard.ts'
import type { ShardView } from '../../src/budgets/shard-view.ts'
import { freeWithoutHolds } from './breakages.ts'
import type { Held } from './held.ts'
import type { Surroundings } from './surroundings.ts'

/** What a worker's treasury must know of a campaign's money. */
export function viewOf(held: Held, world: Surroundings): ShardView {
  const { shard, parent, facts } = held
  const day = dayAt(shard, world.events.now)
  return {
    model: shard.model,
    price: shard.model === 'cpc' ? facts.amount * 1000 : facts.amount,
    grantableMicros: day === null ? 0 : grantable(held, day, world),
    stopped: held.stopped,
    scarce: parent.scarce,
    starving: false,
    pacing: parent.pacing,
    closed: false,
    shard: parent.shard,
    dayStart: day === null ? world.start : day.start,
    dayEnd: day === null ? Number.POSITIVE_INFINITY : day.end,
  }
}

function grantable({ shard }: Held, day: ShardDay, world: Surroundings): number {
  if (unspent(day.link) < unitPrice(shard)) return 0
  if (world.breakage === 'holds-forgotten') return freeWithoutHolds(day)
  const { now } = world.events
  // Holds lapse first.
  const free = Math.max(0, unspent(day.link) - reserveTarget(shard, day, now))
  // A leased impression costs its price: all that is free can be leased.
  return shard.model === 'cpm' ? free : Math.min(free, leasableMicros(shard, day, unspent(day.link), now))
}
