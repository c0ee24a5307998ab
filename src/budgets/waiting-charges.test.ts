import { expect, test } from 'bun:test'
import { micros } from '../core/money.ts'
import { newBalance } from './balance.ts'
import { newBudget } from './budget.ts'
import { fenceShard } from './far-links.ts'
import { applyGrant, type FarParent, newFarParent, reportOf, returnSurplus, wantedOf } from './far-parent.ts'
import { answerReport, pushGrant } from './far-shards.ts'
import { unspent } from './link.ts'
import { leaseFree, newShard, newShardDay, openEpoch, reportChosen, type Shard, spend } from './shard.ts'
import { returnForWaiting, waitIsOver } from './waiting-charges.ts'

const NOW = Date.parse('2026-11-25T12:00:00.000Z')
const DAY = { day: '2026-11-25', start: NOW - 43_200_000, end: NOW + 43_200_000 }
const PRICE = 10_000
const CAP = 10 * PRICE

interface Far {
  readonly parent: FarParent
  readonly shard: Shard
}

/** A campaign of ten prices. Of three shards the first has had a click, and the second holds all for clicks that may come. */
function open() {
  const balance = newBalance(0)
  balance.balance = micros(100 * CAP)
  const terms = { model: 'cpc' as const, amount: PRICE }
  const budget = newBudget({ ...terms, totalCap: null, dailyCap: micros(CAP), timeZone: 'UTC' })
  budget.days.push(newShardDay(DAY))
  const [short, holding, idle] = [1, 2, 3].map(number => {
    const shard = newShard(terms)
    shard.days.push(newShardDay(DAY))
    openEpoch(shard, 1, NOW, 0)
    return { parent: newFarParent(256, number), shard }
  }) as [Far, Far, Far]
  const told = { allowance: Number.POSITIVE_INFINITY, pacing: 1, waitMs: 0, stopped: false }
  const talk = (of: Far, now: number, waiting = 0) => {
    const wants = wantedOf(of.parent, of.shard, now, new Map(waiting > 0 ? [[DAY.start, waiting]] : []))
    const grant = answerReport(budget, balance, reportOf(of.parent, of.shard, wants), { ...told, now })
    applyGrant(of.parent, of.shard, grant, now)
    return grant
  }
  const push = (of: Far, now: number) => {
    const grant = pushGrant(budget, balance, { campaign: 256, shard: of.parent.shard }, { ...told, now })
    applyGrant(of.parent, of.shard, grant, now)
    return grant
  }
  for (let i = 0; i < 20; i++) talk(holding, NOW - 60_000)
  const day = holding.shard.days[0]!
  const leased = leaseFree(holding.shard, day, CAP, NOW)
  const chosen = { epoch: 1, chosenThousandths: (leased - PRICE) * 1000, variance: leased * PRICE * 1e6 }
  reportChosen(holding.shard, day, chosen, NOW)
  expect(unspent(day.link)).toBe(micros(CAP))
  expect(returnSurplus(holding.parent, holding.shard, NOW)).toBe(false)
  return { balance, budget, short, holding, idle, talk, push, day }
}

test('a charge that waits is paid with what another shard holds for clicks that may come, and with nothing that nodes may choose with', () => {
  const { short, holding, idle, talk, push, day } = open()
  const [waiting] = short.shard.days
  expect(spend(waiting!, micros(PRICE))).toBe(false)
  talk(short, NOW, PRICE)
  expect(unspent(waiting!.link)).toBe(micros(0))
  const grant = push(holding, NOW)
  expect(returnForWaiting(holding.shard, grant)).toBe(true)
  expect(unspent(day.link)).toBe(micros(CAP - PRICE))
  // It would like to have it back, and so would a third: but it came back for the one that waits.
  talk(holding, NOW + 100)
  talk(idle, NOW + 100)
  expect(unspent(day.link)).toBe(micros(CAP - PRICE))
  talk(short, NOW + 1000, PRICE)
  expect(spend(waiting!, micros(PRICE))).toBe(true)
  // All that nodes cannot choose with goes, and no more.
  const many = { ...grant, days: grant.days.map(of => ({ ...of, shortMicros: 2 * CAP })) }
  returnForWaiting(holding.shard, many)
  expect(unspent(day.link)).toBe(micros(PRICE))
  expect(returnForWaiting(holding.shard, many)).toBe(false)
})

test('nobody gives back what is held once no charge waits any more, or it was not told of for seconds', () => {
  const { short, holding, talk, push } = open()
  talk(short, NOW, PRICE)
  expect(returnForWaiting(holding.shard, push(holding, NOW + 3000))).toBe(false)
  talk(short, NOW + 4000, PRICE)
  talk(short, NOW + 4100)
  expect(returnForWaiting(holding.shard, push(holding, NOW + 4200))).toBe(false)
})

test('a charge is not refused before all that have money of its day were heard of since, or given up', () => {
  const wait = () => {
    const world = open()
    const { short, talk } = world
    for (let second = 0; second <= 10; second++) talk(short, NOW + second * 1000, PRICE)
    expect(waitIsOver(short.parent, NOW, NOW + 10_000)).toBe(false)
    return world
  }
  const heard = wait()
  // It was heard, and had nothing to give: its nodes may choose with all of it.
  heard.talk(heard.holding, NOW + 10_000)
  heard.talk(heard.short, NOW + 10_100, PRICE)
  expect(waitIsOver(heard.short.parent, NOW, NOW + 10_100)).toBe(true)
  const fenced = wait()
  fenceShard(fenced.balance, [fenced.budget], fenced.holding.parent.shard)
  fenced.talk(fenced.short, NOW + 10_100, PRICE)
  expect(spend(fenced.short.shard.days[0]!, micros(PRICE))).toBe(true)
  expect(waitIsOver(wait().short.parent, NOW, NOW + 7_200_000)).toBe(true)
})
