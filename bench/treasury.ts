/**
 * Grants of one treasury, by its core: `bun bench/treasury.ts [--short]`. 1,000 nodes and 100,000 campaigns; every node
 * asks once a second, each ask has used up what it was granted of the campaigns that it serves, and each is topped up.
 * A grant is the total of one campaign in a message to one node. Limit: 300,000 a second. Exits 1 below it.
 */
import type { ShardView } from '../src/budgets/shard-view.ts'
import { Treasury } from '../src/budgets/treasury.ts'
import type { LeaseAsk, LeaseGrant } from '../src/ports/treasury-link.ts'

export const GRANTS_PER_SECOND_MIN = 300_000

const NODES = 1000
const CAMPAIGNS = 100_000
const ROUND_MS = 100
const ROUNDS_A_SECOND = 1000 / ROUND_MS
/** Beyond what any run takes, micros. */
const MONEY = 1e12

export interface TreasuryFigures {
  readonly grantsPerCpuSecond: number
  readonly grants: number
}

interface Held {
  granted: number
  chosen: number
  impressions: number
}

/** What a node says and hears, as little as it takes. */
class BenchNode {
  private readonly held = new Map<number, Held>()
  private readonly changed = new Set<number>()
  private heard = 0
  private term = 0

  constructor(private readonly number: number) {}

  /** Chooses with all that it has, and tells. */
  ask(now: number): LeaseAsk {
    const shards: LeaseAsk['shards'][number][] = []
    for (const campaign of this.changed) {
      const held = this.held.get(campaign)!
      held.chosen = held.granted
      held.impressions++
      const { chosen: chosenThousandths, impressions } = held
      shards.push({
        campaign,
        shard: 1,
        impressions,
        chosenThousandths,
        variance: 0,
        returnedThousandths: 0,
        droppedThousandths: 0,
      })
    }
    this.changed.clear()
    return {
      node: this.number,
      partition: 0,
      epoch: 1,
      term: this.term,
      sentAt: now,
      heard: this.heard,
      shards,
    }
  }

  /** Returns how many campaigns it may spend more of. */
  hear(grant: LeaseGrant): number {
    this.heard = grant.sequence
    this.term = grant.term
    let more = 0
    for (const { campaign, grantedThousandths } of grant.shards) {
      const held = this.held.get(campaign)
      if (held === undefined)
        this.held.set(campaign, { granted: grantedThousandths, chosen: 0, impressions: 0 })
      else if (grantedThousandths > held.granted) held.granted = grantedThousandths
      else continue
      this.changed.add(campaign)
      more++
    }
    return more
  }
}

export function benchTreasury(short: boolean): TreasuryFigures {
  const views = Array.from(
    { length: CAMPAIGNS },
    (): ShardView => ({
      model: 'cpm',
      price: 1_000_000,
      grantableMicros: MONEY,
      stopped: false,
      scarce: false,
      starving: false,
      pacing: 1,
      closed: false,
      shard: 1,
      dayStart: 0,
      dayEnd: Number.POSITIVE_INFINITY,
    }),
  )
  const treasury = new Treasury(0, 1, campaign => views[campaign]!)
  const nodes = Array.from({ length: NODES }, (_, number) => new BenchNode(number))
  let now = 0
  let cpuMicros = 0
  let grants = 0
  /** One round: a tenth of the nodes ask, all that was asked for is leased. */
  const round = (tenth: number, counted: boolean) => {
    const asks: LeaseAsk[] = []
    for (let at = tenth; at < NODES; at += ROUNDS_A_SECOND) asks.push(nodes[at]!.ask(now))
    const before = process.threadCpuUsage()
    for (const ask of asks) treasury.onAsk(ask, now)
    if (tenth === 0) treasury.chosenSince(now)
    const said = treasury.round(now)
    for (const { campaign, amountMicros } of said.leases?.leases ?? []) {
      treasury.onLeased(campaign, amountMicros)
    }
    const used = process.threadCpuUsage(before)
    let more = 0
    for (const grant of said.grants) more += nodes[grant.node]!.hear(grant)
    now += ROUND_MS
    if (!counted) return
    cpuMicros += used.user + used.system
    grants += more
  }
  const seconds = (count: number, counted: boolean) => {
    for (let i = 0; i < count * ROUNDS_A_SECOND; i++) round(i % ROUNDS_A_SECOND, counted)
  }
  // All are known, then all campaigns come, then each has its nodes.
  seconds(1, false)
  for (let campaign = 0; campaign < CAMPAIGNS; campaign++) treasury.wake(campaign)
  seconds(3, false)
  seconds(short ? 2 : 8, true)
  if (grants < CAMPAIGNS / 4) throw new Error(`only ${grants} grants were made`)
  return { grantsPerCpuSecond: (grants * 1e6) / cpuMicros, grants }
}

if (import.meta.main) {
  const { grantsPerCpuSecond, grants } = benchTreasury(process.argv.includes('--short'))
  const rate = Math.round(grantsPerCpuSecond)
  console.log(`${rate.toLocaleString('en')} grants a second of CPU (${grants.toLocaleString('en')} made)`)
  if (rate < GRANTS_PER_SECOND_MIN) {
    console.error(`limit ${GRANTS_PER_SECOND_MIN.toLocaleString('en')}`)
    process.exit(1)
  }
}
