import { assert } from '../core/assert.ts'

/**
 * The unique key of an event: one bit for each (boot, partition, serial) and kind, in pages of 4 KiB that are written
 * in the charge's own transaction. Serials are dense, so a page is 32,768 impressions in a row.
 */
export const PAGE_BYTES = 4096
export const PAGE_BITS = PAGE_BYTES * 8

export const BitKind = {
  /** A valid impression was taken in. */
  rendered: 0,
  /** An impression was refused for good. */
  impressionRefused: 1,
  /** A click was decided or is held. */
  click: 2,
} as const
export type BitKind = (typeof BitKind)[keyof typeof BitKind]

export interface BitPage {
  readonly boot: number
  readonly kind: number
  readonly page: number
  readonly bytes: Uint8Array
  /** The latest time of choice among its bits: the page goes once the partition's floor is past it. */
  issuedUntil: number
  dirty: boolean
}

/** Reads a page from the store; null where it was never written. */
export type LoadPage = (
  boot: number,
  kind: number,
  page: number,
) => { bytes: Uint8Array; issuedUntil: number } | null

const PAGES_IN_MEMORY_MAX = 4096

/** The pages of one partition. Loading is reading committed state: it changes no decision. */
export class Bits {
  private pages = new Map<number, Map<number, BitPage>>()
  private count = 0
  /** By kind, the page that was asked for last: serials come nearly in order. */
  private readonly latest: (BitPage | undefined)[] = []
  readonly dirty: BitPage[] = []
  /** Pages with nothing issued since are to be deleted by the store. Null where they are already. */
  forgottenBefore: number | null = null
  private floor = 0

  constructor(private readonly load: LoadPage) {}

  has(boot: number, kind: BitKind, serial: number): boolean {
    const page = this.page(boot, kind, serial)
    const bit = serial % PAGE_BITS
    return (page.bytes[bit >>> 3]! & (1 << (bit & 7))) !== 0
  }

  set(boot: number, kind: BitKind, serial: number, issuedAt: number): void {
    const page = this.page(boot, kind, serial)
    const bit = serial % PAGE_BITS
    page.bytes[bit >>> 3]! |= 1 << (bit & 7)
    if (issuedAt > page.issuedUntil) page.issuedUntil = issuedAt
    if (!page.dirty) {
      page.dirty = true
      this.dirty.push(page)
    }
  }

  /** Drops the pages with nothing issued since `floor`. What is in the store still is read as if it were gone. */
  forgetBefore(floor: number): void {
    this.floor = floor
    this.latest.length = 0
    for (const [boot, pages] of this.pages) {
      for (const [key, page] of pages) {
        if (page.issuedUntil >= floor) continue
        pages.delete(key)
        this.count--
      }
      if (pages.size === 0) this.pages.delete(boot)
    }
    this.forgottenBefore = floor
  }

  /** After the commit that wrote the dirty pages. */
  written(): void {
    for (const page of this.dirty) page.dirty = false
    this.dirty.length = 0
    this.forgottenBefore = null
    if (this.count > PAGES_IN_MEMORY_MAX) {
      this.pages.clear()
      this.latest.length = 0
      this.count = 0
    }
  }

  private page(boot: number, kind: BitKind, serial: number): BitPage {
    const number = Math.floor(serial / PAGE_BITS)
    const latest = this.latest[kind]
    if (latest !== undefined && latest.page === number && latest.boot === boot) return latest
    const page = this.pageOf(boot, kind, number)
    this.latest[kind] = page
    return page
  }

  private pageOf(boot: number, kind: BitKind, number: number): BitPage {
    // Serials have 36 bits, so page numbers have 21: kind and page fit one safe integer.
    const key = kind * 2 ** 21 + number
    let ofBoot = this.pages.get(boot)
    if (ofBoot === undefined) {
      ofBoot = new Map()
      this.pages.set(boot, ofBoot)
    }
    let page = ofBoot.get(key)
    if (page === undefined) {
      const loaded = this.load(boot, kind, number)
      const stored = loaded === null || loaded.issuedUntil < this.floor ? null : loaded
      page = {
        boot,
        kind,
        page: number,
        bytes: stored === null ? new Uint8Array(PAGE_BYTES) : Uint8Array.from(stored.bytes),
        issuedUntil: stored?.issuedUntil ?? 0,
        dirty: false,
      }
      assert(page.bytes.length === PAGE_BYTES, 'a page of bits has the wrong size')
      ofBoot.set(key, page)
      this.count++
    }
    return page
  }
}
