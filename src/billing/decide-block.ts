import { micros } from '../core/money.ts'
import { blockPostings, itemJcs, readItems } from './block.ts'
import { addEntry } from './ledger.ts'
import { merkleRoot } from './merkle.ts'
import type { OpenBlock, Turn } from './partition.ts'

/**
 * Charged impressions are gathered into one entry for each partition, currency and second, with their Merkle root.
 * A block closes with the first record of a later second: until then its impressions are `reserved`.
 */
export function closeBlocksBefore(turn: Turn): void {
  const { partition, changes } = turn
  const second = Math.floor(partition.head.time / 1000)
  if (partition.openBlocks.size === 0) return
  const open = [...partition.openBlocks].sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [currency, block] of open) {
    if (block.second >= second) continue
    closeBlock(turn, currency, block)
    partition.openBlocks.delete(currency)
    changes.touchOpenBlock(partition.number, currency)
  }
}

function closeBlock(turn: Turn, currency: string, block: OpenBlock): void {
  const items = readItems(block.items.view())
  let amount = 0
  let publisherAmount = 0
  for (const item of items) {
    amount += item.amount
    publisherAmount += item.publisherAmount
  }
  const postings = blockPostings(items)
  const row = addEntry(turn, {
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
    postings,
  })
  turn.changes.blocks.push({
    number: row.number,
    items: block.items.view().slice(),
    postings: JSON.stringify(postings),
  })
}
