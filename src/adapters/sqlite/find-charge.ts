import { type BlockItem, findItem } from '../../billing/block.ts'
import type { Changes } from '../../billing/changes.ts'
import type { ChargeFacts } from '../../billing/decide-command.ts'
import { EntryKind, type EntryRow } from '../../billing/entry.ts'
import type { Partition } from '../../billing/partition.ts'
import { hash32 } from '../../core/bytes.ts'
import { parseUuid, readImpressionKey } from '../../core/ids.ts'
import { entriesAround } from './entries-around.ts'
import type { Statements } from './statements.ts'

interface StoredEntry {
  kind: number
  event_second: number | null
  received_at: number
  amount: number
  publisher_amount: number
  campaign: number
  ad: number
  publisher: number
  placement: number
  country: number
  device: number
  isReserved?: boolean
}

/** The campaign's charge of an event and what was refunded of it, the decisions of the batch under way included. */
export function findCharge(
  statements: Statements,
  partitions: readonly Partition[],
  changes: Changes,
  { eventId, campaign }: { readonly eventId: string; readonly campaign: number },
): ChargeFacts | null {
  const uuid = parseUuid(eventId)
  const key = uuid === null ? null : readImpressionKey(new DataView(uuid.buffer), 0)
  // An ingested id goes by its hash, and may be a UUID as impression ids are.
  const hash = hash32(eventId)
  const second = key === null ? hash : Math.floor(key.chosenAt / 1000)
  const stored = statements
    .all<StoredEntry>(
      `SELECT kind, event_second, received_at, amount, publisher_amount, campaign, ad, publisher, placement, country, device
       FROM entry WHERE event_second IN (?, ?) AND event = ? AND campaign = ? ORDER BY number`,
      [second, hash, eventId, campaign],
    )
    .concat(changes.entries.filter(row => row.event === eventId && row.campaign === campaign).map(asStored))
  let charge = stored.find(row => row.kind === EntryKind.charge) ?? null
  if (charge === null && key !== null) {
    charge = chargedImpression(statements, partitions[key.partition], changes, uuid!, key.chosenAt)
  }
  if (charge === null || charge.campaign !== campaign) return null
  const eventSecond = charge.event_second ?? second
  const isIngested = key === null || (eventSecond === hash && eventSecond !== second)
  const refunds = stored.filter(row => row.kind === EntryKind.refund)
  return {
    eventId,
    eventSecond,
    isReserved: charge.isReserved ?? false,
    amountMicros: charge.amount,
    publisherMicros: charge.publisher_amount,
    refundedMicros: refunds.reduce((sum, row) => sum + row.amount, 0),
    refundedPublisherMicros: refunds.reduce((sum, row) => sum + row.publisher_amount, 0),
    chosenAt: isIngested ? charge.received_at : key.chosenAt,
    campaign: charge.campaign,
    ad: charge.ad,
    publisher: charge.publisher,
    placement: charge.placement,
    country: charge.country,
    device: charge.device,
  }
}

function chargedImpression(
  statements: Statements,
  partition: Partition | undefined,
  changes: Changes,
  impressionId: Uint8Array,
  chosenAt: number,
): StoredEntry | null {
  if (partition === undefined) return null
  for (const { items } of partition.openBlocks.values()) {
    const item = findItem(items.view(), impressionId)
    if (item !== null) return chargeOf(item, true)
  }
  const blocks: Uint8Array[] = []
  for (const { items } of changes.entries) if (items !== null) blocks.push(items)
  const around = entriesAround((sql, ...values) => statements.first(sql, values), partition.number, chosenAt)
  const rows = statements.all<{ items: Uint8Array }>(
    `SELECT items FROM entry WHERE number BETWEEN ? AND ? AND kind = ? AND received_at BETWEEN ? AND ?`,
    [
      around.first,
      around.last,
      EntryKind.impressions,
      // A block is found by the second whose impressions it holds: it may close much later.
      around.from,
      around.to,
    ],
  )
  for (const row of rows) blocks.push(row.items)
  for (const items of blocks) {
    const item = findItem(items, impressionId)
    if (item !== null) return chargeOf(item, false)
  }
  return null
}

function chargeOf(item: BlockItem, isReserved: boolean): StoredEntry {
  return {
    ...item,
    kind: EntryKind.charge,
    event_second: null,
    received_at: item.at,
    publisher_amount: item.publisherAmount,
    isReserved,
  }
}

function asStored(row: EntryRow): StoredEntry {
  return {
    ...row,
    event_second: row.eventSecond,
    received_at: row.receivedAt,
    publisher_amount: row.publisherAmount,
  }
}
