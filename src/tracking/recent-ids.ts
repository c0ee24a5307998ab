import { assert } from '../core/assert.ts'
import { compareKeys, ROW_WORDS } from './ingested-row.ts'

const CAPACITY_MIN = 256

/** The rows that are in no run yet: in the order in which they came, with a hash index of open addressing. */
export class RecentIds {
  count = 0
  private rows: Uint32Array = new Uint32Array(CAPACITY_MIN * ROW_WORDS)
  /** Row number + 1 by slot, 0 where free. Twice as many slots as rows fit, so that a probe ends soon. */
  private slots: Uint32Array = new Uint32Array(CAPACITY_MIN * 2)

  /** The place in `words()` of the row whose key is that at `from` in `rows`, or -1. */
  find(rows: Uint32Array, from: number): number {
    const mask = this.slots.length - 1
    for (let slot = rows[from + 3]! & mask; ; slot = (slot + 1) & mask) {
      const taken = this.slots[slot]!
      if (taken === 0) return -1
      const at = (taken - 1) * ROW_WORDS
      if (compareKeys(this.rows, at, rows, from) === 0) return at
    }
  }

  /** Takes in the row at `from` in `rows`. */
  add(rows: Uint32Array, from: number): void {
    assert(this.find(rows, from) === -1, 'an id was added twice')
    if (this.count * 2 === this.slots.length) this.grow()
    const to = this.count * ROW_WORDS
    for (let word = 0; word < ROW_WORDS; word++) this.rows[to + word] = rows[from + word]!
    this.index(this.count)
    this.count++
  }

  words(): Uint32Array {
    return this.rows.subarray(0, this.count * ROW_WORDS)
  }

  clear(): void {
    this.count = 0
    this.slots.fill(0)
  }

  private grow(): void {
    const rows = new Uint32Array(this.rows.length * 2)
    rows.set(this.rows)
    this.rows = rows
    this.slots = new Uint32Array(this.slots.length * 2)
    for (let number = 0; number < this.count; number++) this.index(number)
  }

  private index(number: number): void {
    const mask = this.slots.length - 1
    let slot = this.rows[number * ROW_WORDS + 3]! & mask
    while (this.slots[slot] !== 0) slot = (slot + 1) & mask
    this.slots[slot] = number + 1
  }
}
