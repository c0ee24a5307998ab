import { expect, test } from 'bun:test'
import { formatUuid } from '../core/ids.ts'
import { ImpressionIds } from './impression-ids.ts'
import { ownImpressions } from './own-ids.ts'

const NOW = Date.UTC(2026, 10, 1)
const PARTITIONS = 4
const isOwn = ownImpressions([5, 9], PARTITIONS)

function idOf(boot: number, partition: number): string {
  const bytes = new Uint8Array(16)
  new ImpressionIds(boot, 16).write(new DataView(bytes.buffer), 0, partition, NOW)
  return formatUuid(bytes, 0)
}

const IDS: readonly [name: string, id: string, own: boolean][] = [
  ['of this boot', idOf(9, 3), true],
  ['of an earlier boot', idOf(5, 0), true],
  ['in capitals', idOf(9, 3).toUpperCase(), true],
  ['of a boot that was none', idOf(6, 3), false],
  ['of a partition that is not there', idOf(9, PARTITIONS), false],
  ['of version 4', '9b2ff4a5-0d3c-4a34-8f0d-0d7a4f2f2b11', false],
  ['no UUID', '7'.repeat(36), false],
  ['nothing', '', false],
]
test.each(IDS)('an id %s is told for what it is', (_name, id, own) => {
  expect(isOwn(id)).toBe(own)
})

test('of 200,000 UUIDs of version 7 that others made up, at most one is taken for an own one', () => {
  const time = NOW.toString(16).padStart(12, '0')
  let taken = 0
  for (let i = 0; i < 200_000; i++) {
    const random = crypto.randomUUID()
    if (isOwn(`${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`)) taken++
  }
  expect(taken).toBeLessThanOrEqual(1)
})
