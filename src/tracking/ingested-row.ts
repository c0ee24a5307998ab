import { createHash } from 'node:crypto'
import { assert } from '../core/assert.ts'
import { readUint48 } from '../core/bytes.ts'
import { CONTENT_AT, KEY_AT, RECEIVED_AT } from '../records/ingested.ts'

/**
 * An ingested id in seven 32-bit words, so that the hot path meets no BigInt and no object:
 *  0..3  key: the first 16 bytes of SHA-256 of the id. Ids come from outside; a weaker hash could be made to collide,
 *        which would take another advertiser's click for a repeat.
 *  4..5  the first 8 bytes of the hash of all that the sender said: tells a repeat from a conflict
 *  6     receipt, seconds since the epoch
 */
export type IngestedRow = Uint32Array

export const ROW_WORDS = 7
export const KEY_WORDS = 4
export const SECOND_WORD = 6

const CONTENT_HASH = /^[0-9a-f]{16,}$/

/** Fills `row`, which the caller keeps for all its look-ups. `contentHash` is hex, its first 16 digits count. */
export function fillIngestedRow(
  row: IngestedRow,
  event: { readonly eventId: string; readonly contentHash: string; readonly receivedSecond: number },
): void {
  assert(row.length === ROW_WORDS, 'a row is seven words')
  assert(CONTENT_HASH.test(event.contentHash), 'a content hash is at least 16 lowercase hex digits')
  const digest = createHash('sha256').update(event.eventId, 'utf8').digest()
  for (let word = 0; word < KEY_WORDS; word++) row[word] = digest.readUInt32BE(word * 4)
  row[4] = Number.parseInt(event.contentHash.slice(0, 8), 16)
  row[5] = Number.parseInt(event.contentHash.slice(8, 16), 16)
  row[SECOND_WORD] = event.receivedSecond
}

/** A row for each event that lies from `at` on, in the layout of records/ingested.ts. */
export function fillIngestedRows(rows: Uint32Array, events: DataView, at: number): void {
  for (let to = 0; to < rows.length; to += ROW_WORDS) {
    for (let word = 0; word < KEY_WORDS; word++) rows[to + word] = events.getUint32(at + KEY_AT + word * 4)
    rows[to + 4] = events.getUint32(at + CONTENT_AT)
    rows[to + 5] = events.getUint32(at + CONTENT_AT + 4)
    rows[to + SECOND_WORD] = Math.floor(readUint48(events, at + RECEIVED_AT) / 1000)
    at += events.getUint16(at)
  }
}

/** Negative, zero or positive as the key at `a` in `left` is before, at or after the key at `b` in `right`. */
export function compareKeys(left: Uint32Array, a: number, right: Uint32Array, b: number): number {
  for (let word = 0; word < KEY_WORDS; word++) {
    const difference = left[a + word]! - right[b + word]!
    if (difference !== 0) return difference
  }
  return 0
}

export function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

/** Words of bytes that a storage gave back; copied where they do not lie on a word's boundary. */
export function wordsOf(bytes: Uint8Array): Uint32Array {
  assert(bytes.byteLength % 4 === 0, 'stored words are torn')
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}
