import { describe, expect, test } from 'bun:test'
import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import { heldForRenders, holdRenders, LAPSE_SLACK_MS, RENDER_LIFE_MS, settleRender } from './render-holds.ts'

const NOW = 1_000_000 * MINUTE_MS
const PRICE = 1000

/** Ten choices a minute for half an hour, each rendered three seconds later, by a clock that is off; then one more. */
function heldAfter(skewMs: number): number {
  const holds: Parameters<typeof holdRenders>[0] = []
  let now = NOW
  for (; now < NOW + HOUR_MS / 2; now += 6000) {
    holdRenders(holds, now, PRICE)
    heldForRenders(holds, now)
    settleRender(holds, now + skewMs, now + 3000, PRICE)
  }
  // All that was chosen before has been rendered, or has lapsed.
  now += RENDER_LIFE_MS + LAPSE_SLACK_MS + MINUTE_MS
  heldForRenders(holds, now)
  holdRenders(holds, now, PRICE)
  return heldForRenders(holds, now + RENDER_LIFE_MS)
}

describe('what impressions may still cost, chosen by a node whose clock is off', () => {
  for (const [what, skewMs] of [
    ['right', 0],
    ['a second ahead', 1000],
    ['an hour ahead', HOUR_MS],
    ['a day ahead', 24 * HOUR_MS],
    ['an hour slow', -HOUR_MS],
  ] as const) {
    test(`${what}: settled ones stand against no hold of others`, () => {
      expect(heldAfter(skewMs)).toBe(PRICE)
    })
  }

  test('an hour slow: a charge ends a hold at once, not when it lapses', () => {
    const holds: Parameters<typeof holdRenders>[0] = []
    holdRenders(holds, NOW, 2 * PRICE)
    settleRender(holds, NOW - HOUR_MS, NOW + 3000, PRICE)
    expect(heldForRenders(holds, NOW + 3000)).toBe(PRICE)
  })

  test('a charge that comes before its choice is told of is held against that', () => {
    for (const skewMs of [0, HOUR_MS, -HOUR_MS]) {
      const holds: Parameters<typeof holdRenders>[0] = []
      settleRender(holds, NOW + skewMs, NOW, PRICE)
      holdRenders(holds, NOW + 1000, PRICE)
      expect(heldForRenders(holds, NOW + 1000)).toBe(0)
    }
  })
})
