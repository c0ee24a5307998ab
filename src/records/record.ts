import { assert } from '../core/assert.ts'

/**
 * A record of the log, big-endian:
 *
 *   0  u32  length of the whole record, header included
 *   4  u8   version of the layout (1)
 *   5  u8   kind, see RecordKind
 *   6  u16  partition
 *   8  f64  receivedAt: wall time at the edge that made it, ms
 *  16  ...  payload
 *
 * Edge events carry binary payloads; records of the cold path (commands, effects, days) carry JSON.
 */
export const RECORD_VERSION = 1
export const HEADER_BYTES = 16
export const RECORD_BYTES_MAX = 1 << 20

export const RecordKind = {
  /** A rendered impression: see records/events.ts. */
  impression: 1,
  click: 2,
  /** A click or an impression reported by a server, on the partition of its id: JSON, no longer written. */
  ingested: 3,
  /** A click on a link without a token: counted apart, never billed. */
  unsignedClick: 4,
  /** An edit from the control API. */
  command: 5,
  /** A message of one partition to another (or itself), out of an outbox. */
  effect: 6,
  /** The treasury takes a share of a shard's free money for nodes to choose with. */
  leaseTaken: 7,
  /** What nodes chose, as totals by shard since the epoch began. */
  chosen: 8,
  /** Time on an idle partition. */
  tick: 9,
  /** Days of time zones, made ahead, with their bounds in UTC. */
  days: 10,
  /** The treasury of this partition starts anew: leases of older epochs drain. */
  epochOpened: 11,
  /** Requests and no-bids by placement and minute, from one edge. */
  requests: 12,
  /** Time went on by more than a minute since the record before: without it, a jump is not believed. */
  timePassed: 13,
  /** Events that servers reported, on the partition of their ids: see records/ingested.ts. */
  ingestedEvents: 14,
  /** Those whose ids were new, from the partition of their ids to the one of their campaigns. */
  ingestedEffects: 15,
} as const
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind]

export interface RecordHeader {
  readonly length: number
  readonly kind: number
  readonly partition: number
  readonly receivedAt: number
}

export class BrokenRecord extends Error {
  override name = 'BrokenRecord'
}

export function writeHeader(
  view: DataView,
  at: number,
  length: number,
  kind: RecordKind,
  partition: number,
  receivedAt: number,
): void {
  assert(length <= RECORD_BYTES_MAX, 'a record is over the limit, bytes', length)
  view.setUint32(at, length)
  view.setUint8(at + 4, RECORD_VERSION)
  view.setUint8(at + 5, kind)
  view.setUint16(at + 6, partition)
  view.setFloat64(at + 8, receivedAt)
}

/** Throws BrokenRecord for a length, version or time that no writer of ours makes. */
export function readHeader(view: DataView, at: number): RecordHeader {
  if (at + HEADER_BYTES > view.byteLength) throw new BrokenRecord('record is cut short in its header')
  const length = view.getUint32(at)
  if (length < HEADER_BYTES || at + length > view.byteLength)
    throw new BrokenRecord(`record has length ${length}`)
  if (view.getUint8(at + 4) !== RECORD_VERSION) {
    throw new BrokenRecord(
      `record has version ${view.getUint8(at + 4)}, this program reads ${RECORD_VERSION}`,
    )
  }
  const receivedAt = view.getFloat64(at + 8)
  if (!Number.isFinite(receivedAt)) throw new BrokenRecord('record has no time')
  return { length, kind: view.getUint8(at + 5), partition: view.getUint16(at + 6), receivedAt }
}
