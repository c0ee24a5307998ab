import { micros } from '../core/money.ts'
import { blockPostings, itemJcs, readItems } from './block.ts'
import { addEntry } from './ledger.ts'
import { merkleRoot } from './merkle.ts'
import type { OpenBlock, Turn } from './partition.ts'

/** A block of so many impressions is a hundredth of a row an impression: half of what the ledger may come to. */
const FULL_BLOCK_ITEMS = 100

/** How many seconds a block takes in that is not full after the first: the log says it to a replay, see partition.ts. */
export const BLOCK_SECONDS = 2

/**
 * When a block closes, by the partition's time, ms: with the first record from then on. Until then its impressions are
 * `reserved`. It follows from the records alone, so that any split into batches gives the same blocks.
 */
export function closesAt(block: OpenBlock, blockSeconds: number): number {
  const seconds = block.items.count >= FULL_BLOCK_ITEMS ? 1 : blockSeconds
  return (block.second + seconds) * 1000
}

/** Charged impressions are gathered into one entry for each partition and currency, with their Merkle root. */
export function closeDueBlocks(turn: Turn): void {
  const { partition } = turn
  const { head } = partition
  if (partition.openBlocks.size === 0) return
  const open = [...partition.openBlocks].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [currency, block] of open) {
    if (head.time >= closesAt(block, head.blockSeconds)) addBlock(turn, currency, block)
  }
}

/** Before its time, for a refund of what it holds: an entry that gives money back follows the one that took it. */
export function closeBlock(turn: Turn, currency: string): void {
  const block = turn.partition.openBlocks.get(currency)
  // A log of one-second blocks did without, and must give the same ledger again.
  if (block !== undefined && turn.partition.head.blockSeconds > 1) addBlock(turn, currency, block)
}

function addBlock(turn: Turn, currency: string, block: OpenBlock): void {
  const { partition, changes } = turn
  partition.openBlocks.delete(currency)
  changes.touchOpenBlock(partition.number, currency)
  const bytes = block.items.view().slice()
  const items = readItems(bytes)
  let amount = 0
  let publisherAmount = 0
  for (const item of items) {
    amount += item.amount
    publisherAmount += item.publisherAmount
  }
  addEntry(turn, {
    kind: 2,
    event: null,
    eventSecond: null,
    advertiser: 0,
    campaign: 0,
    ad: 0,
    publisher: 0,
    placement: 0,
    currency,
    amount: micros(amount),
    publisherAmount: micros(publisherAmount),
    feeAmount: micros(amount - publisherAmount),
    receivedAt: block.second * 1000,
    country: 0,
    device: 0,
    note: null,
    chargesRoot: merkleRoot(items.map(itemJcs)),
    items: bytes,
    postings: blockPostings(items),
  })
}
