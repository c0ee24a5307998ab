import { expect, test } from 'bun:test'
import { MICROS_MAX, micros } from '../core/money.ts'
import { newBalance } from './balance.ts'
import {
  charge,
  leasable,
  newBudget,
  newDay,
  PRICE_CHOSEN_MAX,
  rebalance,
  refund,
  spentTotal,
  stopReason,
  takeLease,
} from './budget.ts'
import { reportChosen } from './shard.ts'

const DAY = { day: '2026-11-24', start: 0, end: 86_400_000 }

test.each(['totalCap', 'dailyCap'] as const)('money leased before a %s was cut does not pay past it', cap => {
  const terms = { model: 'cpc', amount: 100, totalCap: null, dailyCap: null, timeZone: 'UTC' } as const
  const budget = newBudget({ ...terms, [cap]: micros(1000) })
  const balance = newBalance(micros(0))
  balance.balance = micros(5000)
  const day = newDay(budget, DAY)!
  budget.days.push(day)
  takeLease(budget, day, balance, { epoch: 1, amountMicros: 1000, now: 0 })
  expect(charge(budget, day, balance, micros(100))).toBe(true)
  budget[cap] = micros(250)
  expect([1, 2, 3].map(() => charge(budget, day, balance, micros(100)))).toEqual([true, false, false])
  expect([spentTotal(budget), balance.balance]).toEqual([micros(200), micros(4800)])
})

/** A campaign without caps and a balance of all that a number can be. */
function rich(amount: number) {
  const budget = newBudget({ model: 'cpc', amount, totalCap: null, dailyCap: null, timeZone: 'UTC' })
  const balance = newBalance(0)
  balance.balance = micros(MICROS_MAX)
  const day = newDay(budget, DAY)!
  budget.days.push(day)
  return { budget, balance, day }
}

test('what is held for the clicks of the dearest ad is never more than a number can be', () => {
  const { budget, balance, day } = rich(PRICE_CHOSEN_MAX)
  takeLease(budget, day, balance, { epoch: 1, amountMicros: MICROS_MAX, now: 0 })
  const chosenThousandths = 1e16
  const variance = (PRICE_CHOSEN_MAX * 1000) ** 2 * 1000
  reportChosen(budget, day, { epoch: 1, chosenThousandths, variance }, 0)
  rebalance(budget, balance, 0)
  expect(balance.reserved).toBe(micros(MICROS_MAX))
})

test('a charge beyond the totals that a number can hold is not made, and what was made stands', () => {
  const { budget, balance, day } = rich(1)
  const most = micros(MICROS_MAX)
  expect(charge(budget, day, balance, most)).toBe(true)
  refund(budget, balance, 0, most)
  expect(charge(budget, day, balance, most)).toBe(false)
  expect(charge(budget, day, balance, micros(1))).toBe(false)
  expect([spentTotal(budget), balance.balance, balance.reserved]).toEqual([micros(0), most, micros(0)])
})

test('grants and returns of a day add up to no more than a number can hold', () => {
  const { budget, balance, day } = rich(PRICE_CHOSEN_MAX)
  for (let epoch = 1; epoch < 10; epoch++) {
    takeLease(budget, day, balance, { epoch, amountMicros: Math.floor(MICROS_MAX / 2), now: 0 })
    day.leaseLeft = 0
    rebalance(budget, balance, 0)
  }
  expect(day.link.granted).toBeLessThanOrEqual(MICROS_MAX)
  expect(balance.reserved).toBe(micros(0))
})

test('a campaign whose price no lease holds is not chosen, however much money there is', () => {
  const stopped = (amount: number) => {
    const { budget, balance } = rich(amount)
    return stopReason(budget, balance, 0)
  }
  expect([PRICE_CHOSEN_MAX, PRICE_CHOSEN_MAX + 1, MICROS_MAX].map(stopped)).toEqual([
    null,
    'unfunded',
    'unfunded',
  ])
})

test('the home leases a cpc campaign only so much that the clicks of it fit with their margin, and reserves that', () => {
  const budget = newBudget({
    model: 'cpc',
    amount: 100,
    totalCap: null,
    dailyCap: micros(1000),
    timeZone: 'UTC',
  })
  const balance = newBalance(micros(0))
  balance.balance = micros(5000)
  const day = newDay(budget, DAY)!
  budget.days.push(day)
  const granted = takeLease(budget, day, balance, { epoch: 1, amountMicros: 1000, now: 0 })
  expect(granted).toBeGreaterThan(300)
  expect(granted).toBeLessThan(700)
  rebalance(budget, balance, 0)
  expect(Math.abs(balance.reserved - 1000)).toBeLessThan(3)
  expect(leasable(budget, day, balance, 0)).toBeLessThan(3)
})
