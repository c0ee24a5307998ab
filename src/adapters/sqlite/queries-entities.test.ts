import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { ADVERTISER, CAMPAIGN, NOW, TestStore } from './queries-test-store.ts'

const DAY = 86_400_000

let store: TestStore
beforeEach(() => {
  store = new TestStore()
})
afterEach(() => store.close())

const said = {
  id: 'cmp_e8',
  advertiserId: 'adv_74',
  name: 'Autumn',
  currency: 'USD',
  bid: { model: 'cpc', amountMicros: 250_000 },
  budget: { totalMicros: 50_000_000, dailyMicros: 10_000_000 },
  schedule: { startAt: null, endAt: null, timeZone: 'UTC', dayparts: [] },
  ads: [{ id: 'ad_lc', name: 'Leaderboard', status: 'active' }],
  paused: false,
  archived: false,
  version: 3,
}
const day = { name: '2026-11-24', start: NOW - DAY / 2, end: NOW + DAY / 2, spentMicros: 4_000_000 }
const spent = { spentTotalMicros: 45_000_000, day, heldMicros: 750_000, stopped: null }

describe('a campaign', () => {
  const shown = async () => (await store.queries.entity('campaign', CAMPAIGN)) as Record<string, unknown>

  test('is what its advertiser said, with its money', async () => {
    store.entity('campaign', CAMPAIGN, said, ADVERTISER)
    // The state that decides is beside what readers see, and is not shown.
    store.money('campaign', CAMPAIGN, { ...spent, state: { leases: [] } })
    const { paused: _, ...fields } = said
    expect(await shown()).toEqual({
      ...fields,
      status: 'active',
      spend: { todayMicros: 4_000_000, totalMicros: 45_000_000 },
      remaining: { todayMicros: 5_000_000, totalMicros: 5_000_000 },
      mayStillSpendMicros: 750_000,
      asOf: '2026-11-24T12:00:00.000Z',
    })
  })

  test('has spent nothing today once its day is over', async () => {
    store.entity('campaign', CAMPAIGN, said, ADVERTISER)
    store.money('campaign', CAMPAIGN, { ...spent, spentTotalMicros: 4_000_000 })
    store.now = day.end
    expect(await shown()).toMatchObject({
      spend: { todayMicros: 0, totalMicros: 4_000_000 },
      remaining: { todayMicros: 10_000_000, totalMicros: 46_000_000 },
    })
  })

  test('without limits has no remainder, and without money spent nothing', async () => {
    const free = { ...said, budget: { totalMicros: null, dailyMicros: null } }
    store.entity('campaign', CAMPAIGN, free, ADVERTISER)
    expect(await shown()).toMatchObject({
      spend: { todayMicros: 0, totalMicros: 0 },
      remaining: { todayMicros: null, totalMicros: null },
      mayStillSpendMicros: 0,
    })
  })

  test.each([
    [{ paused: true }, null, 'paused'],
    [{ archived: true }, null, 'ended'],
    [{ schedule: { ...said.schedule, startAt: '2027-01-01T00:00:00.000Z' } }, null, 'scheduled'],
    [{ schedule: { ...said.schedule, endAt: '2026-01-01T00:00:00.000Z' } }, null, 'ended'],
    [{}, 'unfunded', 'unfunded'],
    [{}, 'exhaustedDaily', 'exhaustedDaily'],
    [{}, 'exhausted', 'exhausted'],
  ])('%j stopped by %p is %s', async (changes, stopped, status) => {
    store.entity('campaign', CAMPAIGN, { ...said, ...changes }, ADVERTISER)
    store.money('campaign', CAMPAIGN, { ...spent, stopped })
    expect((await shown())['status']).toBe(status)
  })
})

test('an advertiser has its balance and credit less what is held', async () => {
  store.entity('advertiser', ADVERTISER, { id: 'adv_74', name: 'A', creditLimitMicros: 1000 })
  expect(await store.queries.entity('advertiser', ADVERTISER)).toMatchObject({
    balanceMicros: 0,
    availableMicros: 1000,
  })
  store.money('advertiser', ADVERTISER, { balanceMicros: 500, heldMicros: 200, state: {} })
  expect(await store.queries.entity('advertiser', ADVERTISER)).toEqual({
    id: 'adv_74',
    name: 'A',
    creditLimitMicros: 1000,
    balanceMicros: 500,
    heldMicros: 200,
    availableMicros: 1300,
    asOf: '2026-11-24T12:00:00.000Z',
  })
})

test('a key never shows what it is checked with, alone or in a list', async () => {
  store.entity('key', 256, { id: 'key_74', role: 'admin', secretHash: 'abc' })
  expect(await store.queries.entity('key', 256)).toEqual({ id: 'key_74', role: 'admin' })
  expect(JSON.stringify(await store.queries.list('key', { owner: null }, 10, null))).not.toContain('abc')
})

test('what is not there is null', async () => {
  expect(await store.queries.entity('publisher', 1)).toBeNull()
})

test('a list leaves nothing out, page by page, and holds only what its owner has', async () => {
  for (let i = 1; i <= 7; i++) {
    store.entity('placement', i * 256, { id: `plc_${i}` }, i % 2 === 0 ? 1 : 2)
  }
  const seen: unknown[] = []
  let cursor: string | null = null
  do {
    const page = await store.queries.list('placement', { owner: null }, 3, cursor)
    seen.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7].map(i => ({ id: `plc_${i}` })))
  const owned = await store.queries.list('placement', { owner: 1 }, 3, null)
  expect(owned).toEqual({ items: [2, 4, 6].map(i => ({ id: `plc_${i}` })), nextCursor: null })
})

test('a page of long items has fewer of them, one at least, and the next goes on behind it', async () => {
  const long = (length: number) => ({ audience: 'x'.repeat(length) })
  for (const [i, length] of [1_500_000, 1_500_000, 1_500_000, 6_000_000, 10].entries()) {
    store.entity('placement', (i + 1) * 256, long(length))
  }
  const lengths: number[] = []
  let cursor: string | null = null
  do {
    const page = await store.queries.list('placement', { owner: null }, 200, cursor)
    lengths.push(page.items.length)
    cursor = page.nextCursor
  } while (cursor !== null)
  expect(lengths).toEqual([2, 1, 1, 1])
})

test('a history is newest first: who changed what, and when', async () => {
  for (let version = 1; version <= 3; version++) {
    const change = { at: NOW + version, actor: 'key_74', action: 'patch', patch: `{"name":"${version}"}` }
    store.insert('history', { kind: 'campaign', number: CAMPAIGN, version, ...change })
  }
  const first = await store.queries.history('campaign', CAMPAIGN, 2, null)
  expect(first.items[0]).toEqual({
    version: 3,
    at: '2026-11-24T12:00:00.003Z',
    actor: 'key_74',
    action: 'patch',
    patch: { name: '3' },
  })
  const rest = await store.queries.history('campaign', CAMPAIGN, 2, first.nextCursor)
  expect(rest).toMatchObject({ items: [{ version: 1 }], nextCursor: null })
})
