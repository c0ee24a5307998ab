import { entryHash } from './chain.ts'
import { chargeForm, chargeJcs } from './charge-form.ts'
import { CHAIN_STRIDE, EntryKind, type EntryRow, entryJcsOf, postingsOf } from './entry.ts'
import type { Turn } from './partition.ts'

type NewEntry = Omit<EntryRow, 'number' | 'at' | 'hash' | 'items' | 'chargesRoot' | 'postings'> & {
  readonly items?: Uint8Array
  readonly chargesRoot?: string
  /** For a block: what its items add up to. Else they follow from the amounts. */
  readonly postings?: EntryRow['postings']
}

/** Of a click, or of a reported event. */
type NewCharge = Omit<
  EntryRow,
  'kind' | 'number' | 'at' | 'hash' | 'items' | 'chargesRoot' | 'postings' | 'note' | 'event'
> & { readonly event: string }

/**
 * Appends to the partition's chain. Entries are hashed in log order, so that any split of the log into batches gives
 * the same chain. Postings of an entry sum to zero, and are added to the accounts in the same transaction.
 */
export function addEntry(turn: Turn, entry: NewEntry): EntryRow {
  const row = {
    ...entry,
    number: nextNumber(turn),
    at: turn.partition.head.time,
    items: entry.items ?? null,
    chargesRoot: entry.chargesRoot ?? null,
    postings: entry.postings ?? postingsOf(entry),
    hash: '',
  }
  row.hash = entryHash(turn.partition.head.chainHash, entryJcsOf(row, turn.partition.head.chainHash))
  append(turn, row)
  return row
}

/** The same for one charge, of which there are many alike. */
export function addCharge(turn: Turn, charge: NewCharge): void {
  const { number: chain, head } = turn.partition
  const form = chargeForm(chain, charge)
  const number = nextNumber(turn)
  const at = head.time
  const jcs = chargeJcs(form, { at, event: charge.event, number }, head.chainHash)
  append(turn, {
    number,
    at,
    kind: EntryKind.charge,
    event: charge.event,
    eventSecond: charge.eventSecond,
    advertiser: charge.advertiser,
    campaign: charge.campaign,
    ad: charge.ad,
    publisher: charge.publisher,
    placement: charge.placement,
    currency: charge.currency,
    amount: charge.amount,
    publisherAmount: charge.publisherAmount,
    feeAmount: charge.feeAmount,
    receivedAt: charge.receivedAt,
    country: charge.country,
    device: charge.device,
    note: null,
    items: null,
    chargesRoot: null,
    hash: entryHash(head.chainHash, jcs),
    postings: form.postings,
  })
}

function nextNumber({ partition }: Turn): number {
  return partition.number * CHAIN_STRIDE + ++partition.head.chainSequence
}

function append({ partition, changes }: Turn, row: EntryRow): void {
  partition.head.chainHash = row.hash
  changes.entries.push(row)
  for (const { account, amountMicros } of row.postings)
    changes.post(partition.number, account, row.currency, amountMicros)
}
