import { expect, test } from 'bun:test'
import { readOptions } from './options.ts'
import { wantsSparing } from './sparing.ts'

test('a fleet is run in a process that spares memory, once, and nothing else is', () => {
  const { jobs: fleet } = readOptions(['--scenario', 'calm-day', '--nodes', '1000', '--campaigns', '100000'])
  const { jobs: small } = readOptions(['--scenario', 'all', '--short', '--seeds', '3'])
  expect(wantsSparing(fleet, {})).toBe(true)
  expect(wantsSparing([...small, ...fleet], {})).toBe(true)
  expect(wantsSparing(small, {})).toBe(false)
  expect(wantsSparing(fleet, { BUN_JSC_forceRAMSize: '1000000000' })).toBe(false)
})
