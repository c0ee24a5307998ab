import { expect, test } from 'bun:test'
import { plainCampaign, type Random, randomFrom } from '../../test/random-campaigns.ts'
import { newBalance } from '../budgets/balance.ts'
import { charge, newBudget } from '../budgets/budget.ts'
import { unspent } from '../budgets/link.ts'
import type { Campaign } from '../campaigns/campaign.ts'
import { campaignDay } from '../campaigns/schedule.ts'
import { formatId } from '../core/ids.ts'
import { micros } from '../core/money.ts'
import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { Bits } from './bits.ts'
import { Changes, type LeaseChange } from './changes.ts'
import { decide } from './decide.ts'
import { newHead, Partition } from './partition.ts'

const START = Date.parse('2026-11-24T23:30:00.000Z')
const MIDNIGHT = Date.parse('2026-11-25T00:00:00.000Z')
const ADVERTISER = 256
const CAMPAIGNS = [256, 512, 768, 1024]
const EPOCH = 1

const lookups = {
  findCharge: () => null,
  findClaim: () => null,
  claimIngested: () => new Uint8Array(1),
}

/** Four campaigns on one balance, half of them cpm, with days that end at midnight. */
class World {
  readonly partition = new Partition(0, newHead(), new Bits(() => null))
  readonly leases: LeaseChange[] = []

  constructor() {
    const { partition } = this
    const days = [campaignDay('UTC', START), campaignDay('UTC', MIDNIGHT)]
    Object.assign(partition.head, { time: START, sweptAt: START, calendars: { UTC: days } })
    partition.head.treasuryEpoch = EPOCH
    partition.balances.set(ADVERTISER, { ...newBalance(0), balance: micros(2_000_000) })
    CAMPAIGNS.forEach((number, at) => {
      const bid = { model: at % 2 === 0 ? 'cpc' : 'cpm', amountMicros: 400_000 } as const
      const campaign = plainCampaign(number / 256, { advertiserId: formatId('advertiser', ADVERTISER), bid })
      partition.put('campaign', number, campaign)
      const { model, amountMicros: amount } = bid
      partition.putBudget(
        number,
        newBudget({ model, amount, totalCap: null, dailyCap: micros(2_000_000), timeZone: 'UTC' }),
      )
    })
  }

  take(kind: RecordKind, at: number, payload: unknown): void {
    const buffer = new RecordBuffer()
    buffer.json(kind, 0, at, payload)
    const changes = new Changes()
    decide(this.partition, changes, { bytes: buffer.take(), appendedAt: at }, lookups)
    this.leases.push(...changes.leases)
  }

  lease(campaign: number, amountMicros: number, at: number): void {
    this.take(RecordKind.leaseTaken, at, { epoch: EPOCH, leases: [{ campaign, shard: 0, amountMicros }] })
  }

  /** As an impression of whose lease the nodes have not told yet. Null: all but what is leased, holds or no holds. */
  charge(campaign: number, amount: number | null): void {
    const { partition } = this
    const budget = partition.budgets.get(campaign)!
    const day = budget.days.at(-1)
    if (day === undefined) return
    const held = Math.max(0, unspent(day.link) - Math.ceil(day.leaseLeft / 1000))
    charge(budget, day, partition.balances.get(ADVERTISER)!, micros(amount ?? held))
    new Changes().touchBudget(partition, campaign)
  }

  deposit(amount: number): void {
    const balance = this.partition.balances.get(ADVERTISER)!
    balance.balance = micros(balance.balance + amount)
  }

  get money(): unknown {
    return { budgets: [...this.partition.budgets], balances: [...this.partition.balances] }
  }
}

test('a lease that nobody chooses with is not gone through again, and ends with its day', () => {
  const world = new World()
  const { partition } = world
  world.lease(512, 100_000, START + 1)
  world.take(RecordKind.tick, START + 2000, {})
  expect(partition.reserving).toEqual(new Set([512]))
  expect(partition.unsettled.size).toBe(0)
  for (let at = START + MINUTE_MS; at < MIDNIGHT; at += MINUTE_MS) world.take(RecordKind.tick, at, {})
  expect(partition.balances.get(ADVERTISER)?.reserved).toBe(micros(100_000))
  world.take(RecordKind.tick, MIDNIGHT + 1, {})
  expect(world.leases.at(-1)).toMatchObject({ kind: 'released', campaign: 512, thousandths: 100_000_000 })
  // What nodes chose at the last moment may still be rendered.
  for (let at = MIDNIGHT; at < MIDNIGHT + HOUR_MS; at += MINUTE_MS / 2) world.take(RecordKind.tick, at, {})
  expect(partition.balances.get(ADVERTISER)?.reserved).toBe(micros(0))
  expect(partition.reserving.size).toBe(0)
})

const UNLEASED: readonly [name: string, make: (world: World) => void, epoch: number, at: number][] = [
  ['of a campaign that is paused', ({ partition }) => edit(partition, { paused: true }), EPOCH, START],
  ['of a campaign that is archived', ({ partition }) => edit(partition, { archived: true }), EPOCH, START],
  [
    'of a campaign without money',
    ({ partition }) => Object.assign(partition.budgets.get(512)!, { stopped: 'unfunded' }),
    EPOCH,
    START,
  ],
  ['of an epoch that is over', () => {}, EPOCH - 1, START],
  [
    'beyond the last day that is known',
    world => world.lease(512, 0, MIDNIGHT),
    EPOCH,
    MIDNIGHT + 24 * HOUR_MS,
  ],
]
test.each(UNLEASED)('a lease %s is not granted, and the treasury hears so', (_name, make, epoch, at) => {
  const world = new World()
  make(world)
  const lease = { campaign: 512, shard: 0, amountMicros: 100_000 }
  world.take(RecordKind.leaseTaken, at, { epoch, leases: [lease] })
  expect(world.leases.at(-1)).toEqual({ kind: 'leased', partition: 0, campaign: 512, grantedMicros: 0 })
  expect(world.partition.balances.get(ADVERTISER)?.reserved).toBe(micros(0))
})

test('a report of what was chosen ends the leases of a day that has just ended', () => {
  const world = new World()
  world.lease(512, 100_000, START + 1)
  world.take(RecordKind.tick, MIDNIGHT - 100, {})
  const chosen = { campaign: 512, shard: 0, impressions: 1, chosenThousandths: 400_000, variance: 0 }
  world.take(RecordKind.chosen, MIDNIGHT + 100, { epoch: EPOCH, shards: [chosen] })
  expect(world.leases.at(-1)).toMatchObject({ kind: 'released', campaign: 512 })
})

test('going through what changed or lapses comes to the same as going through all', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const some = new World()
    const all = new World()
    const random = randomFrom(seed)
    const nodes: Nodes = { epoch: EPOCH, chosen: new Map() }
    let at = START
    while (at < START + 2 * HOUR_MS) {
      at += Math.floor(random() * 20_000)
      const step = drawn(random, nodes)
      for (const number of all.partition.reserving) all.partition.unsettled.add(number)
      const amount = Math.floor(random() * 300_000)
      for (const world of [some, all]) {
        world.take(step.kind, at, step.payload)
        if (amount % 4 === 0) world.charge(CAMPAIGNS[(amount >> 2) % CAMPAIGNS.length]!, amount)
        if (amount % 4 === 2) world.charge(CAMPAIGNS[(amount >> 2) % CAMPAIGNS.length]!, null)
        if (amount % 20 === 1) world.deposit(2 * amount)
      }
      expect({ seed, at, money: some.money, leases: some.leases }).toEqual({
        seed,
        at,
        money: all.money,
        leases: all.leases,
      })
    }
    expect(some.leases.length).toBeGreaterThan(10)
  }
})

function edit(partition: Partition, change: Partial<Campaign>): void {
  partition.put('campaign', 512, { ...partition.entities.campaign.get(512)!, ...change })
}

/** What they report, as totals of the epoch. */
interface Nodes {
  epoch: number
  readonly chosen: Map<number, number>
}

function drawn(random: Random, nodes: Nodes): { kind: RecordKind; payload: unknown } {
  const campaign = CAMPAIGNS[Math.floor(random() * CAMPAIGNS.length)]!
  const draw = random()
  if (draw < 0.5) return { kind: RecordKind.tick, payload: {} }
  if (draw < 0.7) {
    const amountMicros = draw < 0.6 ? Math.floor(random() * 900_000) : -random() * 300_000
    return {
      kind: RecordKind.leaseTaken,
      payload: { epoch: nodes.epoch, leases: [{ campaign, shard: 0, amountMicros }] },
    }
  }
  if (draw < 0.75) {
    nodes.chosen.clear()
    return { kind: RecordKind.epochOpened, payload: { epoch: ++nodes.epoch, drainMs: 30_000 } }
  }
  const total = (nodes.chosen.get(campaign) ?? 0) + Math.floor(random() * 100_000_000)
  nodes.chosen.set(campaign, total)
  const said = { campaign, shard: 0, impressions: 1, chosenThousandths: total, variance: total * 1e8 }
  return { kind: RecordKind.chosen, payload: { epoch: nodes.epoch, shards: [said] } }
}
