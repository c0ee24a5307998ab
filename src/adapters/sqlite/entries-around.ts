import { CHAIN_STRIDE } from '../../billing/entry.ts'

/** An impression is charged within ten minutes of its choice; the log may be behind by a few. */
const RENDERED_WITHIN_MS = 15 * 60_000
/** A partition's time may be behind its edges': up to a jump that is not logged yet, and a tick. */
const BEHIND_MS = 2 * 60_000
/** Blocks of one second close together, one for each currency; ISO 4217 has fewer than these. */
const CURRENCIES_MAX = 256

/** The first row of a query, or null. */
type One = <T>(sql: string, ...values: number[]) => T | null

/** Where the block of an impression may be: entries by number, and the seconds that blocks are of (`received_at`). */
export interface EntriesAround {
  readonly first: number
  readonly last: number
  readonly from: number
  readonly to: number
}

export function entriesAround(one: One, partition: number, chosenAt: number): EntriesAround {
  const from = chosenAt - BEHIND_MS
  const to = chosenAt + RENDERED_WITHIN_MS
  return {
    first: firstEntryFrom(one, partition, from),
    last: firstEntryFrom(one, partition, to) + CURRENCIES_MAX,
    from,
    to,
  }
}

/**
 * The number of the first entry of a chain that was made at a time or later, or the one after its last. A chain's
 * numbers are dense and its times never go back, so that it is its own index: one on `at` would cost each charge.
 */
function firstEntryFrom(one: One, partition: number, time: number): number {
  let low = partition * CHAIN_STRIDE + 1
  const last = one<{ number: number }>(
    'SELECT number FROM entry WHERE number < ? ORDER BY number DESC LIMIT 1',
    low - 1 + CHAIN_STRIDE,
  )
  let high = Math.max(low, (last?.number ?? 0) + 1)
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = one<{ at: number }>('SELECT at FROM entry WHERE number = ?', middle)
    if (row !== null && row.at < time) low = middle + 1
    else high = middle
  }
  return low
}
