import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { micros } from '../core/money.ts'
import { newBalance } from './balance.ts'
import { newBudget, outOn, spentTotal } from './budget.ts'
import { fenceShard } from './far-links.ts'
import {
  applyGrant,
  type FarParent,
  newFarParent,
  observeSpend,
  refundCharge,
  reportOf,
  returnSurplus,
  wantedOf,
} from './far-parent.ts'
import { answerReport, hasUnspent, pushGrant } from './far-shards.ts'
import { unspent } from './link.ts'
import { beginIncarnation } from './restores.ts'
import {
  freeMicros,
  newShard,
  newShardDay,
  reportChosen,
  reserveTarget,
  type Shard,
  type ShardDay,
  spend,
} from './shard.ts'
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
      waitMs: 0,
      stopped: false,
    })
  const reports = (of: Far, now = NOW) => [
    reportOf(of.parent, of.shard, wantedOf(of.parent, of.shard, now, new Map())),
  ]
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

test('a shard that no node is there for wants nothing and keeps nothing free, but for charges that wait', () => {
  const { budget, far, answer, reports } = open(2)
  const [left, other] = far as [Far, Far]
  for (const of of far) for (const report of reports(of)) applyGrant(of.parent, of.shard, answer(report), NOW)
  expect(hasUnspent(budget, 1)).toBe(true)
  left.parent.hasNodes = false
  const [day] = left.shard.days as [ShardDay]
  reportChosen(left.shard, day, { epoch: 0, chosenThousandths: 500 * PRICE, variance: 0 }, NOW)
  const reserved = reserveTarget(left.shard, day, NOW)
  expect(reserved).toBeGreaterThan(0)
  expect(returnSurplus(left.parent, left.shard, NOW)).toBe(true)
  expect(unspent(day.link)).toBe(reserved)
  expect(wantedOf(left.parent, left.shard, NOW, new Map())).toEqual([])
  const short = new Map([[DAY.start, PRICE]])
  expect(wantedOf(left.parent, left.shard, NOW, short)).toMatchObject([{ micros: 0, shortMicros: PRICE }])
  returnSurplus(other.parent, other.shard, NOW)
  for (const of of far) for (const report of reports(of)) answer(report)
  expect<number>(outOn(budget.days[0]!)).toBe(unspent(day.link) + unspent(other.shard.days[0]!.link))
  expect(hasUnspent(budget, 1)).toBe(true)
  spend(day, micros(reserved))
  answer(reportOf(left.parent, left.shard, []))
  expect(hasUnspent(budget, 1)).toBe(false)
})

describe('a region that was given up', () => {
  test('has what it tells of late honoured from free money only, and the rest reversed', () => {
    const { budget, balance, far, answer, reports } = open(2)
    const [lost, other] = far as [Far, Far]
    const talk = (of: Far) => reports(of).map(report => applyGrant(of.parent, of.shard, answer(report), NOW))
    talk(lost)
    const held = lost.shard.days[0]!.link.granted
    expect(held).toBeGreaterThan(5 * PRICE)
    fenceShard(balance, [budget], 1)
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
    beginIncarnation(restored.balance, [restored.budget], 1, [1, 2])
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

  /** As it was before shard 1 was given up; meanwhile that is cut off and spends, and the rest goes to shard 2. */
  function restoredBeforeFence() {
    const lost = open(2)
    const [cut, other] = lost.far as [Far, Far]
    const talk = (home: ReturnType<typeof open>, of: Far) =>
      reports(of).flatMap(report => applyGrant(of.parent, of.shard, home.answer(report), NOW).reversed)
    const { reports } = lost
    talk(lost, cut)
    const backup = structuredClone({ budget: lost.budget, balance: lost.balance })
    fenceShard(lost.balance, [lost.budget], 1)
    const [{ link: cutLink }] = cut.shard.days as [ShardDay]
    const spent = cutLink.granted
    expect(spent).toBeGreaterThan(5 * PRICE)
    spend(cut.shard.days[0]!, spent)
    const spendAll = (of: Far, home: ReturnType<typeof open>) => {
      for (let round = 0; round < 60; round++) {
        talk(home, of)
        while (spend(of.shard.days[0]!, micros(PRICE)));
      }
    }
    const restore = (incarnation: number) => {
      const home = open(0)
      Object.assign(home.budget, structuredClone(backup.budget))
      Object.assign(home.balance, structuredClone(backup.balance))
      beginIncarnation(home.balance, [home.budget], incarnation, [1, 2])
      return home
    }
    /** What the shards come to, and the restored campaign's books of it. */
    const settle = (home: ReturnType<typeof open>) => {
      let reversed = 0
      for (let round = 0; round < 60; round++) {
        for (const of of [cut, other]) for (const { amountMicros } of talk(home, of)) reversed += amountMicros
      }
      const closed = cut.parent.closed.reduce((sum, { link }) => sum + link.charged - link.refunded, 0)
      expect(spentTotal(home.budget)).toBe(micros(charged([cut, other]) + closed))
      expect(home.balance.balance + spentTotal(home.budget)).toBe(1_000_000_000)
      expect(outOn(home.budget.days[0]!)).toBeLessThanOrEqual(CAP)
      return { reversed, closed }
    }
    return { lost, cut, other, spent, talk, spendAll, restore, settle }
  }

  test('hears of a fence that it has forgotten from those who were granted what it freed', () => {
    const { lost, cut, other, spent, spendAll, restore, settle } = restoredBeforeFence()
    spendAll(other, lost)
    expect(charged([other])).toBe(CAP)
    const home = restore(1)
    expect(settle(home)).toEqual({ reversed: spent, closed: 0 })
    expect(charged([cut])).toBe(0)
  })

  test('has charges that it had honoured told again, before it grants', () => {
    const { lost, cut, other, spent, talk, spendAll, restore, settle } = restoredBeforeFence()
    // The region is back, and what it charged is honoured.
    for (let round = 0; round < 3; round++) expect(talk(lost, cut)).toEqual([])
    const home = restore(1)
    spendAll(other, home)
    expect(charged([other])).toBe(0)
    spendAll(cut, home)
    spendAll(other, home)
    expect(settle(home)).toEqual({ reversed: 0, closed: spent })
    expect(charged([cut, other]) + spent).toBe(CAP)
    // And a second time.
    expect(settle(restore(2))).toEqual({ reversed: 0, closed: spent })
  })

  test('does not use the number of a fence again that was raised before', () => {
    const { cut, other, lost, talk, spendAll, restore, settle } = restoredBeforeFence()
    for (let round = 0; round < 3; round++) talk(lost, cut)
    expect(cut.parent.fence).toBe(1)
    spend(cut.shard.days[0]!, micros(PRICE))
    const home = restore(1)
    // It does not answer, and is given up once more.
    fenceShard(home.balance, [home.budget], 1)
    spendAll(other, home)
    expect(charged([other])).toBeGreaterThan(0)
    settle(home)
    expect(cut.parent.fence).toBeGreaterThan(1)
  })

  test('neither forgets a refund under an older fence, nor refunds what was reversed', () => {
    const { lost, cut, spent, talk, restore, settle } = restoredBeforeFence()
    const charge = { fence: 0, start: DAY.start, amount: micros(PRICE) }
    for (let round = 0; round < 3; round++) talk(lost, cut)
    expect(refundCharge(cut.parent, cut.shard, charge)).toBe(true)
    for (let round = 0; round < 3; round++) talk(lost, cut)
    expect(spentTotal(lost.budget)).toBe(micros(spent - PRICE))
    expect(settle(restore(1))).toEqual({ reversed: 0, closed: spent - PRICE })

    const all = restoredBeforeFence()
    all.spendAll(all.other, all.lost)
    for (let round = 0; round < 3; round++) all.talk(all.lost, all.cut)
    expect(refundCharge(all.cut.parent, all.cut.shard, charge)).toBe(false)
  })

  test('grants nothing from a balance while one of its campaigns has not told', () => {
    const { cut, other, restore, talk } = restoredBeforeFence()
    const restored = restore(1)
    const second = structuredClone(restored.budget)
    beginIncarnation(restored.balance, [restored.budget, second], 2, [1, 2])
    for (let round = 0; round < 3; round++) {
      talk(restored, cut)
      talk(restored, other)
    }
    expect(restored.balance.awaiting).toBe(1)
    expect(other.shard.days[0]!.link.granted).toBe(micros(0))
    const terms = { now: NOW, stopped: false, pacing: 1 }
    expect(pushGrant(second, restored.balance, { campaign: CAMPAIGN, shard: 1 }, terms).undecided).toBe(true)
  })

  test('counts a refund that it has forgotten as what it freed, and may have granted', () => {
    const { lost, cut, other, talk, spendAll, settle } = restoredBeforeFence()
    const refunded = { fence: 1, start: DAY.start, amount: micros(PRICE) }
    for (let round = 0; round < 3; round++) talk(lost, cut)
    spendAll(cut, lost)
    talk(lost, cut)
    const backup = structuredClone({ budget: lost.budget, balance: lost.balance })
    expect(refundCharge(cut.parent, cut.shard, refunded)).toBe(true)
    expect(refundCharge(cut.parent, cut.shard, refunded)).toBe(true)
    talk(lost, cut)
    // Cut off, it spends what it was granted last.
    fenceShard(lost.balance, [lost.budget], 1)
    expect(spend(cut.shard.days[0]!, micros(PRICE))).toBe(true)
    spendAll(other, lost)
    const home = open(0)
    Object.assign(home.budget, backup.budget)
    Object.assign(home.balance, backup.balance)
    beginIncarnation(home.balance, [home.budget], 1, [1, 2])
    settle(home)
  })

  test('does not take for granted what stood before the shard was given up by one restored since', () => {
    const { lost, cut, other, spent, talk, spendAll, restore, settle } = restoredBeforeFence()
    for (let round = 0; round < 3; round++) expect(talk(lost, cut)).toEqual([])
    const home = restore(1)
    fenceShard(home.balance, [home.budget], 1)
    spendAll(other, home)
    expect(charged([other])).toBe(CAP)
    expect(settle(restore(2))).toEqual({ reversed: spent, closed: 0 })
  })

  test('bills no more than the cap, whatever fences and restores, lost and late messages there are', () => {
    const step = fc.record({
      shard: fc.nat(2),
      what: fc.constantFrom(
        ...([
          'talk',
          'talk',
          'talk',
          'talk',
          'talk',
          'talk',
          'report',
          'deliverGrant',
          'charge',
          'charge',
          'refund',
        ] as const),
        ...(['fence', 'backup', 'restore'] as const),
      ),
      pick: fc.nat(1_000_000),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 300 }), steps => {
        const first = open(3)
        const { far, reports } = first
        const few = 25 * PRICE
        first.budget.dailyCap = micros(few)
        let home = first
        let incarnation = 0
        let backup = structuredClone({ budget: home.budget, balance: home.balance })
        const toShard: { readonly of: Far; readonly grant: ShardGrant }[] = []
        const talk = (of: Far, pick: number) => {
          for (const report of reports(of)) {
            const grant = home.answer(report)
            // A part of the answers is late, or never comes.
            if (pick % 3 === 0) toShard.push({ of, grant })
            else applyGrant(of.parent, of.shard, grant, NOW)
          }
        }
        const stand = () => {
          const closed = far.flatMap(({ parent }) => parent.closed)
          return charged(far) + closed.reduce((sum, { link }) => sum + link.charged - link.refunded, 0)
        }
        for (const { shard, what, pick } of steps) {
          const of = far[shard]!
          if (what === 'talk') talk(of, pick)
          else if (what === 'report') home.answer(reports(of)[0]!)
          else if (what === 'deliverGrant' && toShard.length > 0) {
            const message = toShard[pick % toShard.length]!
            applyGrant(message.of.parent, message.of.shard, message.grant, NOW)
          } else if (what === 'charge') {
            while (pick % 5 > 0 && spend(of.shard.days[0]!, micros(PRICE)));
            spend(of.shard.days[0]!, micros(PRICE))
          } else if (what === 'refund') {
            const fence = [...of.parent.closed.map(closed => closed.fence), of.parent.fence][pick % 2] ?? 0
            refundCharge(of.parent, of.shard, { fence, start: DAY.start, amount: micros(PRICE) })
          } else if (what === 'fence' && pick % 3 === 0) {
            fenceShard(home.balance, [home.budget], shard + 1)
          } else if (what === 'backup') {
            backup = structuredClone({ budget: home.budget, balance: home.balance })
          } else if (what === 'restore' && pick % 6 === 0) {
            home = open(0)
            Object.assign(home.budget, structuredClone(backup.budget))
            Object.assign(home.balance, structuredClone(backup.balance))
            beginIncarnation(home.balance, [home.budget], ++incarnation, [1, 2, 3])
          }
          expect(home.balance.balance + spentTotal(home.budget)).toBe(1_000_000_000)
        }
        for (let round = 0; round < 6; round++) for (const of of far) talk(of, 1)
        expect(stand()).toBeLessThanOrEqual(few)
        expect(outOn(home.budget.days[0]!)).toBeLessThanOrEqual(few)
        expect(spentTotal(home.budget)).toBe(micros(stand()))
        expect(home.balance.awaiting ?? 0).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })
})
