import { utf8 } from '../core/bytes.ts'
import { HEADER_BYTES, type RecordKind, readHeader, writeHeader } from './record.ts'

const BYTES_START = 64 * 1024

/** Records laid end to end, ready to cross a thread as one transferred buffer. */
export class RecordBuffer {
  private bytes = new Uint8Array(BYTES_START)
  private view = new DataView(this.bytes.buffer)
  private used = 0
  count = 0

  get byteLength(): number {
    return this.used
  }

  /** Makes room for a payload behind a written header; returns where the payload starts in `payloadView()`. */
  begin(kind: RecordKind, partition: number, receivedAt: number, payloadBytes: number): number {
    const length = HEADER_BYTES + payloadBytes
    if (this.used + length > this.bytes.length) this.grow(this.used + length)
    const at = this.used
    writeHeader(this.view, at, length, kind, partition, receivedAt)
    this.used += length
    this.count++
    return at + HEADER_BYTES
  }

  /** Valid until the next `begin`. */
  payloadView(): DataView {
    return this.view
  }

  payloadBytes(): Uint8Array {
    return this.bytes
  }

  json(kind: RecordKind, partition: number, receivedAt: number, value: unknown): void {
    const payload = utf8(JSON.stringify(value))
    const at = this.begin(kind, partition, receivedAt, payload.length)
    this.bytes.set(payload, at)
  }

  /** Lays whole records, already checked (records/check-records.ts), behind the others. */
  copy(records: Uint8Array, count: number): void {
    if (this.used + records.length > this.bytes.length) this.grow(this.used + records.length)
    this.bytes.set(records, this.used)
    this.used += records.length
    this.count += count
  }

  /** Gives the records away and starts empty. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.bytes.slice(0, this.used)
    this.used = 0
    this.count = 0
    return taken
  }

  clear(): void {
    this.used = 0
    this.count = 0
  }

  private grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    bytes.set(this.bytes.subarray(0, this.used))
    this.bytes = bytes
    this.view = new DataView(bytes.buffer)
  }
}

/** Where the records that fit in `bytesMax` end; behind the first one in any case. */
export function partEnd(records: Uint8Array, bytesMax: number): number {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  let end = readHeader(view, 0).length
  while (end < records.length) {
    const { length } = readHeader(view, end)
    if (end + length > bytesMax) break
    end += length
  }
  return end
}
