import { describe, expect, test } from 'bun:test'
import { SCENARIOS, type Scenario } from '../scenarios.ts'
import { type Bid, type Budgeting, priceOf, type Server } from './budgeting.ts'
import { FixedSlices } from './fixed-slices.ts'
import { Gossip } from './gossip.ts'
import { OthersWorld } from './others-world.ts'
import { PeriodicSync } from './periodic-sync.ts'
import { SingleOwner } from './single-owner.ts'
import { StaticSplit } from './static-split.ts'

const NODES = 4
const base = SCENARIOS.find(({ name }) => name === 'small-budgets')!
/** Nobody comes by: the tests say what happens. Of CPM, budgets of ten prices. */
const QUIET: Scenario = {
  ...base,
  nodes: NODES,
  regions: 1,
  campaigns: 1,
  hours: 1,
  requestsPerSecond: 0,
  cpcShare: 0,
  faults: { ...base.faults, lossShare: 0, duplicateShare: 0 },
}

function open(make: (world: OthersWorld) => Budgeting) {
  let budgeting: Budgeting | null = null
  const world = new OthersWorld(QUIET, 1, of => {
    budgeting = make(of)
    return budgeting
  })
  const way: Budgeting = budgeting!
  const campaign = world.campaigns[0]!
  const price = priceOf(campaign)
  const bid = (): Bid => ({ campaign, cost: price, held: null })
  let all = 0
  /** How many impressions a node chooses at once, of so many requests. */
  const choose = (server: Server, requests: number) => {
    let chosen = 0
    for (let i = 0; i < requests; i++) {
      const mine = bid()
      if (!way.eligible(server, mine)) continue
      way.take(server, [mine], taken => {
        if (taken === null) return
        chosen++
        all++
      })
    }
    return chosen
  }
  /** How many of so many events are billed. */
  const charge = (server: Server, events: number) => {
    let billed = 0
    for (let i = 0; i < events; i++) if (way.charge(server, campaign, price)) billed++
    return billed
  }
  const pass = (ms: number) => world.events.runUntil(world.events.now + ms)
  return { world, choose, charge, pass, chosenInAll: () => all }
}

describe('a static split', () => {
  test('deals whole prices out, and no node chooses or bills more than its part', () => {
    const { world, choose, charge } = open(of => new StaticSplit(of))
    const chosen = world.servers.map(server => choose(server, 20))
    expect(chosen.toSorted()).toEqual([2, 2, 3, 3])
    expect(world.servers.map(server => charge(server, 20))).toEqual(chosen)
  })
})

describe('a sync every 30 seconds', () => {
  test('chooses up to the whole budget on each node until they have heard of each other', () => {
    const { world, choose, pass } = open(of => new PeriodicSync(of))
    pass(1000)
    expect(world.servers.map(server => choose(server, 20))).toEqual([10, 10, 10, 10])
    const heard = open(of => new PeriodicSync(of))
    heard.pass(1000)
    expect(heard.choose(heard.world.servers[0]!, 20)).toBe(10)
    heard.pass(70_000)
    expect(heard.world.servers.map(server => heard.choose(server, 20))).toEqual([0, 0, 0, 0])
  })
})

describe('slices of a central counter', () => {
  test('are no more than the budget together, and are billed no further', () => {
    const { world, choose, charge, pass } = open(of => new FixedSlices(of))
    let chosen = 0
    for (let turn = 0; turn < 20; turn++) {
      for (const server of world.servers) chosen += choose(server, 1)
      pass(1000)
    }
    expect(chosen).toBe(10)
    expect(world.servers.reduce((sum, server) => sum + charge(server, 20), 0)).toBe(10)
  })
})

describe('a single owner', () => {
  test('answers as many requests as there is money for, and bills no more', () => {
    const { world, choose, charge } = open(of => new SingleOwner(of, true))
    expect(world.servers.reduce((sum, server) => sum + choose(server, 20), 0)).toBe(10)
    expect(world.servers.reduce((sum, server) => sum + charge(server, 20), 0)).toBe(10)
  })

  test('that is asked over the network answers after its way, and is not asked again at once by whom it refused', () => {
    const { world, choose, pass, chosenInAll } = open(of => new SingleOwner(of, false))
    expect(choose(world.servers[0]!, 12)).toBe(0)
    pass(300)
    expect(chosenInAll()).toBe(10)
    expect(world.messages).toBe(24)
    expect(choose(world.servers[0]!, 1)).toBe(0)
    expect(world.messages).toBe(24)
  })
})

describe('gossip', () => {
  test('stops each node by itself below 95% of the budget, and all of them once they have heard of each other', () => {
    const { world, choose } = open(of => new Gossip(of))
    expect(world.servers.map(server => choose(server, 20))).toEqual([9, 9, 9, 9])
    const heard = open(of => new Gossip(of))
    heard.pass(1000)
    expect(heard.choose(heard.world.servers[0]!, 20)).toBe(9)
    heard.pass(20_000)
    expect(heard.world.servers.map(server => heard.choose(server, 20))).toEqual([0, 0, 0, 0])
  })
})
