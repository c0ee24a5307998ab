import { readUint48, writeUint48 } from '../core/bytes.ts'
import { formatId, formatUuid } from '../core/ids.ts'
import { rfc3339 } from '../core/time.ts'
import type { ChainedPosting } from './chain.ts'
import { publisherAccount } from './entry.ts'

/**
 * Charged impressions of one partition and currency that became one entry, one row each, big-endian, 82 bytes:
 *
 *   0 16 B impression id    16 f64 at (ms)         24 u48 campaign    30 u48 ad         36 u48 advertiser
 *  42 u48 publisher (0: unknown)   48 u48 placement (0: unknown)      54 u48 amount     60 u48 publisher's amount
 *  66 u48 fee               72 u16 country         74 u8 device       75 ... reserved, zero
 */
export const ITEM_BYTES = 82

export interface BlockItem {
  /** 16 bytes. */
  readonly impressionId: Uint8Array
  readonly at: number
  readonly campaign: number
  readonly ad: number
  readonly advertiser: number
  readonly publisher: number
  readonly placement: number
  readonly amount: number
  readonly publisherAmount: number
  readonly feeAmount: number
  readonly country: number
  readonly device: number
}

/** Items of a block that is still open; grows by doubling. */
export class BlockItems {
  private bytes: Uint8Array
  private used: number

  constructor(items: Uint8Array = new Uint8Array(0)) {
    this.bytes = items.slice()
    this.used = items.length
  }

  add(item: BlockItem): void {
    if (this.used + ITEM_BYTES > this.bytes.length) {
      const grown = new Uint8Array(Math.max(16 * ITEM_BYTES, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.used))
      this.bytes = grown
    }
    writeItem(this.bytes, this.used, item)
    this.used += ITEM_BYTES
  }

  get count(): number {
    return this.used / ITEM_BYTES
  }

  /** A view, valid until the next `add`. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.used)
  }
}

function writeItem(bytes: Uint8Array, at: number, item: BlockItem): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  bytes.set(item.impressionId, at)
  view.setFloat64(at + 16, item.at)
  writeUint48(view, at + 24, item.campaign)
  writeUint48(view, at + 30, item.ad)
  writeUint48(view, at + 36, item.advertiser)
  writeUint48(view, at + 42, item.publisher)
  writeUint48(view, at + 48, item.placement)
  writeUint48(view, at + 54, item.amount)
  writeUint48(view, at + 60, item.publisherAmount)
  writeUint48(view, at + 66, item.feeAmount)
  view.setUint16(at + 72, item.country)
  view.setUint8(at + 74, item.device)
}

export function readItems(bytes: Uint8Array): BlockItem[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const items: BlockItem[] = []
  for (let at = 0; at + ITEM_BYTES <= bytes.length; at += ITEM_BYTES) {
    items.push({
      impressionId: bytes.subarray(at, at + 16),
      at: view.getFloat64(at + 16),
      campaign: readUint48(view, at + 24),
      ad: readUint48(view, at + 30),
      advertiser: readUint48(view, at + 36),
      publisher: readUint48(view, at + 42),
      placement: readUint48(view, at + 48),
      amount: readUint48(view, at + 54),
      publisherAmount: readUint48(view, at + 60),
      feeAmount: readUint48(view, at + 66),
      country: view.getUint16(at + 72),
      device: view.getUint8(at + 74),
    })
  }
  return items
}

/** The item of an impression, or null. */
export function findItem(bytes: Uint8Array, impressionId: Uint8Array): BlockItem | null {
  for (let at = 0; at + ITEM_BYTES <= bytes.length; at += ITEM_BYTES) {
    let i = 0
    while (i < 16 && bytes[at + i] === impressionId[i]) i++
    if (i === 16) return readItems(bytes.subarray(at, at + ITEM_BYTES))[0]!
  }
  return null
}

/** An item as `GET /v1/ledger/entries/:id/charges` shows it. */
export function itemBody(item: BlockItem) {
  return {
    adId: formatId('ad', item.ad),
    advertiserId: formatId('advertiser', item.advertiser),
    amountMicros: item.amount,
    at: rfc3339(item.at),
    campaignId: formatId('campaign', item.campaign),
    eventId: formatUuid(item.impressionId, 0),
    feeMicros: item.feeAmount,
    placementId: item.placement === 0 ? 'unknown' : formatId('placement', item.placement),
    publisherId: item.publisher === 0 ? 'unknown' : formatId('publisher', item.publisher),
    publisherMicros: item.publisherAmount,
  }
}

/** The item's JCS, straight from its row: ids and times need no escapes. A leaf of the block's Merkle tree. */
export function itemJcs(item: BlockItem): string {
  const body = itemBody(item)
  return (
    `{"adId":"${body.adId}","advertiserId":"${body.advertiserId}","amountMicros":${body.amountMicros},` +
    `"at":"${body.at}","campaignId":"${body.campaignId}","eventId":"${body.eventId}",` +
    `"feeMicros":${body.feeMicros},"placementId":"${body.placementId}","publisherId":"${body.publisherId}",` +
    `"publisherMicros":${body.publisherMicros}}`
  )
}

/** What the items add up to, by account in the order of names. Sums to zero. */
export function blockPostings(items: readonly BlockItem[]): ChainedPosting[] {
  const sums = new Map<string, number>()
  const add = (account: string, amount: number) => sums.set(account, (sums.get(account) ?? 0) + amount)
  for (const item of items) {
    add(`advertiser:${formatId('advertiser', item.advertiser)}`, -item.amount)
    add(publisherAccount(item.publisher), item.publisherAmount)
    add('fee', item.feeAmount)
  }
  return [...sums]
    .filter(([, amountMicros]) => amountMicros !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([account, amountMicros]) => ({ account, amountMicros }))
}
