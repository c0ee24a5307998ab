import type { EventLog } from '../ports/event-log.ts'
import { BooksRefused, type Position } from '../ports/store.ts'

/**
 * Throws BooksRefused where the log does not hold, at its place, the last record that each partition took: it is older
 * than the books (restored from a backup), or another. What was appended to it from here on would fill places that are
 * decided already, and count for nothing.
 */
export function checkSameLog(
  log: Pick<EventLog, 'partitions' | 'read'>,
  positions: readonly Position[],
  hashOf: (bytes: Uint8Array) => string,
): void {
  for (const { partition, next, lastHash } of positions) {
    if (lastHash === '') continue
    // Of the others nothing: no offset is so large.
    const from = new Array<number>(log.partitions).fill(Number.MAX_SAFE_INTEGER)
    from[partition] = next - 1
    const [record] = log.read(from, 1)
    if (record !== undefined && record.offset === next - 1 && hashOf(record.bytes) === lastHash) continue
    throw new BooksRefused(
      `The log is not the one that the books came from: record ${next - 1}, the last that partition ${partition} decided, ` +
        `is ${record === undefined ? 'missing' : 'another'}. Put back log and store of one backup, or the log alone if it is whole.`,
    )
  }
}
