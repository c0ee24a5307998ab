const BYTES_START = 4096

/** Ingested events end to end, as they are gathered for one record. */
export class EventBytes {
  private bytes = new Uint8Array(BYTES_START)
  count = 0
  byteLength = 0

  add(event: Uint8Array): void {
    const at = this.byteLength
    const end = at + event.length
    if (end > this.bytes.length) this.grow(end)
    this.bytes.set(event, at)
    this.byteLength = end
    this.count++
  }

  /** Valid until the next `add`. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.byteLength)
  }

  private grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(needed, this.bytes.length * 2))
    bytes.set(this.bytes)
    this.bytes = bytes
  }
}
