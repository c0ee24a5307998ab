import { hash } from 'node:crypto'
import { assert } from '../core/assert.ts'
import { readUint48, utf8, utf8Text, writeUint48 } from '../core/bytes.ts'
import type { IngestedEvent } from './events.ts'
import { BrokenRecord } from './record.ts'

/**
 * An event that a server reported, big-endian. A record of the kind `ingestedEvents` is any number of them, end to end;
 * one of the kind `ingestedEffects` has EFFECTS_BYTES before them. Copied from the first to the second as they are, less
 * what is kept: the outbox and the partition of the campaign have no use for what may be personal.
 *
 *    0  u16   length, id included
 *    2  u8    1 impression, 2 click
 *    3  u8    device (records/device.ts)
 *    4  u8    verdict of the edge's screening: a Reason
 *    5  u8    flags: 1 something is kept
 *    6  u16   country (core/country.ts)
 *    8  16 B  key: the first bytes of SHA-256 of `click:ID` or `impression:ID`
 *   24  8 B   content: the first bytes of a hash of all that the sender said
 *   32  u48   the event's own time, ms
 *   38  u48   receipt at the edge, ms
 *   44  u48   campaign
 *   50  u48   ad
 *   56  u48   placement
 *   62  u48   publisher
 *   68  u32   the publisher's share, in millionths
 *   72  id in UTF-8
 *  where something is kept:
 *   ..  fields that no rule of ours reads, `metadata` among them, as one JSON object in UTF-8
 *   -2  u16   length of that JSON
 */
export const INGESTED_FIXED_BYTES = 72
const FLAGS_AT = 5
export const KEY_AT = 8
export const CONTENT_AT = 24
export const RECEIVED_AT = 38
/** An id is at most 200 UTF-16 units: three bytes each at most. */
const ID_BYTES_MAX = 600
/** Of the JSON of what is kept of one event. */
export const KEPT_BYTES_MAX = 16_384
const KEPT_LENGTH_BYTES = 2
const KEPT_FLAG = 1
export const INGESTED_BYTES_MAX = INGESTED_FIXED_BYTES + ID_BYTES_MAX + KEPT_BYTES_MAX + KEPT_LENGTH_BYTES

/**
 * Before the events of `ingestedEffects`:
 *    0  u16  source partition
 *    2  u48  number of the first event in the sequence of this source and target; those behind it count up
 *    8  u32  how many events
 * Numbered by event, not by record: another split of the source's log into batches makes other records, and the same
 * sequence.
 */
export const EFFECTS_BYTES = 12

const encoder = new TextEncoder()

export interface IngestedFacts {
  readonly type: 'click' | 'impression'
  readonly timestamp: number
  readonly receivedAt: number
  readonly campaign: number
  readonly ad: number
  readonly placement: number
  readonly publisher: number
  readonly sharePpm: number
  readonly country: number
  readonly device: number
  readonly verdict: number
}

/** Everything but key, content and id, which the edge writes itself. */
export function writeIngestedFacts(view: DataView, at: number, length: number, facts: IngestedFacts): void {
  view.setUint16(at, length)
  view.setUint8(at + 2, facts.type === 'click' ? 2 : 1)
  view.setUint8(at + 3, facts.device)
  view.setUint16(at + 4, facts.verdict << 8)
  view.setUint16(at + 6, facts.country)
  writeUint48(view, at + 32, facts.timestamp)
  writeUint48(view, at + RECEIVED_AT, facts.receivedAt)
  writeUint48(view, at + 44, facts.campaign)
  writeUint48(view, at + 50, facts.ad)
  writeUint48(view, at + 56, facts.placement)
  writeUint48(view, at + 62, facts.publisher)
  view.setUint32(at + 68, facts.sharePpm)
}

/** Writes what is kept, not empty, behind the id; returns the length of the whole event. */
export function writeKept(bytes: Uint8Array, view: DataView, idEnd: number, kept: string): number {
  const { read, written } = encoder.encodeInto(kept, bytes.subarray(idEnd, idEnd + KEPT_BYTES_MAX))
  assert(read === kept.length, 'more is kept of an event than the limit, characters', kept.length)
  view.setUint16(idEnd + written, written)
  const length = idEnd + written + KEPT_LENGTH_BYTES
  view.setUint16(0, length)
  view.setUint8(FLAGS_AT, KEPT_FLAG)
  return length
}

/** What the keys of ids are hashed from: a click and an impression are two events, even under one id. */
export function keyText(type: 'click' | 'impression', id: string): string {
  return `${type}:${id}`
}

/** An event of the older kind `ingested`, as its JSON had it, in this layout. */
export function ingestedBytes(event: IngestedEvent, receivedAt: number): Uint8Array {
  if (!event.eventId.isWellFormed()) throw new BrokenRecord('an ingested id is not Unicode')
  const id = utf8(event.eventId)
  const bytes = new Uint8Array(INGESTED_FIXED_BYTES + id.length)
  writeIngestedFacts(new DataView(bytes.buffer), 0, bytes.length, { ...event, receivedAt })
  const key = hash('sha256', keyText(event.type, event.eventId), 'hex')
  for (let i = 0; i < 16; i++) bytes[KEY_AT + i] = Number.parseInt(key.slice(i * 2, i * 2 + 2), 16)
  for (let i = 0; i < 8; i++) {
    bytes[CONTENT_AT + i] = Number.parseInt(event.contentHash.slice(i * 2, i * 2 + 2), 16)
  }
  bytes.set(id, INGESTED_FIXED_BYTES)
  return bytes
}

export function writeEffectsHeader(
  view: DataView,
  at: number,
  of: { readonly source: number; readonly first: number; readonly count: number },
): void {
  view.setUint16(at, of.source)
  writeUint48(view, at + 2, of.first)
  view.setUint32(at + 8, of.count)
}

/** How many whole events lie from `at` to the end. Throws BrokenRecord for anything else, before any is decided. */
export function countIngested(view: DataView, at: number): number {
  let count = 0
  while (at < view.byteLength) {
    if (at + INGESTED_FIXED_BYTES > view.byteLength) throw new BrokenRecord('an ingested event is cut short')
    const length = view.getUint16(at)
    const type = view.getUint8(at + 2)
    if (length <= INGESTED_FIXED_BYTES || at + length > view.byteLength || (type !== 1 && type !== 2)) {
      throw new BrokenRecord('an ingested event has the wrong layout')
    }
    if (idEndOf(view, at, length) <= at + INGESTED_FIXED_BYTES) {
      throw new BrokenRecord('an ingested event keeps more than it has')
    }
    at += length
    count++
  }
  if (count === 0) throw new BrokenRecord('a record of ingested events has none')
  return count
}

function idEndOf(view: DataView, at: number, length: number): number {
  const end = at + length
  if (view.getUint8(at + FLAGS_AT) === 0) return end
  const keptAt = end - KEPT_LENGTH_BYTES
  return keptAt - view.getUint16(keptAt)
}

/** Reads events one after the other into one object: decisions keep none of it but the id. */
export class IngestedReader implements IngestedFacts {
  type: 'click' | 'impression' = 'click'
  timestamp = 0
  receivedAt = 0
  campaign = 0
  ad = 0
  placement = 0
  publisher = 0
  sharePpm = 0
  country = 0
  device = 0
  verdict = 0
  private at = 0
  private idEnd = 0
  private end = 0

  constructor(
    private readonly bytes: Uint8Array,
    private readonly view: DataView,
  ) {}

  /** Returns where the next event starts. */
  read(at: number): number {
    const { view } = this
    this.type = view.getUint8(at + 2) === 2 ? 'click' : 'impression'
    this.device = view.getUint8(at + 3)
    this.verdict = view.getUint8(at + 4)
    this.country = view.getUint16(at + 6)
    this.timestamp = readUint48(view, at + 32)
    this.receivedAt = readUint48(view, at + RECEIVED_AT)
    this.campaign = readUint48(view, at + 44)
    this.ad = readUint48(view, at + 50)
    this.placement = readUint48(view, at + 56)
    this.publisher = readUint48(view, at + 62)
    this.sharePpm = view.getUint32(at + 68)
    const length = view.getUint16(at)
    this.at = at
    this.idEnd = idEndOf(view, at, length)
    this.end = at + length
    return this.end
  }

  get eventId(): string {
    return utf8Text(this.bytes.subarray(this.at + INGESTED_FIXED_BYTES, this.idEnd))
  }

  /** What the sender said beyond what is decided by: the JSON of an object, or empty where there is nothing. */
  get kept(): string {
    if (this.idEnd === this.end) return ''
    return utf8Text(this.bytes.subarray(this.idEnd, this.end - KEPT_LENGTH_BYTES))
  }

  /** The event less what is kept of it; a part of the record itself where that is nothing. */
  withoutKept(): Uint8Array {
    if (this.idEnd === this.end) return this.bytes.subarray(this.at, this.end)
    const event = this.bytes.slice(this.at, this.idEnd)
    const view = new DataView(event.buffer)
    view.setUint16(0, event.length)
    view.setUint8(FLAGS_AT, 0)
    return event
  }
}
