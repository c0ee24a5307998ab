import { beforeEach, expect, test } from 'bun:test'
import { CLOSED_AFTER_MS, STOP_EARLY_MS } from '../budgets/node-leases.ts'
import { type EdgeColumns, newEdgeColumns } from '../campaigns/catalog-columns.ts'
import type { LeaseGrant } from '../ports/treasury-link.ts'
import { Leases } from './leases.ts'

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
  leases = new Leases(1, 2, { slotOf: campaign => slots.get(campaign) ?? -1 }, columns)
})

function grant(
  askSentAt: number | null,
  granted: Record<number, number>,
  change: {
    epoch?: number
    term?: number
    voided?: number
    closed?: number
    scarce?: number
    stopped?: number
    node?: number
    at?: number
  } = {},
): void {
  const campaigns = Object.entries(granted).map(([campaign, thousandths]) => [Number(campaign), thousandths])
  const message: LeaseGrant = {
    node: change.node ?? 1,
    partition: (campaigns[0]?.[0] ?? 0) % 256,
    epoch: change.epoch ?? 1,
    term: change.term ?? 1,
    sequence: 1,
    askSentAt,
    validMs: VALID_MS,
    shards: campaigns.map(([campaign, thousandths]) => ({
      campaign: campaign!,
      shard: 0,
      grantedThousandths: thousandths!,
      voidThousandths: change.voided ?? 0,
      pacing: 1,
      stopped: campaign === change.stopped,
      scarce: campaign === change.scarce,
      closed: campaign === (change.closed ?? CLOSED),
      dayStart: 0,
      dayEnd: Number.POSITIVE_INFINITY,
    })),
  }
  leases.onGrant(message, change.at ?? askSentAt ?? START)
}

const allowance = (campaign: number) => columns.allowanceThousandths[slots.get(campaign)!]

/** As Serving does. */
function choose(campaign: number, thousandths: number, chosenAt = START): void {
  columns.allowanceThousandths[slots.get(campaign)!]! -= thousandths
  leases.record(campaign, 1, thousandths, 0, chosenAt)
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
  grant(null, { [OPEN]: 1200 }, { at: START + 60_000 })
  expect(allowance(OPEN)).toBe(0)
  grant(START + 60_000, {})
  expect([allowance(OPEN), allowance(CLOSED)]).toEqual([900, 400])
  leases.end(START + 120_000)
  grant(START + 120_000, {})
  expect([allowance(OPEN), allowance(CLOSED)]).toEqual([900, 400])
})

test('a grant that nobody asked for, and an answer that took too long, renew nothing', () => {
  grant(START, { [OPEN]: 1000 })
  grant(null, { [OPEN]: 1000 }, { at: START + 4000 })
  leases.end(START + VALID_MS)
  expect(allowance(OPEN)).toBe(0)
  grant(START + 100, {}, { at: START + 8000 })
  expect(allowance(OPEN)).toBe(0)
})

test('a new epoch voids what was granted before, and is told what was in hand; an older one is refused', () => {
  grant(START, { [OPEN]: 1000 })
  choose(OPEN, 400)
  grant(START + 10, { [OPEN]: 50 }, { epoch: 2 })
  expect(allowance(OPEN)).toBe(50)
  const [ask] = leases.turn(START + 20)
  expect(ask).toMatchObject({
    epoch: 2,
    shards: [{ campaign: OPEN, chosenThousandths: 0, droppedThousandths: 600 }],
  })
  grant(START + 20, { [OPEN]: 250 }, { epoch: 2 })
  expect(allowance(OPEN)).toBe(250)
  grant(START + 30, { [OPEN]: 5000 })
  expect(allowance(OPEN)).toBe(250)
})

test('a new term voids what was granted before, and nothing that was chosen is told again', () => {
  grant(START, { [OPEN]: 1000 })
  choose(OPEN, 400)
  grant(START + 10, { [CLOSED]: 10 }, { term: 2 })
  expect(allowance(OPEN)).toBe(0)
  grant(START + 5, { [OPEN]: 2000 }, { term: 1 })
  expect(allowance(OPEN)).toBe(0)
  const [ask] = leases.turn(START + 300)
  expect(ask).toMatchObject({ epoch: 1, term: 2, shards: [] })
  grant(START + 20, { [OPEN]: 650 }, { term: 2 })
  expect(allowance(OPEN)).toBe(650)
})

test('of a lease that had ended nothing is told to a new epoch: it may have been closed', () => {
  grant(START, { [OPEN]: 1000 })
  choose(OPEN, 400)
  const at = START + VALID_MS - STOP_EARLY_MS
  grant(at, { [OPEN]: 250 }, { epoch: 2 })
  expect(allowance(OPEN)).toBe(250)
  const [ask] = leases.turn(at + 300)
  expect(ask).toMatchObject({ epoch: 2, shards: [] })
})

test('what is void is given back, what was chosen with it and what was granted after it stays', () => {
  grant(START, { [OPEN]: 1000 })
  choose(OPEN, 400)
  // A message with 200 of the void money was lost.
  grant(START + 10, { [OPEN]: 1700 }, { voided: 1200 })
  expect(allowance(OPEN)).toBe(500)
  grant(START + 10, { [OPEN]: 1700 }, { voided: 1200 })
  grant(START + 5, { [OPEN]: 1000 })
  expect(allowance(OPEN)).toBe(500)
  const [ask] = leases.turn(START + 20)
  expect(ask!.shards).toMatchObject([{ chosenThousandths: 400, returnedThousandths: 800 }])
})

test('an edit that closes a campaign stops it where its treasury is silent already', () => {
  grant(START, { [OPEN]: 1000 })
  leases.end(START + CLOSED_AFTER_MS)
  expect(allowance(OPEN)).toBe(1000)
  grant(null, { [OPEN]: 1000 }, { closed: OPEN, at: START + CLOSED_AFTER_MS })
  expect(allowance(OPEN)).toBe(0)
})

test('a grant waits for its campaign to be in the catalog, and is not given out once its lease is over', () => {
  slots.delete(OPEN)
  grant(START, { [OPEN]: 1000 })
  slots.set(OPEN, 0)
  leases.end(START + VALID_MS)
  leases.settle(START + VALID_MS)
  expect(allowance(OPEN)).toBe(0)
  grant(START + VALID_MS, {})
  expect(allowance(OPEN)).toBe(1000)
  expect(columns.pacing[0]).toBe(1)
})

test('a treasury is asked at once where there is news, and four times a second where there is none', () => {
  expect(leases.turn(START)).toHaveLength(2)
  expect(leases.turn(START + 50)).toHaveLength(0)
  leases.record(OPEN, 1, 30, 0, START + 60)
  leases.record(OPEN, 1, 30, 0, START + 70)
  const news = { partition: 0, shards: [{ campaign: OPEN, impressions: 2, chosenThousandths: 60 }] }
  expect(leases.turn(START + 100)).toMatchObject([{ ...news, sentAt: START + 100 }])
  expect(leases.turn(START + 150)).toHaveLength(0)
  expect(leases.turn(START + 250)).toMatchObject([{ partition: 1, shards: [] }])
})

test('what was told is told again until an ask is answered that was sent after it', () => {
  grant(START, { [OPEN]: 1000 })
  leases.record(OPEN, 1, 30, 0, START)
  expect(leases.turn(START + 10)[0]).toMatchObject({ shards: [{ chosenThousandths: 30 }] })
  expect(leases.turn(START + 260)[0]).toMatchObject({ shards: [{ chosenThousandths: 30 }] })
  grant(START + 260, {})
  expect(leases.turn(START + 600)[0]).toMatchObject({ shards: [] })
})

test('what lies unused goes back where money is scarce, or the campaign was stopped', () => {
  grant(START, { [OPEN]: 1000, [CLOSED]: 500 }, { scarce: OPEN })
  leases.turn(START + 2000)
  expect(allowance(OPEN)).toBe(1000)
  leases.turn(START + 3000)
  expect(allowance(OPEN)).toBe(0)
  choose(CLOSED, 100)
  grant(START, { [CLOSED]: 500 }, { stopped: CLOSED })
  const [ask] = leases.turn(START + 3050)
  expect(ask!.shards).toMatchObject([
    { campaign: OPEN, returnedThousandths: 1000 },
    { campaign: CLOSED, chosenThousandths: 100, returnedThousandths: 400 },
  ])
})
