import { DAY_MS, MINUTE_MS } from '../core/time.ts'
import { KEPT_SECONDS } from '../tracking/ingested-ids.ts'
import type { Turn } from './partition.ts'

/**
 * For so long after its choice the events of an impression are told apart: a click may come within a day, and is known
 * again for as long as the ids of reported events are.
 */
export const TOKEN_KEPT_MS = DAY_MS + KEPT_SECONDS * 1000
/** Moves in whole minutes, and by few at once: it bounds what a batch deletes after the machine was off for days. */
const STEP_MS_MAX = 10 * MINUTE_MS

/**
 * The floor of a partition: what was chosen before it is refused as expired whatever its time of arrival, and what is
 * kept of it to tell repeats apart is deleted. It follows the partition's own time, is written with the batch, and never
 * goes back: bits that are gone must never be asked for again.
 */
export function moveFloor({ partition }: Turn): void {
  const { head, bits } = partition
  if (head.keptMs === 0) return
  const due = Math.floor((head.time - head.keptMs) / MINUTE_MS) * MINUTE_MS
  if (due <= head.floor) return
  // The first floor has nothing below it: bits are as old as the log's first record at most.
  head.floor = head.floor === 0 ? due : Math.min(due, head.floor + STEP_MS_MAX)
  bits.forgetBefore(head.floor)
}
