const encoder = new TextEncoder()
/** A chunk is one piece of shared memory, referred to by the snapshots that have text in it. */
export const CHUNK_BYTES = 4 << 20

/** Where a text lies: the landing URL, and behind it the ad's detail as JSON. */
export interface TextPlace {
  readonly chunk: Uint8Array<SharedArrayBuffer>
  readonly start: number
  readonly landingBytes: number
  readonly detailBytes: number
}

/** Texts of ads as UTF-8, appended and never written over: a base that is laid out anew copies none of them. */
export class CatalogText {
  private chunk = newChunk(CHUNK_BYTES)
  private used = 0
  /** Bytes in use, and bytes of versions that were replaced. */
  live = 0
  dead = 0

  add(landingUrl: string, detail: string): TextPlace {
    const room = (landingUrl.length + detail.length) * 3
    if (this.used + room > this.chunk.length) {
      this.chunk = newChunk(Math.max(CHUNK_BYTES, room))
      this.used = 0
    }
    const start = this.used
    const landingBytes = encoder.encodeInto(landingUrl, this.chunk.subarray(start)).written
    const detailBytes = encoder.encodeInto(detail, this.chunk.subarray(start + landingBytes)).written
    this.used += landingBytes + detailBytes
    this.live += landingBytes + detailBytes
    return { chunk: this.chunk, start, landingBytes, detailBytes }
  }

  forget(place: TextPlace): void {
    this.live -= place.landingBytes + place.detailBytes
    this.dead += place.landingBytes + place.detailBytes
  }

  /** Whether the dead bytes are worth the work of moving the live ones. */
  get isWasteful(): boolean {
    return this.dead > this.live && this.dead > 4 * CHUNK_BYTES
  }

  /** Copies a text of another store into this one. */
  adopt(place: TextPlace): TextPlace {
    const bytes = place.landingBytes + place.detailBytes
    if (this.used + bytes > this.chunk.length) {
      this.chunk = newChunk(Math.max(CHUNK_BYTES, bytes))
      this.used = 0
    }
    const start = this.used
    this.chunk.set(place.chunk.subarray(place.start, place.start + bytes), start)
    this.used += bytes
    this.live += bytes
    return { ...place, chunk: this.chunk, start }
  }
}

function newChunk(bytes: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(bytes))
}
