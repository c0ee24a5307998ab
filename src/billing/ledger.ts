import { entryHash } from './chain.ts'
import { CHAIN_STRIDE, type EntryRow, entryJcsOf, postingsOf } from './entry.ts'
import type { Turn } from './partition.ts'

export type NewEntry = Omit<EntryRow, 'number' | 'at' | 'hash' | 'items' | 'chargesRoot' | 'postings'> & {
  readonly items?: Uint8Array
  readonly chargesRoot?: string
  /** For a block: what its items add up to. Else they follow from the amounts. */
  readonly postings?: EntryRow['postings']
}

/**
 * Appends to the partition's chain. Entries are hashed in log order, so that any split of the log into batches gives
 * the same chain. Postings of an entry sum to zero, and are added to the accounts in the same transaction.
 */
export function addEntry(turn: Turn, entry: NewEntry): EntryRow {
  const { partition, changes } = turn
  const { head } = partition
  head.chainSequence++
  const row = {
    ...entry,
    number: partition.number * CHAIN_STRIDE + head.chainSequence,
    at: head.time,
    items: entry.items ?? null,
    chargesRoot: entry.chargesRoot ?? null,
    postings: entry.postings ?? postingsOf(entry),
    hash: '',
  }
  row.hash = entryHash(head.chainHash, entryJcsOf(row, head.chainHash))
  head.chainHash = row.hash
  changes.entries.push(row)
  for (const posting of row.postings)
    changes.post(partition.number, posting.account, entry.currency, posting.amountMicros)
  return row
}
