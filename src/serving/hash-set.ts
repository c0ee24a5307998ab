/** A set of hashes that is filled and emptied for each request without making garbage. 0 is not a member. */
export class HashSet53 {
  private places = new Float64Array(64)
  private filled = new Int32Array(32)
  size = 0

  add(hash: number): void {
    if (this.size === this.filled.length) this.grow()
    const mask = this.places.length - 1
    let at = hash & mask
    while (this.places[at] !== 0) {
      if (this.places[at] === hash) return
      at = (at + 1) & mask
    }
    this.places[at] = hash
    this.filled[this.size++] = at
  }

  has(hash: number): boolean {
    const mask = this.places.length - 1
    for (let at = hash & mask; this.places[at] !== 0; at = (at + 1) & mask) {
      if (this.places[at] === hash) return true
    }
    return false
  }

  /** Whether any of `count` hashes from `from` on is a member. */
  hasAnyOf(hashes: Float64Array, from: number, count: number): boolean {
    for (let i = from; i < from + count; i++) if (this.has(hashes[i]!)) return true
    return false
  }

  clear(): void {
    for (let i = 0; i < this.size; i++) this.places[this.filled[i]!] = 0
    this.size = 0
  }

  private grow(): void {
    const hashes = Array.from(this.filled.subarray(0, this.size), at => this.places[at]!)
    this.places = new Float64Array(this.places.length * 2)
    this.filled = new Int32Array(this.places.length / 2)
    this.size = 0
    for (const hash of hashes) this.add(hash)
  }
}
