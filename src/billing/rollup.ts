import { HOUR_MS, MINUTE_MS } from '../core/time.ts'
import type { RollupRow } from './changes.ts'
import type { Turn } from './partition.ts'

/** A window is final an hour after its end. A minute less here: figures of the last minute are still on their way. */
export const OPEN_MS = HOUR_MS - MINUTE_MS

/** Counts an event that is not billed: in its row, and by its reason for whoever watches. */
export function countRefused(turn: Turn, row: RollupRow, reason: number): void {
  row.rejected++
  turn.changes.refused[reason]!++
}

/** The row that an event counts in: by its own time, or, where that window may be final already, by its arrival. */
export function rollup(
  turn: Turn,
  of: {
    readonly ad: number
    readonly campaign: number
    readonly placement: number
    readonly publisher: number
    readonly country: number
    readonly device: number
  },
  eventTime: number,
): RollupRow {
  const { partition, changes } = turn
  const now = partition.head.time
  const late = Math.floor(eventTime / MINUTE_MS) * MINUTE_MS + OPEN_MS < now
  const minute = Math.floor((late ? now : eventTime) / MINUTE_MS) * MINUTE_MS
  const key = `${minute}|${of.ad}|${of.placement}|${of.publisher}|${of.country}|${of.device}`
  let row = changes.rollups.get(key)
  if (row === undefined) {
    row = {
      minute,
      ad: of.ad,
      placement: of.placement,
      country: of.country,
      device: of.device,
      campaign: of.campaign,
      advertiser: partition.advertiserOf(of.campaign),
      publisher: of.publisher,
      impressions: 0,
      clicks: 0,
      charges: 0,
      spend: 0,
      rejected: 0,
      observedImpressions: 0,
      observedClicks: 0,
    }
    changes.rollups.set(key, row)
  }
  return row
}
