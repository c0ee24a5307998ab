import { expect, test } from 'bun:test'
import type { LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { NodePlace, WorkerPlace } from '../places.ts'
import { LeaseBook } from './lease-book.ts'

const WORKER: WorkerPlace = { kind: 'worker', region: 0, index: 0, shardNumber: 1 }
/** A number that tells region 0. */
const NODE: NodePlace = { kind: 'node', region: 0, boot: 64, cutOff: false }
const CAMPAIGN = 256
const EPOCH = 1
const MIDNIGHT = Date.parse('2026-11-02T00:00:00.000Z')
const DAY_MS = 86_400_000
const OLD_DAY = MIDNIGHT - DAY_MS
const NEW_DAY = MIDNIGHT
/** The node's own timer starts anywhere. */
const TIMER = 77_000

interface Told {
  readonly granted: number
  readonly voided?: number
  readonly dayStart?: number
  readonly answers?: number
}

function bookAt(time: { now: number }) {
  const book = new LeaseBook(() => time.now)
  const grantOf = ({ granted, voided = 0, dayStart = OLD_DAY, answers }: Told): LeaseGrant => ({
    node: NODE.boot,
    partition: WORKER.index,
    epoch: EPOCH,
    term: 1,
    sequence: 1,
    askSentAt: answers ?? null,
    validMs: 5000,
    shards: [
      {
        campaign: CAMPAIGN,
        shard: WORKER.shardNumber,
        grantedThousandths: granted,
        voidThousandths: voided,
        pacing: 1,
        stopped: false,
        dayStart,
        dayEnd: dayStart + DAY_MS,
        scarce: false,
        closed: false,
      },
    ],
  })
  return {
    lease: (dayStart: number, amountMicros: number) =>
      book.leased(WORKER, EPOCH, { campaign: CAMPAIGN, dayStart, amountMicros }),
    grant: (told: Told) => book.granted(WORKER, EPOCH, grantOf(told)),
    hear: (told: Told) => book.heard(NODE, grantOf(told)),
    ask: (sentAt: number) =>
      book.sent({
        node: NODE.boot,
        partition: WORKER.index,
        epoch: EPOCH,
        term: 1,
        sentAt,
        heard: 0,
        shards: [],
      }),
    choose: (cost: number) => book.chosen(NODE, { campaign: CAMPAIGN, partition: WORKER.index }, cost),
    inHand: () => book.inHand(WORKER, CAMPAIGN),
  }
}

test('a treasury hands out no more than was leased to it', () => {
  const { lease, grant } = bookAt({ now: OLD_DAY })
  lease(OLD_DAY, 5)
  grant({ granted: 5000 })
  expect(() => grant({ granted: 5001 })).toThrow(/of epoch 1 handed out 5001/)
})

test('what was leased of a day that is over is not handed out for the day that has begun', () => {
  const { lease, grant } = bookAt({ now: MIDNIGHT })
  lease(OLD_DAY, 5)
  lease(NEW_DAY, 3)
  grant({ granted: 3000, dayStart: NEW_DAY })
  expect(() => grant({ granted: 3001, dayStart: NEW_DAY })).toThrow(/3001 .* for the day of 2026-11-02/)
})

test('what was granted before midnight is void when it is told with what is granted after: it is of no day', () => {
  const { lease, grant } = bookAt({ now: MIDNIGHT })
  lease(OLD_DAY, 6)
  lease(NEW_DAY, 3)
  grant({ granted: 2000 })
  grant({ granted: 8000, voided: 5000, dayStart: NEW_DAY })
  expect(() => grant({ granted: 8001, voided: 5000, dayStart: NEW_DAY })).toThrow(/for the day of 2026-11-02/)
})

test('a node chooses within the time of its lease, which begins with the ask that was answered last', () => {
  const time = { now: OLD_DAY }
  const { lease, grant, hear, ask, choose, inHand } = bookAt(time)
  lease(OLD_DAY, 5)
  grant({ granted: 5000 })
  ask(TIMER)
  // As many as the book keeps, of which one was lost on its way.
  for (let more = 1; more < 256; more++) {
    time.now += 10
    ask(TIMER + 10 * more)
  }
  hear({ granted: 5000, answers: TIMER })
  expect(inHand()).toBe(5)
  time.now = OLD_DAY + 5100
  choose(1)
  expect(inHand()).toBe(0)
  time.now++
  expect(() => choose(1)).toThrow(/after its lease began/)
  hear({ granted: 5000, answers: TIMER + 2000 })
  // An older answer, that comes late, takes nothing away.
  hear({ granted: 5000, answers: TIMER })
  time.now = OLD_DAY + 7100
  choose(1)
  time.now++
  expect(() => choose(1)).toThrow(/after its lease began/)
})

test('an answer to an ask that the node never sent renews nothing', () => {
  const time = { now: OLD_DAY }
  const { lease, grant, hear, ask, choose } = bookAt(time)
  lease(OLD_DAY, 5)
  grant({ granted: 5000 })
  ask(TIMER)
  hear({ granted: 5000, answers: TIMER + 1 })
  expect(() => choose(1)).toThrow(/after its lease began/)
})
