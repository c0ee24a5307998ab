import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { micros } from '../core/money.ts'
import { newBalance } from './balance.ts'
import { newBudget, outOn, spentTotal } from './budget.ts'
import {
  applyGrant,
  type FarParent,
  newFarParent,
  observeSpend,
  reportsOf,
  returnSurplus,
  wantedOf,
} from './far-parent.ts'
import { answerReport, beginIncarnation, fenceShard } from './far-shards.ts'
import { freeMicros, newShard, newShardDay, reportChosen, type Shard, type ShardDay, spend } from './shard.ts'
import type { ShardGrant, ShardReport } from './shard-messages.ts'

const NOW = Date.parse('2026-11-25T12:00:00.000Z')
const DAY = { day: '2026-11-25', start: NOW - 43_200_000, end: NOW + 43_200_000 }
const PRICE = 10_000
const CAP = 100 * PRICE
const CAMPAIGN = 256

interface Far {
  readonly parent: FarParent
  readonly shard: Shard
}

/** A campaign at home with 100 prices for the day, and shards that hear of it by messages only. */
function open(shards: number) {
  const balance = newBalance(0)
  balance.balance = micros(1_000_000_000)
  const terms = { model: 'cpc' as const, amount: PRICE }
  const budget = newBudget({ ...terms, totalCap: null, dailyCap: micros(CAP), timeZone: 'UTC' })
  budget.days.push(newShardDay(DAY))
  const far = Array.from({ length: shards }, (_, number) => {
    const shard = newShard(terms)
    shard.days.push(newShardDay(DAY))
    return { parent: newFarParent(CAMPAIGN, number + 1), shard }
  })
  const answer = (report: ShardReport, now = NOW): ShardGrant =>
    answerReport(budget, balance, report, {
      now,
      allowance: Number.POSITIVE_INFINITY,
      pacing: 1,
      stopped: false,
    })
  const reports = (of: Far, now = NOW) =>
    reportsOf(of.parent, of.shard, wantedOf(of.parent, of.shard, now, new Map()))
  return { balance, budget, far, answer, reports }
}

const charged = (far: readonly Far[]) =>
  far.reduce(
    (sum, { shard }) => sum + shard.days.reduce((all, { link }) => all + link.charged - link.refunded, 0),
    0,
  )

describe('a link across partitions', () => {
  test('bills no more than the cap, whatever is lost, repeated, late and reordered', () => {
    const step = fc.record({
      shard: fc.nat(2),
      what: fc.constantFrom('report', 'deliverReport', 'deliverGrant', 'charge', 'return', 'choose'),
      pick: fc.nat(1_000_000),
      keep: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), steps => {
        const { balance, budget, far, answer, reports } = open(3)
        const toHome: ShardReport[] = []
        const toShard: { readonly of: Far; readonly grant: ShardGrant }[] = []
        for (const { shard, what, pick, keep } of steps) {
          const of = far[shard]!
          const day = of.shard.days[0]!
          if (what === 'report') toHome.push(...reports(of))
          else if (what === 'deliverReport' && toHome.length > 0) {
            const report = toHome[pick % toHome.length]!
            if (!keep) toHome.splice(toHome.indexOf(report), 1)
            toShard.push({ of: far[report.shard - 1]!, grant: answer(report) })
          } else if (what === 'deliverGrant' && toShard.length > 0) {
            const message = toShard[pick % toShard.length]!
            if (!keep) toShard.splice(toShard.indexOf(message), 1)
            applyGrant(message.of.parent, message.of.shard, message.grant, NOW)
          } else if (what === 'charge') spend(day, micros(PRICE))
          else if (what === 'return') {
            of.parent.scarce = keep
            returnSurplus(of.parent, of.shard, NOW)
          } else if (what === 'choose') {
            const totals = { epoch: 0, chosenThousandths: pick, variance: 0 }
            reportChosen(of.shard, day, totals, NOW)
          }
          expect(outOn(budget.days[0]!)).toBeLessThanOrEqual(CAP)
          expect(charged(far)).toBeLessThanOrEqual(CAP)
          expect(spentTotal(budget)).toBeLessThanOrEqual(charged(far))
          expect(balance.balance + spentTotal(budget)).toBe(1_000_000_000)
          for (const held of far) {
            const [{ link }] = held.shard.days as [ShardDay]
            expect(link.granted - link.returned - link.charged + link.refunded).toBeGreaterThanOrEqual(0)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('lets the last money be spent by whoever wants it', () => {
    const { far, answer, reports } = open(10)
    const [wanting] = far as [Far]
    for (let round = 0; round < 200; round++) {
      const now = NOW + round * 1000
      for (const of of far) {
        returnSurplus(of.parent, of.shard, now)
        for (const report of reports(of, now)) applyGrant(of.parent, of.shard, answer(report, now), now)
      }
      const day = wanting.shard.days[0]!
      let spent = 0
      while (freeMicros(wanting.shard, day, now) >= PRICE) {
        spend(day, micros(PRICE))
        spent += PRICE
      }
      observeSpend(wanting.parent, spent, 1)
    }
    expect(charged(far)).toBe(CAP)
  })
})

describe('a region that was given up', () => {
  test('has what it tells of late honoured from free money only, and the rest reversed', () => {
    const { budget, balance, far, answer, reports } = open(2)
    const [lost, other] = far as [Far, Far]
    const talk = (of: Far) => reports(of).map(report => applyGrant(of.parent, of.shard, answer(report), NOW))
    talk(lost)
    const held = lost.shard.days[0]!.link.granted
    expect(held).toBeGreaterThan(5 * PRICE)
    fenceShard(budget, balance, 1)
    for (let round = 0; round < 40; round++) {
      talk(other)
      const day = other.shard.days[0]!
      while (charged([other]) < CAP - 2 * PRICE && freeMicros(other.shard, day, NOW) >= PRICE) {
        spend(day, micros(PRICE))
      }
    }
    expect(charged([other])).toBe(CAP - 2 * PRICE)
    // Cut off, it went on charging what it had been granted.
    for (let i = 0; i < 5; i++) spend(lost.shard.days[0]!, micros(PRICE))
    // It hears of the fence, tells of what it did under the old one, and hears what of that stands.
    other.parent.stopped = true
    returnSurplus(other.parent, other.shard, NOW)
    for (const report of reports(other)) answer(report)
    const heard = [...talk(lost), ...talk(lost)]
    const reversed = heard.flatMap(({ reversed }) => reversed)
    const honoured = 5 * PRICE - reversed.reduce((sum, { amountMicros }) => sum + amountMicros, 0)
    expect(honoured).toBeLessThanOrEqual(2 * PRICE)
    expect(spentTotal(budget)).toBe(micros(CAP - 2 * PRICE + honoured))
    expect(outOn(budget.days[0]!)).toBeLessThanOrEqual(CAP)
    // Heard again, nothing more is reversed.
    expect(talk(lost).flatMap(({ reversed: again }) => again)).toEqual([])
  })
})

describe('a campaign restored from a backup', () => {
  test('grants nothing until every shard has told what it was granted before', () => {
    const { budget, far, answer, reports } = open(2)
    const backup = structuredClone(budget)
    for (const of of far)
      for (const report of reports(of)) applyGrant(of.parent, of.shard, answer(report), NOW)
    const granted = far.reduce((sum, { shard }) => sum + shard.days[0]!.link.granted, 0)
    expect(granted).toBeGreaterThan(CAP / 10)
    const restored = open(0)
    Object.assign(restored.budget, backup)
    beginIncarnation(restored.budget, restored.balance, 1, [1, 2])
    const [one, two] = far as [Far, Far]
    const tell = (of: Far) =>
      reports(of).map(report => applyGrant(of.parent, of.shard, restored.answer(report), NOW))
    tell(one)
    tell(one)
    expect(one.shard.days[0]!.link.granted + two.shard.days[0]!.link.granted).toBe(micros(granted))
    for (let round = 0; round < 10; round++) for (const of of far) tell(of)
    expect(outOn(restored.budget.days[0]!)).toBeLessThanOrEqual(CAP)
    expect(charged(far)).toBe(0)
    const total = far.reduce((sum, { shard }) => sum + shard.days[0]!.link.granted, 0)
    expect(total).toBeGreaterThanOrEqual(granted)
    expect(total).toBeLessThanOrEqual(CAP)
  })
})
