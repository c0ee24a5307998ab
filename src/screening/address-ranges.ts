import { assert } from '../core/assert.ts'
import { ADDRESS_WORDS, readAddress } from './parse-address.ts'

/** A block of addresses, both ends included, as 128-bit numbers; an IPv4 one in its mapped form. */
export interface Cidr {
  readonly first: bigint
  readonly last: bigint
}

/**
 * `192.0.2.0/24`, `2001:db8::/32` or one address alone; null for what is none. Bits behind the prefix are ignored:
 * `10.0.0.1/8` is `10.0.0.0/8`.
 */
export function parseCidr(text: string): Cidr | null {
  const [address = '', prefixText, ...more] = text.split('/')
  const words = new Uint32Array(ADDRESS_WORDS)
  if (more.length > 0 || address.includes('%') || !readAddress(address, words)) return null
  const bits = address.includes(':') ? 128 : 32
  if (prefixText !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefixText)) return null
  const prefix = prefixText === undefined ? bits : Number(prefixText)
  if (prefix > bits) return null
  const size = 1n << BigInt(bits - prefix)
  let value = 0n
  for (const word of words) value = (value << 32n) | BigInt(word)
  const first = value - (value % size)
  return { first, last: first + size - 1n }
}

/** A set of addresses as sorted, disjoint ranges, four words to an end. */
export class AddressRanges {
  readonly #firsts: Uint32Array
  readonly #lasts: Uint32Array
  readonly #address = new Uint32Array(ADDRESS_WORDS)

  constructor(blocks: readonly Cidr[]) {
    const ranges = merged(blocks)
    this.#firsts = Uint32Array.from(ranges.flatMap(range => wordsOf(range.first)))
    this.#lasts = Uint32Array.from(ranges.flatMap(range => wordsOf(range.last)))
  }

  /** For lists of ours, which are right. */
  static of(...blocks: readonly string[]): AddressRanges {
    return new AddressRanges(
      blocks.map(text => {
        const block = parseCidr(text)
        assert(block !== null, `not a block of addresses: ${text}`)
        return block
      }),
    )
  }

  get size(): number {
    return this.#firsts.length / ADDRESS_WORDS
  }

  /** False for what is no address. */
  contains(address: string): boolean {
    return this.#firsts.length > 0 && readAddress(address, this.#address) && this.containsWords(this.#address)
  }

  containsWords(words: Uint32Array): boolean {
    let low = 0
    let high = this.size
    // The number of ranges that start at or before the address.
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isAfter(this.#firsts, middle, words)) high = middle
      else low = middle + 1
    }
    return low > 0 && !isBefore(this.#lasts, low - 1, words)
  }
}

function isAfter(ends: Uint32Array, range: number, words: Uint32Array): boolean {
  return compare(ends, range, words) > 0
}

function isBefore(ends: Uint32Array, range: number, words: Uint32Array): boolean {
  return compare(ends, range, words) < 0
}

function compare(ends: Uint32Array, range: number, words: Uint32Array): number {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const difference = ends[range * ADDRESS_WORDS + i]! - words[i]!
    if (difference !== 0) return difference
  }
  return 0
}

/** Sorted, with those that overlap or abut made one. */
function merged(blocks: readonly Cidr[]): Cidr[] {
  const ranges: { first: bigint; last: bigint }[] = []
  for (const block of [...blocks].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const before = ranges.at(-1)
    if (before === undefined || block.first > before.last + 1n) ranges.push({ ...block })
    else if (block.last > before.last) before.last = block.last
  }
  return ranges
}

function wordsOf(value: bigint): number[] {
  return [96n, 64n, 32n, 0n].map(shift => Number((value >> shift) & 0xffffffffn))
}
