import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requestLines } from '../../../test/captured-requests.ts'
import { CountryTableError, openCountryTable } from './country.ts'

const table = openCountryTable()

const addresses: [address: string, country: string | null][] = [
  ['8.8.8.8', 'USA'],
  ['::ffff:8.8.8.8', 'USA'],
  ['2001:4860:4860::8888', 'USA'],
  ['84.1.2.3', 'HUN'],
  ['1.178.224.1', 'ESP'],
  ['10.0.0.1', null],
  ['127.0.0.1', null],
  ['::1', null],
  ['', null],
  ['unknown', null],
  ['8.8.8.8; drop', null],
]
test.each(addresses)('%s is in %p, asked once or again', (address, country) => {
  expect(table.countryOf(address)).toBe(country)
  expect(table.countryOf(address)).toBe(country)
})

test('of 10,000 captured requests, the table agrees with the exchange on the country of most', () => {
  let said = 0
  let agreed = 0
  for (const line of requestLines()) {
    const request: { device?: { ip?: string; geo?: { country?: string } } } = JSON.parse(line)
    const { ip, geo } = request.device ?? {}
    if (ip === undefined || geo?.country === undefined) continue
    said++
    if (table.countryOf(ip) === geo.country) agreed++
  }
  // Fourteen years lie between the two.
  expect(agreed / said).toBeGreaterThan(0.9)
})

test('a table that is absent or broken is a coded error that names the file', () => {
  const code = (path: string) => {
    try {
      openCountryTable(path)
      return 'opened'
    } catch (error) {
      return error instanceof CountryTableError && error.message.includes(path) ? error.code : error
    }
  }
  const folder = mkdtempSync(join(tmpdir(), 'farthing-geo-'))
  const broken = join(folder, 'broken.mmdb')
  writeFileSync(broken, 'no table')
  try {
    expect(code(join(folder, 'absent.mmdb'))).toBe('unreadable')
    expect(code(broken)).toBe('malformed')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
