import { expect, test } from 'bun:test'
import { scenarioOf } from '../options.ts'
import { figuresOf } from './figures.ts'
import { World } from './world.ts'

/** A part of the fleet of a thousand nodes, with as many campaigns a node and a region. */
const FLEET = { nodes: 20, campaigns: 2000, regions: 2, hours: 12 / 3600 }
const PER_NODE_AND_SECOND = 2 * 2

function figuresAt(requests: number | null) {
  const size = { ...FLEET, requests }
  const world = new World(scenarioOf({ scenario: 'calm-day', seed: 1, size }), 1)
  world.runUntil(world.end)
  const figures = figuresOf(world, 1)
  return { ...figures, perNodeAndSecond: world.leaseMessages / FLEET.nodes / (FLEET.hours * 3600) }
}

test('nodes and treasuries say one message a second to each other, whatever the traffic and the campaigns', () => {
  const quiet = figuresAt(20)
  const usual = figuresAt(null)
  const busy = figuresAt(80)
  for (const { perNodeAndSecond, overbilledMicros, deliveredShare } of [quiet, usual, busy]) {
    expect(perNodeAndSecond).toBeLessThan(1.1 * PER_NODE_AND_SECOND)
    expect(overbilledMicros).toBe(0)
    // Nothing can be said of what is delivered in seconds.
    expect(deliveredShare).toBeNull()
  }
  expect(quiet.messagesPerCharge).toBeGreaterThan(usual.messagesPerCharge)
  expect(usual.messagesPerCharge).toBeGreaterThan(busy.messagesPerCharge)
  expect(busy.messagesPerCharge).toBeLessThan(1)
}, 60_000)

test('a fleet has the requests of its campaigns, and where a run would take hours it is of a part of the time', () => {
  const whole = { nodes: null, campaigns: null, regions: null, hours: null, requests: null }
  const of = (size: Partial<typeof whole> | object) =>
    scenarioOf({ scenario: 'calm-day', seed: 1, size: { ...whole, ...size } })
  const small = of({})
  expect(of({ nodes: 12, campaigns: 6 })).toMatchObject({ hours: 24, startHour: 0, requestsPerSecond: 0.8 })
  const fleet = of({ nodes: 1000, campaigns: 100_000, regions: 10 })
  const aCampaign = ({ requestsPerSecond, nodes, campaigns }: typeof fleet) =>
    (requestsPerSecond * nodes) / campaigns
  expect(aCampaign(fleet)).toBeCloseTo(aCampaign(small), 9)
  expect(fleet.startHour).toBe(8)
  expect(fleet.hours).toBeLessThan(0.1)
  expect(of({ nodes: 1000, campaigns: 100_000, hours: 2, requests: 5 })).toMatchObject({
    hours: 2,
    requestsPerSecond: 5,
  })
})
