import { expect, test } from 'bun:test'
import { SCENARIOS } from './scenarios.ts'
import { World } from './world.ts'

const CALM = SCENARIOS.find(({ name }) => name === 'last-five-percent')!
const SMALL = {
  ...CALM,
  hours: 0.5,
  regions: 2,
  nodes: 4,
  campaigns: 6,
  faults: { ...CALM.faults, lossShare: 0 },
}
/** The flush, and the batch. */
const COMMITTED_MS = 20

test('an event that is on disk waits for money though its worker died before anybody heard of it', () => {
  const world = new World(SMALL, 1)
  const campaign = world.market.campaigns[0]!
  const [worker] = world.workersFor(campaign)
  const impression = { serial: 1_000_000, campaign, worker: worker!, chosenAt: world.start }
  let heard = 0
  // Nothing is granted yet: whatever is charged has to wait.
  worker!.append({ kind: campaign.model === 'cpc' ? 'click' : 'render', impression }, () => heard++)
  worker!.crash('afterCommit', false)
  expect(world.auditor.events.hasWaited(campaign.number, 0)).toBe(false)
  world.runUntil(world.start + COMMITTED_MS)
  expect(worker!.up).toBe(false)
  expect(heard).toBe(0)
  expect(world.auditor.events.hasWaited(campaign.number, 0)).toBe(true)
})
