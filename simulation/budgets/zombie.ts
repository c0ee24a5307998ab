import type { Treasury } from '../../src/budgets/treasury.ts'
import type { LeaseGrant } from '../../src/ports/treasury-link.ts'
import type { WorkerPlace } from './places.ts'
import type { Surroundings } from './surroundings.ts'

const ROUND_MS = 100
/** It does not know that it was replaced, until its next commit, which is refused. */
const UNAWARE_MS = 2500
/** It was held up (a pause of its machine), and goes on where it was when another has long taken over. */
const ASLEEP_MS_MAX = 10_000
const AWAKE_MS = 1500

/** A treasury that was replaced: it answers nodes that reach it still, and once more when it wakes up. */
export function haunt(
  world: Surroundings,
  { region, index }: WorkerPlace,
  old: Treasury,
  send: (grant: LeaseGrant) => void,
): void {
  const answerUntil = (until: number) => {
    const { events, nodes, random, auditor } = world
    for (const node of nodes) {
      if (node.region !== region || !node.alive || !random.chance(0.2)) continue
      for (const ask of node.leases.asks(node.timer())) {
        if (ask.partition !== index) continue
        auditor.sent(ask)
        auditor.asked(ask)
        old.onAsk(ask, events.now)
      }
    }
    for (const grant of old.round(events.now).grants) {
      world.faults.zombieGranted++
      send(grant)
    }
    if (events.now < until) events.after(ROUND_MS, () => answerUntil(until))
  }
  answerUntil(world.events.now + UNAWARE_MS)
  world.events.after(UNAWARE_MS + world.random.below(ASLEEP_MS_MAX), () => {
    world.faults.zombieWoke++
    answerUntil(world.events.now + AWAKE_MS)
  })
}
