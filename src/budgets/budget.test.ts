import { expect, test } from 'bun:test'
import { micros } from '../core/money.ts'
import { newBalance } from './balance.ts'
import { charge, newBudget, newDay, spentTotal, takeLease } from './budget.ts'

const DAY = { day: '2026-11-24', start: 0, end: 86_400_000 }

test.each(['totalCap', 'dailyCap'] as const)('money leased before a %s was cut does not pay past it', cap => {
  const terms = { model: 'cpc', amount: 100, totalCap: null, dailyCap: null, timeZone: 'UTC' } as const
  const budget = newBudget({ ...terms, [cap]: micros(1000) })
  const balance = newBalance(micros(0))
  balance.balance = micros(5000)
  const day = newDay(budget, DAY)!
  budget.days.push(day)
  takeLease(budget, day, balance, { epoch: 1, amountMicros: 1000 })
  expect(charge(budget, day, balance, micros(100))).toBe(true)
  budget[cap] = micros(250)
  expect([1, 2, 3].map(() => charge(budget, day, balance, micros(100)))).toEqual([true, false, false])
  expect([spentTotal(budget), balance.balance]).toEqual([micros(200), micros(4800)])
})
