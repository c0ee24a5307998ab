import { expect, test } from 'bun:test'
import { formatUuid, readImpressionKey } from '../core/ids.ts'
import { ImpressionIds } from './impression-ids.ts'

const AT = 2

function keys(ids: ImpressionIds, of: readonly (readonly [partition: number, now: number])[]) {
  const bytes = new Uint8Array(72)
  const view = new DataView(bytes.buffer)
  return of.map(([partition, now]) => {
    const chosenAt = ids.timeAt(now)
    ids.write(view, AT, partition, chosenAt)
    const key = readImpressionKey(view, AT)
    expect(key.chosenAt).toBe(chosenAt)
    return { ...key, text: formatUuid(bytes, AT) }
  })
}

test('serials are dense in each partition, whatever the order of the partitions', () => {
  const of = keys(new ImpressionIds(5, 4), [
    [0, 1000],
    [3, 1000],
    [0, 1001],
    [3, 1002],
    [0, 1003],
  ])
  expect(of.map(({ boot, partition, serial }) => [boot, partition, serial])).toEqual([
    [5, 0, 0],
    [5, 3, 0],
    [5, 0, 1],
    [5, 3, 1],
    [5, 0, 2],
  ])
})

test('time never goes back when the clock does', () => {
  const of = keys(new ImpressionIds(1, 1), [
    [0, 5000],
    [0, 4000],
    [0, 5001],
  ])
  expect(of.map(({ chosenAt }) => chosenAt)).toEqual([5000, 5000, 5001])
})

test('ids are version 7 UUIDs, different over boots and partitions at one time', () => {
  const texts = [1, 2].flatMap(boot =>
    keys(new ImpressionIds(boot, 2), [
      [0, 1_800_000_000_000],
      [1, 1_800_000_000_000],
    ]).map(({ text }) => text),
  )
  for (const text of texts) {
    expect(text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  }
  expect(new Set(texts).size).toBe(4)
})

test('a partition that is not there is a bug of ours', () => {
  expect(() => keys(new ImpressionIds(1, 2), [[2, 0]])).toThrow()
})
