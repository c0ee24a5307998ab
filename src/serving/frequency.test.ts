import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { FrequencyCaps } from './frequency.ts'

const DAY_SECONDS = 86_400

test('a campaign capped at 3 a day is allowed three times, and again once the first is a day old', () => {
  const caps = new FrequencyCaps(64)
  for (const at of [1000, 2000, 3000]) {
    expect(caps.allowed(7, 1, 3, DAY_SECONDS, at)).toBe(true)
    caps.record(7, 1, at)
  }
  expect(caps.allowed(7, 1, 3, DAY_SECONDS, 4000)).toBe(false)
  expect(caps.allowed(7, 2, 3, DAY_SECONDS, 4000)).toBe(true)
  expect(caps.allowed(8, 1, 3, DAY_SECONDS, 4000)).toBe(true)
  expect(caps.allowed(7, 1, 3, DAY_SECONDS, 1000 + DAY_SECONDS * 1000 - 1)).toBe(false)
  expect(caps.allowed(7, 1, 3, DAY_SECONDS, 1000 + DAY_SECONDS * 1000)).toBe(true)
})

test('persons whose hashes differ in a high bit only are told apart', () => {
  const caps = new FrequencyCaps(64)
  caps.record(5, 1, 0)
  expect(caps.allowed(5, 1, 1, 60, 1)).toBe(false)
  for (let bit = 32; bit < 53; bit++) expect(caps.allowed(5 + 2 ** bit, 1, 1, 60, 1)).toBe(true)
})

/** The definition, over the impressions that are in memory. */
class NaiveCaps {
  readonly #impressions: { person: number; campaign: number; at: number }[] = []
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  allowed(person: number, campaign: number, cap: number, perSeconds: number, now: number): boolean {
    const seen = this.#impressions
      .slice(-this.#capacity)
      .filter(i => i.person === person && i.campaign === campaign && i.at > now - perSeconds * 1000)
    return seen.length < cap
  }

  record(person: number, campaign: number, at: number): void {
    this.#impressions.push({ person, campaign, at })
  }
}

const shown = fc.record({
  person: fc.constantFrom(1, 2, 3, 2 ** 32 + 1, 2 ** 53 - 1),
  campaign: fc.integer({ min: 0, max: 3 }),
  cap: fc.integer({ min: 1, max: 40 }),
  perSeconds: fc.integer({ min: 1, max: 100 }),
  waitMs: fc.constantFrom(0, 1, 500, 1000, 7000),
})

test.each([16, 64, 256])(
  '%d impressions remembered: answers are those of the definition over them',
  capacity => {
    fc.assert(
      fc.property(fc.array(shown, { maxLength: 400, size: 'max' }), steps => {
        const caps = new FrequencyCaps(capacity)
        const naive = new NaiveCaps(capacity)
        let now = 1_700_000_000_000
        for (const { person, campaign, cap, perSeconds, waitMs } of steps) {
          now += waitMs
          const asked = [person, campaign, cap, perSeconds, now] as const
          expect(caps.allowed(...asked)).toBe(naive.allowed(...asked))
          caps.record(person, campaign, now)
          naive.record(person, campaign, now)
        }
      }),
      { numRuns: 150 },
    )
  },
)

test('one person who comes all day long is answered as exactly, at every cap', () => {
  const capacity = 1024
  const caps = new FrequencyCaps(capacity)
  for (let i = 0; i < 5000; i++) caps.record(9, 1, i * 1000)
  for (let cap = 1; cap <= 3000; cap++) {
    expect(caps.allowed(9, 1, cap, 1_000_000, 5_000_000)).toBe(cap > capacity)
    if (cap > 1 && cap < capacity) expect(caps.allowed(9, 1, cap, cap - 1, 5_000_000)).toBe(true)
  }
})
