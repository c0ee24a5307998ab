import { expect, test } from 'bun:test'
import { cpmMicros } from '../core/money.ts'
import { clearingPrice, expectedCpm, isOlder, meetsFloor } from './auction.ts'

test.each([
  { at: 1, bid: 2_000_000, runnerUp: 1_000_000, floor: 0, pays: 2_000_000 },
  { at: 2, bid: 2_000_000, runnerUp: 1_000_000, floor: 0, pays: 1_010_000 },
  { at: 2, bid: 2_000_000, runnerUp: 1_000_000, floor: 1_500_000, pays: 1_500_000 },
  { at: 2, bid: 1_005_000, runnerUp: 1_000_000, floor: 0, pays: 1_005_000 },
  { at: 2, bid: 2_000_000, runnerUp: 2_000_000, floor: 0, pays: 2_000_000 },
  { at: 2, bid: 2_000_000, runnerUp: 0, floor: 300_000, pays: 300_000 },
  { at: 2, bid: 2_000_000, runnerUp: 0, floor: 0, pays: 10_000 },
  { at: 2, bid: 5_000, runnerUp: 0, floor: 0, pays: 5_000 },
  { at: 3, bid: 2_000_000, runnerUp: 1_000_000, floor: 0, pays: 1_010_000 },
])(
  'at $at a bid of $bid over $runnerUp and a floor of $floor pays $pays',
  ({ at, bid, runnerUp, floor, pays }) => {
    const price = clearingPrice({
      at,
      bid: cpmMicros(bid),
      runnerUp: cpmMicros(runnerUp),
      floor: cpmMicros(floor),
    })
    expect<number>(price).toBe(pays)
  },
)

test('a click price competes at its expected worth, and a worth of nothing is no bid', () => {
  expect<number>(expectedCpm(250_000, 1_000_000)).toBe(250_000)
  expect<number>(expectedCpm(1, 999)).toBe(0)
  expect(meetsFloor(cpmMicros(0), cpmMicros(0))).toBe(false)
  expect(meetsFloor(cpmMicros(5), cpmMicros(5))).toBe(true)
})

test('of equal bids the older campaign wins, and of the same age the lower number', () => {
  expect(isOlder({ createdAt: 1, number: 9 }, { createdAt: 2, number: 3 })).toBe(true)
  expect(isOlder({ createdAt: 2, number: 3 }, { createdAt: 2, number: 9 })).toBe(true)
  expect(isOlder({ createdAt: 2, number: 9 }, { createdAt: 2, number: 9 })).toBe(false)
})
