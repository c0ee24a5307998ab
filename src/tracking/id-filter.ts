/**
 * A split block Bloom filter (Putze, Sanders, Singler 2007; the form that Parquet uses): a key sets one bit in each of
 * the eight words of one 32-byte block, so that a look-up touches one cache line. Keys are SHA-256 already: their own
 * bits choose, nothing is hashed again.
 */
const BLOCK_WORDS = 8
// 16 bits a key: measured 0.1% false positives, each of which costs the read of a chunk.
const KEYS_PER_BLOCK = 16

export function emptyFilter(rows: number): Uint32Array {
  return new Uint32Array(Math.max(1, Math.ceil(rows / KEYS_PER_BLOCK)) * BLOCK_WORDS)
}

export function addToFilter(filter: Uint32Array, k0: number, k1: number, k2: number): void {
  const at = blockOf(filter, k0)
  filter[at]! |= 1 << k1
  filter[at + 1]! |= 1 << (k1 >>> 5)
  filter[at + 2]! |= 1 << (k1 >>> 10)
  filter[at + 3]! |= 1 << (k1 >>> 15)
  filter[at + 4]! |= 1 << (k1 >>> 20)
  filter[at + 5]! |= 1 << (k1 >>> 25)
  filter[at + 6]! |= 1 << k2
  filter[at + 7]! |= 1 << (k2 >>> 5)
}

/**
 * False: the key is not in the run. Without branches: a branch a word is a coin toss to the processor, and each wrong
 * guess keeps it from fetching the next run's block meanwhile.
 */
export function mayHold(filter: Uint32Array, k0: number, k1: number, k2: number): boolean {
  const at = blockOf(filter, k0)
  return (
    ((filter[at]! >>> k1) &
      (filter[at + 1]! >>> (k1 >>> 5)) &
      (filter[at + 2]! >>> (k1 >>> 10)) &
      (filter[at + 3]! >>> (k1 >>> 15)) &
      (filter[at + 4]! >>> (k1 >>> 20)) &
      (filter[at + 5]! >>> (k1 >>> 25)) &
      (filter[at + 6]! >>> k2) &
      (filter[at + 7]! >>> (k2 >>> 5)) &
      1) !==
    0
  )
}

/** Marks those of the rows, one each `stride` words from their keys on, that `mayHold` says yes to. */
export function markMayHold(filter: Uint32Array, rows: Uint32Array, stride: number, marks: Uint8Array): void {
  for (let at = 0, i = 0; at < rows.length; at += stride, i++) {
    const block = blockOf(filter, rows[at]!)
    const k1 = rows[at + 1]!
    const k2 = rows[at + 2]!
    marks[i]! |=
      (filter[block]! >>> k1) &
      (filter[block + 1]! >>> (k1 >>> 5)) &
      (filter[block + 2]! >>> (k1 >>> 10)) &
      (filter[block + 3]! >>> (k1 >>> 15)) &
      (filter[block + 4]! >>> (k1 >>> 20)) &
      (filter[block + 5]! >>> (k1 >>> 25)) &
      (filter[block + 6]! >>> k2) &
      (filter[block + 7]! >>> (k2 >>> 5)) &
      1
  }
}

/** By the key's rank, so that a filter is filled from front to back when its keys come sorted. */
function blockOf(filter: Uint32Array, k0: number): number {
  const blocks = filter.length >>> 3
  // Exact: 32 bits of key times fewer than 2^21 blocks fit a double.
  return ((k0 * 2 ** -32 * blocks) | 0) << 3
}
