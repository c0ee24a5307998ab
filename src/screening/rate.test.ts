import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { CLICKS_MAX, ClickRate, WINDOW_MS } from './rate.ts'

const START = 1_700_000_000_000

test('the thirty-first click within a minute is over, the thirtieth is not, and another pair is untouched', () => {
  const rate = new ClickRate({ seed: 1 })
  for (let i = 0; i < CLICKS_MAX; i++) expect(rate.countAndCheck('1.2.3.4', 1, START + i)).toBe(false)
  expect(rate.countAndCheck('1.2.3.4', 1, START + WINDOW_MS - 1)).toBe(true)
  expect(rate.countAndCheck('1.2.3.4', 2, START + WINDOW_MS - 1)).toBe(false)
  expect(rate.countAndCheck('1.2.3.5', 1, START + WINDOW_MS - 1)).toBe(false)
})

test('a click every two seconds is never over, for good', () => {
  const rate = new ClickRate({ seed: 1 })
  for (let i = 0; i < 1000; i++) expect(rate.countAndCheck('1.2.3.4', 1, START + i * 2000)).toBe(false)
})

test('answers are those of counting all clicks of the minute', () => {
  const click = fc.record({
    address: fc.constantFrom('1.2.3.4', '1.2.3.5'),
    agent: fc.constantFrom(0, 1),
    waitMs: fc.constantFrom(0, 1, 300, 1500, 2000, 59_999, 60_000),
  })
  fc.assert(
    fc.property(fc.integer(), fc.array(click, { maxLength: 500, size: 'max' }), (seed, clicks) => {
      const rate = new ClickRate({ seed })
      const times = new Map<string, number[]>()
      let now = START
      for (const { address, agent, waitMs } of clicks) {
        now += waitMs
        const pair = `${address} ${agent}`
        const earlier = times.get(pair) ?? []
        times.set(pair, [...earlier, now])
        const expected = earlier.filter(at => at > now - WINDOW_MS).length >= CLICKS_MAX
        expect(rate.countAndCheck(address, agent, now)).toBe(expected)
      }
    }),
    { numRuns: 200 },
  )
})

test('clicks that a server reports late and out of order are not added to a minute that is not theirs', () => {
  const rate = new ClickRate({ seed: 1 })
  for (let i = 0; i < 200; i++) {
    expect(rate.countAndCheck('1.2.3.4', 1, START + ((i * 37) % 200) * 60_000)).toBe(false)
  }
})

test('with more pairs than there is room, none is refused for the clicks of another', () => {
  const rate = new ClickRate({ seed: 1, pairsMax: 16 })
  for (let i = 0; i < 20_000; i++) {
    expect(rate.countAndCheck(`10.0.${(i % 1000) >> 8}.${i & 255}`, i % 1000, START + i / 100)).toBe(false)
  }
})
