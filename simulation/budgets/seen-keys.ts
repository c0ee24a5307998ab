const PAGE_BITS = 2 ** 15

/** Numbers that were seen: one bit each, as in the ledger's pages. A set of 20 million took a gigabyte. */
export class SeenKeys {
  private readonly pages = new Map<number, Uint8Array>()

  /** False where it was seen before. */
  add(key: number): boolean {
    const number = Math.floor(key / PAGE_BITS)
    let page = this.pages.get(number)
    if (page === undefined) {
      page = new Uint8Array(PAGE_BITS / 8)
      this.pages.set(number, page)
    }
    const bit = key % PAGE_BITS
    const mask = 1 << (bit & 7)
    if ((page[bit >> 3]! & mask) !== 0) return false
    page[bit >> 3]! |= mask
    return true
  }

  clear(): void {
    this.pages.clear()
  }
}
