import { beforeEach, expect, test } from 'bun:test'
import { type EdgeColumns, newEdgeColumns } from '../campaigns/catalog-columns.ts'
import type { LeaseGrant } from '../ports/treasury-link.ts'
import { CLOSED_AFTER_MS, Leases, STOP_EARLY_MS } from './leases.ts'

const START = 1_800_000_000_000
const VALID_MS = 5000
/** Campaigns of partition 0, and one of partition 1. */
const OPEN = 256
const CLOSED = 512
const ELSEWHERE = 257

let columns: EdgeColumns
let slots: Map<number, number>
let leases: Leases
beforeEach(() => {
  columns = newEdgeColumns()
  slots = new Map([
    [OPEN, 0],
    [CLOSED, 1],
    [ELSEWHERE, 2],
  ])
  leases = new Leases(1, { slotOf: campaign => slots.get(campaign) ?? -1 }, columns)
})

function grant(
  askSentAt: number,
  granted: Record<number, number>,
  change: { epoch?: number; closed?: number; node?: number; at?: number } = {},
): void {
  const campaigns = Object.entries(granted).map(([campaign, thousandths]) => [Number(campaign), thousandths])
  const message: LeaseGrant = {
    node: change.node ?? 1,
    partition: (campaigns[0]?.[0] ?? 0) % 256,
    epoch: change.epoch ?? 1,
    askSentAt,
    validMs: VALID_MS,
    shards: campaigns.map(([campaign, thousandths]) => ({
      campaign: campaign!,
      shard: 0,
      grantedThousandths: thousandths!,
      pacing: 1,
      stopped: false,
      closed: campaign === (change.closed ?? CLOSED),
    })),
  }
  leases.onGrant(message, change.at ?? (askSentAt || START))
}

const allowance = (campaign: number) => columns.allowanceThousandths[slots.get(campaign)!]

/** As Serving does. */
function choose(campaign: number, thousandths: number): void {
  columns.allowanceThousandths[slots.get(campaign)!]! -= thousandths
  leases.record(campaign, 1, thousandths, 0)
}

test('a grant that comes again or late adds nothing, one for another node neither', () => {
  grant(START, { [OPEN]: 700 })
  grant(START, { [OPEN]: 700 })
  grant(START - 100, { [OPEN]: 300 })
  grant(START, { [OPEN]: 9000 }, { node: 2 })
  expect(allowance(OPEN)).toBe(700)
  grant(START, { [OPEN]: 1000 })
  expect(allowance(OPEN)).toBe(1000)
})

test('unanswered, an open campaign goes on until its lease ends, counted from when the ask was sent', () => {
  grant(START, { [OPEN]: 1000 }, { at: START + 3000 })
  leases.end(START + VALID_MS - STOP_EARLY_MS - 1)
  expect(allowance(OPEN)).toBe(1000)
  leases.end(START + VALID_MS - STOP_EARLY_MS)
  expect(allowance(OPEN)).toBe(0)
})

test('unanswered, a closed campaign stops after a second, and other partitions go on', () => {
  grant(START, { [OPEN]: 1000, [CLOSED]: 500 })
  grant(START + 400, { [ELSEWHERE]: 100 }, { closed: ELSEWHERE })
  leases.end(START + CLOSED_AFTER_MS - 1)
  expect(allowance(CLOSED)).toBe(500)
  leases.end(START + CLOSED_AFTER_MS)
  expect(allowance(CLOSED)).toBe(0)
  expect(allowance(OPEN)).toBe(1000)
  expect(allowance(ELSEWHERE)).toBe(100)
})

test('answered again, both go on with what was left and what was granted meanwhile', () => {
  grant(START, { [OPEN]: 1000, [CLOSED]: 500 })
  choose(OPEN, 300)
  choose(CLOSED, 100)
  leases.end(START + 60_000)
  expect([allowance(OPEN), allowance(CLOSED)]).toEqual([0, 0])
  grant(0, { [OPEN]: 1200 }, { at: START + 60_000 })
  expect(allowance(OPEN)).toBe(0)
  grant(START + 60_000, {})
  expect([allowance(OPEN), allowance(CLOSED)]).toEqual([900, 400])
  leases.end(START + 120_000)
  grant(START + 120_000, {})
  expect([allowance(OPEN), allowance(CLOSED)]).toEqual([900, 400])
})

test('a grant that nobody asked for, and an answer that took too long, renew nothing', () => {
  grant(START, { [OPEN]: 1000 })
  grant(0, { [OPEN]: 1000 }, { at: START + 4000 })
  leases.end(START + VALID_MS)
  expect(allowance(OPEN)).toBe(0)
  grant(START + 100, {}, { at: START + 8000 })
  expect(allowance(OPEN)).toBe(0)
})

test('a new epoch voids what was granted before; an older one is refused', () => {
  grant(START, { [OPEN]: 1000 })
  choose(OPEN, 400)
  grant(START + 10, { [OPEN]: 250 }, { epoch: 2 })
  expect(allowance(OPEN)).toBe(250)
  grant(START + 20, { [OPEN]: 5000 })
  expect(allowance(OPEN)).toBe(250)
  choose(OPEN, 50)
  const [ask] = leases.asks(START + 30, 1)
  expect(ask).toMatchObject({ epoch: 2, shards: [{ campaign: OPEN, impressions: 1, chosenThousandths: 50 }] })
})

test('an edit that closes a campaign stops it where its treasury is silent already', () => {
  grant(START, { [OPEN]: 1000 })
  leases.end(START + CLOSED_AFTER_MS)
  expect(allowance(OPEN)).toBe(1000)
  grant(0, { [OPEN]: 1000 }, { closed: OPEN, at: START + CLOSED_AFTER_MS })
  expect(allowance(OPEN)).toBe(0)
})

test('a grant waits for its campaign to be in the catalog, and is not given out once its lease is over', () => {
  slots.delete(OPEN)
  grant(START, { [OPEN]: 1000 })
  slots.set(OPEN, 0)
  leases.end(START + VALID_MS)
  leases.settle()
  expect(allowance(OPEN)).toBe(0)
  grant(START + VALID_MS, {})
  expect(allowance(OPEN)).toBe(1000)
  expect(columns.pacing[0]).toBe(1)
})

test('a treasury is asked at once where there is news, and four times a second where there is none', () => {
  expect(leases.asks(START, 2)).toHaveLength(2)
  expect(leases.asks(START + 50, 2)).toHaveLength(0)
  leases.record(OPEN, 1, 30, 0)
  leases.record(OPEN, 1, 30, 0)
  expect(leases.asks(START + 100, 2)).toMatchObject([
    {
      partition: 0,
      sentAt: START + 100,
      shards: [{ campaign: OPEN, impressions: 2, chosenThousandths: 60 }],
    },
  ])
  expect(leases.asks(START + 150, 2)).toHaveLength(0)
  expect(leases.asks(START + 250, 2)).toMatchObject([{ partition: 1, shards: [] }])
})
