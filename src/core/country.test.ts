import { expect, test } from 'bun:test'
import { alpha2Of, alpha3Of, COUNTRIES, countryAt, countryIndex } from './country.ts'

test('the 249 countries of ISO 3166-1, and Kosovo, convert there and back', () => {
  expect(COUNTRIES.length).toBe(250)
  for (const alpha3 of COUNTRIES) {
    expect(alpha3Of(alpha2Of(alpha3)!)).toBe(alpha3)
    expect(countryAt(countryIndex(alpha3))).toBe(alpha3)
  }
  expect(alpha3Of('US')).toBe('USA')
  expect(alpha3Of('GB')).toBe('GBR')
  expect(alpha3Of('CH')).toBe('CHE')
})

test('every code is one that ICU knows by name', () => {
  const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })
  expect(COUNTRIES.filter(alpha3 => names.of(alpha2Of(alpha3)!) === undefined)).toEqual([])
})

const stored: [alpha3: string, index: number][] = [
  ['ABW', 1],
  ['DEU', 60],
  ['USA', 235],
  ['ZWE', 249],
  ['XKX', 250],
]
test.each(stored)('%s is %d in every record ever written', (alpha3, index) => {
  expect(countryIndex(alpha3)).toBe(index)
})

test('the order is the alphabet, up to the codes added since', () => {
  const iso = COUNTRIES.slice(0, 249)
  expect(iso).toEqual([...iso].sort())
})

test('what is no country is unknown', () => {
  for (const code of ['', 'usa', 'US', 'XXX', 'constructor']) expect(countryIndex(code)).toBe(0)
  for (const index of [0, -1, 251, 65_535]) expect(countryAt(index)).toBe(null)
  expect(alpha3Of('ZZ')).toBe(null)
})
