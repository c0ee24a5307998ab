import { MINUTE_MS } from '../core/time.ts'

/**
 * What the chosen impressions of a CPM campaign may still cost (H of the design): the price of each, until it is rendered
 * or can no longer be. Kept by minute of the choice, thousandths of a micro.
 */
export const RENDER_LIFE_MS = 10 * MINUTE_MS
/** The log's lag, and clocks that differ. */
export const LAPSE_SLACK_MS = MINUTE_MS

/** Choices of one minute: [minute, money chosen, money settled]. A tuple keeps 100,000 of them small. */
export type RenderHold = [minute: number, chosen: number, settled: number]

export function holdRenders(holds: RenderHold[], at: number, chosen: number): void {
  holdOf(holds, at)[1] += chosen
}

/**
 * A charge has taken the place of what was held for it. A charge may come before its choice is reported. `at` is by the
 * clock of the node that chose: where that is off by more than holds live, it does not tell which of them is meant, and
 * the oldest goes. So too much is held for a while, never too little.
 */
export function settleRender(holds: RenderHold[], at: number, now: number, amount: number): void {
  let left = amount
  const isOff = at <= now - RENDER_LIFE_MS - LAPSE_SLACK_MS || at > now + LAPSE_SLACK_MS
  if (isOff) {
    for (const hold of holds.toSorted(byMinute)) {
      const part = Math.min(left, Math.max(0, hold[1] - hold[2]))
      hold[2] += part
      left -= part
    }
  }
  // Never of a minute to come: it would stand against the holds of others for so much longer.
  if (left > 0) holdOf(holds, isOff ? now : Math.min(at, now))[2] += left
}

/** What the holds may still cost at `now`. Drops those that can cost nothing any more. */
export function heldForRenders(holds: RenderHold[], now: number): number {
  let held = 0
  for (let i = holds.length - 1; i >= 0; i--) {
    const hold = holds[i]!
    if ((hold[0] + 1) * MINUTE_MS + RENDER_LIFE_MS + LAPSE_SLACK_MS <= now) holds.splice(i, 1)
    else held += hold[1] - hold[2]
  }
  // Minutes offset each other: a choice is reported up to a second late, its charge carries the time of the choice.
  return Math.max(0, held)
}

function holdOf(holds: RenderHold[], at: number): RenderHold {
  const minute = Math.floor(at / MINUTE_MS)
  for (let i = holds.length - 1; i >= 0; i--) {
    if (holds[i]![0] === minute) return holds[i]!
  }
  const hold: RenderHold = [minute, 0, 0]
  holds.push(hold)
  return hold
}

function byMinute(a: RenderHold, b: RenderHold): number {
  return a[0] - b[0]
}
