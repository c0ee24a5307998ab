import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { DueTimes } from './due-times.ts'

const SLOT_MS = 100
const NEVER = Number.POSITIVE_INFINITY

function things(count: number) {
  return Array.from({ length: count }, (_, number) => ({ number, dueAt: NEVER }))
}

test('a thing is taken once, no earlier than it is due and a slot later at most', () => {
  const due = new DueTimes<{ number: number; dueAt: number }>(SLOT_MS)
  const [a, b] = things(2)
  due.set(a!, 150)
  due.set(b!, 1000)
  expect(due.take(149)).toEqual([])
  expect(due.take(250)).toEqual([a!])
  expect(due.take(999)).toEqual([])
  expect(due.take(5000)).toEqual([b!])
  expect(due.take(9000)).toEqual([])
})

test('what is due sooner keeps its time, what is set anew does not', () => {
  const due = new DueTimes<{ number: number; dueAt: number }>(SLOT_MS)
  const [a, b] = things(2)
  due.set(a!, 1000)
  due.sooner(a!, 2000)
  due.set(b!, 1000)
  due.set(b!, 2000)
  due.sooner(b!, 1500)
  expect(due.take(1000)).toEqual([a!])
  expect(due.take(1600)).toEqual([b!])
  due.set(a!, 3000)
  due.set(a!, NEVER)
  expect(due.take(4000)).toEqual([])
})

test('what is due comes in the order of its time: little after a long time, much after a short one', () => {
  const due = new DueTimes<{ number: number; dueAt: number }>(SLOT_MS)
  const few = things(3)
  for (const [i, at] of [90_000, 30_000, 95_000].entries()) due.set(few[i]!, at)
  expect(due.take(91_000)).toEqual([few[1]!, few[0]!])
  expect(due.take(95_000)).toEqual([few[2]!])
  const many = things(20)
  for (const thing of many) due.set(thing, 100_000 - SLOT_MS * thing.number)
  expect(due.take(99_000)).toEqual(many.slice(10).reverse())
  expect(due.take(200_000)).toEqual(many.slice(0, 10).reverse())
})

test('whatever is set, taken and set again comes as in a list that is looked through', () => {
  const step = fc.record({
    thing: fc.nat(5),
    afterMs: fc.integer({ min: -500, max: 3000 }),
    sooner: fc.boolean(),
    passMs: fc.nat(700),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const due = new DueTimes<{ number: number; dueAt: number }>(SLOT_MS)
      const all = things(6)
      const model = new Map<number, number>()
      let now = 0
      for (const { thing, afterMs, sooner, passMs } of steps) {
        const at = now + afterMs
        if (sooner) due.sooner(all[thing]!, at)
        else due.set(all[thing]!, at)
        // What is over when it is set is due from then on.
        if (!sooner || at < (model.get(thing) ?? NEVER)) model.set(thing, Math.max(at, now))
        now += passMs
        for (const { number } of due.take(now)) {
          expect(model.get(number)!).toBeLessThanOrEqual(now)
          model.delete(number)
        }
        for (const dueAt of model.values()) expect(now).toBeLessThan(dueAt + 2 * SLOT_MS)
      }
    }),
  )
})
