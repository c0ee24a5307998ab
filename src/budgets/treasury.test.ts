import { describe, expect, test } from 'bun:test'
import type { LeaseAsk } from '../ports/treasury-link.ts'
import { CLOSE_SLACK_MS, LEASE_VALID_MS } from './lease-time.ts'
import { NodeLeases } from './node-leases.ts'
import type { ShardView } from './shard-view.ts'
import { Treasury } from './treasury.ts'

const EPOCH = 1
const CAMPAIGN = 512
/** Thousandths of a micro: an impression at 1,000,000 micros a thousand. */
const PRICE = 1_000_000

/** A treasury whose leases are decided at once, and nodes that tell it what they chose. */
function open(change: Partial<ShardView> = {}) {
  const view = {
    price: PRICE,
    model: 'cpm',
    grantableMicros: 5500,
    stopped: false,
    scarce: false,
    starving: false,
    pacing: 1,
    closed: false,
    shard: 0,
    dayStart: 0,
    dayEnd: Number.POSITIVE_INFINITY,
    ...change,
  } as { -readonly [K in keyof ShardView]: ShardView[K] }
  const treasury = new Treasury(0, EPOCH, () => view)
  const granted = new Map<number, number>()
  const sequences = new Map<number, number>()
  const terms = new Map<number, number>()
  const tell = (
    node: number,
    said: Partial<LeaseAsk['shards'][number]>,
    now: number,
    heard = sequences.get(node) ?? 0,
  ) => {
    const head = { node, partition: 0, epoch: EPOCH, sentAt: now, heard }
    if (!terms.has(node)) {
      terms.set(node, terms.size + 1)
      treasury.onAsk({ ...head, term: 0, shards: [] }, now)
    }
    treasury.onAsk(
      {
        ...head,
        term: terms.get(node)!,
        shards: [
          {
            campaign: CAMPAIGN,
            shard: 0,
            impressions: 0,
            chosenThousandths: 0,
            variance: 0,
            returnedThousandths: 0,
            droppedThousandths: 0,
            ...said,
          },
        ],
      },
      now,
    )
  }
  /** A round, and the decision on the lease that it asks for. Returns the messages. */
  const round = (now: number) => {
    const { leases, grants } = treasury.round(now)
    for (const { amountMicros } of leases?.leases ?? []) {
      view.grantableMicros -= amountMicros
      treasury.onLeased(CAMPAIGN, Math.max(0, amountMicros))
    }
    for (const { node, sequence } of grants) sequences.set(node, sequence)
    for (const { node, shards } of grants)
      for (const { grantedThousandths } of shards) granted.set(node, grantedThousandths)
    return grants
  }
  const of = (node: number) => granted.get(node) ?? 0
  return { view, treasury, tell, round, of }
}

describe('a node that was silent for longer than its lease', () => {
  const SILENT_UNTIL = 2 * (LEASE_VALID_MS + CLOSE_SLACK_MS)

  /** A treasury and a node that has three prices in hand when it falls silent; each call passes what is said. */
  function silence() {
    const { view, treasury } = open({ grantableMicros: 3000 })
    const node = new NodeLeases(1, 1)
    const lease = () => node.leaseOf(0, CAMPAIGN, 0)
    const talk = (now: number) => {
      for (const ask of node.asks(now)) treasury.onAsk(ask, now)
      const { leases, grants } = treasury.round(now)
      for (const { amountMicros } of leases?.leases ?? []) {
        view.grantableMicros -= Math.max(0, amountMicros)
        treasury.onLeased(CAMPAIGN, Math.max(0, amountMicros))
      }
      for (const grant of grants) node.onGrant(grant, now)
      return grants
    }
    treasury.wake(CAMPAIGN)
    for (let now = 0; now <= 1000; now += 250) talk(now)
    expect(node.left(lease(), 1000)).toBe(3 * PRICE)
    const late = treasury.round(1001).grants
    let told: ReturnType<typeof treasury.chosenSince> = null
    for (let now = 2000; now < SILENT_UNTIL; now += 1000) told = treasury.chosenSince(now) ?? told
    return { view, treasury, node, lease, talk, late, told }
  }

  test('has nothing left to choose with: that was taken for chosen', () => {
    const { node, lease, talk, told } = silence()
    for (let now = SILENT_UNTIL; now < SILENT_UNTIL + 2000; now += 250) talk(now)
    expect(node.left(lease(), SILENT_UNTIL + 2000)).toBe(0)
    const [of] = told!.shards
    expect([of!.chosenThousandths, of!.supposedThousandths]).toEqual([3 * PRICE, 3 * PRICE])
  })

  test('chooses with what it is granted anew, and tells that from the start', () => {
    const { view, treasury, node, lease, talk } = silence()
    view.grantableMicros = 1000
    for (let now = SILENT_UNTIL; now < SILENT_UNTIL + 2000; now += 250) talk(now)
    const now = SILENT_UNTIL + 2000
    expect(node.left(lease(), now)).toBe(PRICE)
    node.record(lease(), 1, PRICE, 0, now)
    talk(now + 1)
    expect(treasury.chosenSince(now + 2)).toMatchObject({ shards: [{ chosenThousandths: 4 * PRICE }] })
  })

  test('does not hear what was granted to it before, nor is what it said before counted again', () => {
    const { treasury, node, lease, talk } = silence()
    const now = SILENT_UNTIL
    const [before] = node.asks(now)
    const [first] = talk(now + 250)
    expect(first!.shards).toEqual([])
    talk(now + 500)
    const said = { impressions: 9, chosenThousandths: 9 * PRICE, variance: 0 }
    const nothing = { returnedThousandths: 0, droppedThousandths: 0 }
    treasury.onAsk({ ...before!, shards: [{ ...said, ...nothing, campaign: CAMPAIGN, shard: 0 }] }, now + 500)
    expect(treasury.chosenSince(now + 501)).toBeNull()
    expect(node.left(lease(), now + 501)).toBe(0)
  })
})

test('what was chosen before a campaign stopped, and told after it, does not eat the lease that wakes it', () => {
  const { view, treasury, tell, round, of } = open()
  const told = (impressions: number, now: number) =>
    tell(1, { impressions, chosenThousandths: impressions * PRICE }, now)
  told(0, 1)
  round(1)
  round(2)
  expect(of(1)).toBe(5.5 * PRICE)
  // Five of them are chosen and rendered, the budget is spent, and only then the node tells.
  treasury.onReleased(CAMPAIGN, null)
  view.stopped = true
  treasury.wake(CAMPAIGN)
  round(3)
  told(5, 4)
  expect(treasury.overdue).toBe(true)
  expect(treasury.chosenSince(5)).toMatchObject({ shards: [{ chosenThousandths: 5 * PRICE }] })
  expect(treasury.overdue).toBe(false)
  // The cap is raised by five more.
  Object.assign(view, { stopped: false, grantableMicros: 5000 })
  treasury.wake(CAMPAIGN)
  round(6)
  round(7)
  expect(of(1) - 5 * PRICE).toBeGreaterThanOrEqual(PRICE)
})

describe('a treasury', () => {
  test('grants to the nodes that it was asked by, never more than is leased', () => {
    const { view, treasury, tell, round, of } = open({ grantableMicros: 1_000_000 })
    for (let node = 1; node <= 10; node++) tell(node, {}, 1)
    let leased = 1_000_000 - view.grantableMicros
    for (let now = 2; now < 60_000; now += 250) {
      for (let node = 1; node <= 10; node++) tell(node, {}, now)
      round(now)
      if (now % 1000 < 250) treasury.chosenSince(now)
      leased = 1_000_000 - view.grantableMicros
      let handedOut = 0
      for (let node = 1; node <= 10; node++) handedOut += of(node)
      expect(handedOut).toBeLessThanOrEqual(leased * 1000)
    }
    expect(leased).toBeGreaterThan(0)
  })

  test('hands out what an even plan lets out of a click, without a lease for each micro that it grows by', () => {
    const CLICK_MICROS = 900_000
    const { view, treasury, tell, round, of } = open({
      model: 'cpc',
      price: CLICK_MICROS * 1000,
      grantableMicros: CLICK_MICROS / 2,
    })
    tell(1, {}, 1)
    let leases = 0
    for (let now = 2; now < 60_000; now += 250) {
      tell(1, {}, now)
      // Twenty clicks a day.
      view.grantableMicros += 50
      const before = view.grantableMicros
      round(now)
      if (view.grantableMicros < before) leases++
      if (now % 1000 < 250) treasury.chosenSince(now)
      if (now > 500) expect(of(1)).toBeGreaterThan(0.4 * CLICK_MICROS * 1000)
    }
    expect(leases).toBeLessThan(10)
  })

  test('answers every ask, and tells others only what cannot wait', () => {
    const { treasury, tell, round, view } = open({ grantableMicros: 1_000_000 })
    tell(1, {}, 1)
    tell(2, {}, 1)
    round(1)
    round(2)
    expect(round(3)).toEqual([])
    tell(2, {}, 4)
    expect(round(4).map(({ node, askSentAt }) => ({ node, askSentAt }))).toEqual([{ node: 2, askSentAt: 4 }])
    view.stopped = true
    treasury.wake(CAMPAIGN)
    expect(round(5).every(({ askSentAt, shards }) => askSentAt === null && shards[0]!.stopped)).toBe(true)
  })

  test('tells a grant again until the node has heard it', () => {
    const { tell, round } = open()
    tell(1, {}, 1, 0)
    round(1)
    const [lost] = round(2)
    expect(lost!.shards[0]!.grantedThousandths).toBeGreaterThan(0)
    tell(1, {}, 3, lost!.sequence - 1)
    const [again] = round(3)
    expect(again!.shards).toEqual(lost!.shards)
    tell(1, {}, 4, again!.sequence)
    expect(round(4)[0]!.shards).toEqual([])
  })

  test('takes what a silent node has in hand for chosen, once its lease is over', () => {
    const { treasury, tell, round, of } = open()
    tell(1, {}, 1)
    round(1)
    round(2)
    const held = of(1)
    expect(held).toBeGreaterThan(0)
    expect(treasury.chosenSince(LEASE_VALID_MS + CLOSE_SLACK_MS - 1)).toBeNull()
    expect(treasury.chosenSince(LEASE_VALID_MS + CLOSE_SLACK_MS + 1)).toMatchObject({
      shards: [{ chosenThousandths: held }],
    })
    // It comes back and says that it chose less: what it has in hand is held for already.
    tell(1, { impressions: 1, chosenThousandths: PRICE }, 10_000)
    expect(treasury.chosenSince(11_000)).toBeNull()
  })

  test('gives back what it leased for nodes that are gone, and leases anew once one is there', () => {
    const { view, treasury, tell, round, of } = open({ grantableMicros: 3000 })
    treasury.wake(CAMPAIGN)
    tell(1, {}, 0)
    const { leases } = treasury.round(1)
    expect(leases?.leases).toHaveLength(1)
    view.grantableMicros = 0
    const gone = LEASE_VALID_MS + CLOSE_SLACK_MS
    for (let now = 1000; now <= gone; now += 1000) treasury.chosenSince(now)
    expect(treasury.hasNodes).toBe(false)
    treasury.onLeased(CAMPAIGN, 3000)
    expect(treasury.round(gone + 1).leases?.leases).toMatchObject([{ amountMicros: -3000 }])
    view.grantableMicros = 3000
    expect(treasury.round(gone + 60_000).leases).toBeNull()
    tell(2, {}, gone + 60_000)
    round(gone + 60_001)
    round(gone + 60_002)
    expect(of(2)).toBe(3 * PRICE)
  })

  test('moves money that a node gave back to one that uses it', () => {
    const { treasury, tell, round, of } = open({ grantableMicros: 1000 })
    tell(1, {}, 1)
    tell(2, {}, 1)
    round(1)
    round(2)
    const first = of(1) > 0 ? 1 : 2
    const other = 3 - first
    expect(of(other)).toBe(0)
    for (let now = 1000; now < 20_000 && of(other) === 0; now += 1000) {
      tell(first, { returnedThousandths: of(first) }, now)
      tell(other, {}, now)
      treasury.chosenSince(now)
      round(now)
    }
    expect(of(other)).toBe(PRICE)
  })

  test('has what a node had in hand of a day that is over come back, and says so', () => {
    const { view, treasury, tell, round, of } = open({ grantableMicros: 3000 })
    tell(1, {}, 1)
    round(1)
    round(2)
    const held = of(1)
    expect(held).toBe(3 * PRICE)
    // One of it is chosen and was not told yet when the day ends.
    treasury.onReleased(CAMPAIGN, held)
    const [voids] = round(3)
    expect(voids!.shards).toMatchObject([{ grantedThousandths: held, voidThousandths: held }])
    tell(1, { impressions: 1, chosenThousandths: PRICE, returnedThousandths: 2 * PRICE }, 4)
    expect(treasury.chosenSince(1000)).toMatchObject({
      shards: [{ chosenThousandths: PRICE, droppedThousandths: 2 * PRICE }],
    })
    // Of the new day it is leased what it is given, and not what it had.
    view.grantableMicros = 2000
    treasury.wake(CAMPAIGN)
    round(1001)
    expect(view.grantableMicros).toBe(0)
    round(1002)
    expect(of(1)).toBe(held + 2 * PRICE)
  })
})

describe('a new day', () => {
  test('begins with its own money: nothing of the day before is handed out, nor told to be of the new one', () => {
    const { view, treasury, tell, round, of } = open({ grantableMicros: 20_000, dayEnd: 1000 })
    tell(1, {}, 0)
    round(0)
    round(100)
    const before = of(1)
    expect(before).toBeGreaterThan(0)
    // The node has chosen with most of it. More was leased of the day, and midnight comes before it is handed out.
    treasury.onLeased(CAMPAIGN, 8000)
    view.dayStart = 1000
    view.dayEnd = 2000
    tell(1, { impressions: 1, chosenThousandths: before - PRICE / 2 }, 1000)
    const grants = round(1000)
    expect(of(1)).toBe(before)
    for (const { shards } of grants) for (const said of shards) expect(said.dayStart).toBe(0)
    // What is released is void; from then on the node has what is leased of the new day.
    treasury.onReleased(CAMPAIGN, 28_000_000)
    view.grantableMicros = 20_000
    const after = [1100, 1400, 1700].flatMap(round).flatMap(({ shards }) => shards)
    expect(after.map(({ dayStart }) => dayStart)).toEqual(after.map(() => 1000))
    expect(of(1)).toBeGreaterThan(before)
  })
})
