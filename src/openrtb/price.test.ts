import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { cpmMicros } from '../core/money.ts'
import { PRICE_MAX } from './limits.ts'
import { cpmMicrosFromDecimal, decimalFromCpmMicros } from './price.ts'

/** Another way, by the digits of the shortest decimal, sharing no arithmetic with the code under test. */
function roundedUpByDigits(price: number): number {
  const [mantissa = '', exponent = '0'] = price.toExponential().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const shift = Number(exponent) + 6 - fraction.length
  const digits = BigInt(whole + fraction)
  if (shift >= 0) return Number(digits * 10n ** BigInt(shift))
  const divisor = 10n ** BigInt(-shift)
  return Number((digits + divisor - 1n) / divisor)
}

const rows: [price: number, micros: number][] = [
  [0, 0],
  [-0, 0],
  [0.1, 100_000],
  [0.25, 250_000],
  [0.3, 300_000],
  [1.1, 1_100_000],
  [4.35, 4_350_000],
  [0.000001, 1],
  [0.0000001, 1],
  [Number.MIN_VALUE, 1],
  [0.0000011, 2],
  [0.1 + 0.2, 300_001],
  [123_456.789012, 123_456_789_012],
  [PRICE_MAX, 1_000_000_000_000_000],
]

test.each(rows)('a floor of %p is %p micros', (price, micros) => {
  expect(cpmMicrosFromDecimal(price)).toBe(cpmMicros(micros))
})

test('a price in micros comes back from its decimal, also through JSON', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: PRICE_MAX * 1_000_000 }), micros => {
      const decimal: unknown = JSON.parse(JSON.stringify(decimalFromCpmMicros(cpmMicros(micros))))
      return typeof decimal === 'number' && cpmMicrosFromDecimal(decimal) === micros
    }),
    { numRuns: 20_000 },
  )
})

test('a price rounds up by its digits, so that a bid at the result is never below the floor', () => {
  const prices = fc.oneof(
    fc.double({ min: 0, max: 100, noNaN: true }),
    fc.double({ min: 0, max: PRICE_MAX, noNaN: true }),
    fc.integer({ min: 0, max: 1_000_000_000 }).map(n => n / 10_000_000),
  )
  fc.assert(
    fc.property(prices, price => cpmMicrosFromDecimal(price) === roundedUpByDigits(price)),
    { numRuns: 20_000 },
  )
})

test.each([-0.01, Number.NaN, Number.POSITIVE_INFINITY, PRICE_MAX * 1.01])(
  'a price of %p is a bug of ours: validation lets none through',
  price => {
    expect(() => cpmMicrosFromDecimal(price)).toThrow('not a decimal CPM price')
  },
)
