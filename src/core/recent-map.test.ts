import { expect, test } from 'bun:test'
import { RecentMap } from './recent-map.ts'

test('keeps what is used and forgets the rest', () => {
  const map = new RecentMap<number, number>(10)
  map.set(-1, 7)
  map.set(-2, 8)
  for (let key = 0; key < 100; key++) {
    map.set(key, key)
    map.get(-1)
  }
  expect(map.get(-1)).toBe(7)
  expect(map.peek(-2)).toBeUndefined()
  const held = Array.from({ length: 100 }, (_, key) => map.peek(key)).filter(value => value !== undefined)
  expect(held.length).toBeGreaterThanOrEqual(9)
  expect(held.length).toBeLessThan(20)
  expect(held.at(-1)).toBe(99)
})
