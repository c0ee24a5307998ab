/** More clicks than this in any window from one address and user agent are `rate`. */
export const CLICKS_MAX = 30
export const WINDOW_MS = 60_000

/** Pairs remembered; each takes 256 bytes, so 8.4 MB. At 500 clicks a second, a pair is kept for more than a minute. */
const PAIRS_MAX = 32_768
/** Pairs that share a bucket; the one unused longest makes room. */
const WAYS = 8

/**
 * A bucket, 2,048 bytes, so that it lies in one page of memory and a person who clicks once costs three lines of the
 * cache: its 8 places, each of four words of 32 bits, then the 30 times of each place as f64. The words:
 *
 *   0, 1  hash of the pair
 *   2     the call that used it last; 0 where the place is empty
 *   3     where its next time goes, and from bit 8 on how many it has
 */
const PLACE_WORDS = 4
const BUCKET_WORDS = 512
const TIMES_AT = (WAYS * PLACE_WORDS) / 2
const HASH_ONE = 0
const HASH_TWO = 1
const USED_AT = 2
const NEXT = 3
const FILLED_SHIFT = 8
const NEXT_MASK = (1 << FILLED_SHIFT) - 1

/**
 * Counts the clicks of each pair of address and user agent, and says which are over the limit. A pair is a 64-bit hash
 * in one of the 8 places of its bucket, with the times of its last 30 clicks. What is evicted is forgotten: a click too
 * many may pass, none is refused for another's. Every click counts, refused ones too, so a flood stays refused until
 * it has been quiet.
 */
export class ClickRate {
  readonly #seed: number
  readonly #bucketMask: number
  readonly #words: Uint32Array
  /** The same bytes. */
  readonly #times: Float64Array
  /** Goes round after four billion: ages are differences, and 0 is left out. */
  #calls = 0
  #hashOne = 0
  #hashTwo = 0

  /** `seed` is secret and random, so that nobody can choose addresses that meet another person's pair. */
  constructor(options: { readonly seed: number; readonly pairsMax?: number }) {
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (options.pairsMax ?? PAIRS_MAX) / WAYS)))
    this.#seed = options.seed | 0
    this.#bucketMask = buckets - 1
    this.#words = new Uint32Array(buckets * BUCKET_WORDS)
    this.#times = new Float64Array(this.#words.buffer)
  }

  /**
   * Counts the click, and says whether it is one too many: 30 others lie in the minute before it. `agent` is the number of
   * the user agent (agent.ts), 0 where nobody said.
   */
  countAndCheck(address: string, agent: number, nowMs: number): boolean {
    this.#hash(address, agent)
    this.#calls = (this.#calls + 1) >>> 0 || 1
    const bucket = this.#hashOne & this.#bucketMask
    const way = this.#wayOf(bucket * BUCKET_WORDS, this.#hashOne, this.#hashTwo)
    const words = this.#words
    const at = bucket * BUCKET_WORDS + way * PLACE_WORDS
    const times = (bucket * BUCKET_WORDS) / 2 + TIMES_AT + way * CLICKS_MAX
    const next = words[at + NEXT]! & NEXT_MASK
    const filled = words[at + NEXT]! >>> FILLED_SHIFT
    const over = filled === CLICKS_MAX && this.#isOver(times, next, nowMs)
    this.#times[times + next] = nowMs
    words[at + USED_AT] = this.#calls
    words[at + NEXT] =
      (next + 1 === CLICKS_MAX ? 0 : next + 1) | (Math.min(filled + 1, CLICKS_MAX) << FILLED_SHIFT)
    return over
  }

  #isOver(times: number, next: number, nowMs: number): boolean {
    // The oldest first: it alone decides, unless the clicks came out of order, as those that servers report may.
    for (let i = 0; i < CLICKS_MAX; i++) {
      const at = next + i
      const age = nowMs - this.#times[times + (at < CLICKS_MAX ? at : at - CLICKS_MAX)]!
      if (!(age >= 0 && age < WINDOW_MS)) return false
    }
    return true
  }

  /** The place in the bucket where the pair is, or where it now begins. */
  #wayOf(bucket: number, one: number, two: number): number {
    const words = this.#words
    let victim = 0
    let longest = -1
    for (let way = 0; way < WAYS; way++) {
      const at = bucket + way * PLACE_WORDS
      const usedAt = words[at + USED_AT]!
      if (words[at + HASH_ONE] === one && words[at + HASH_TWO] === two && usedAt !== 0) return way
      const unused = usedAt === 0 ? Number.POSITIVE_INFINITY : (this.#calls - usedAt) >>> 0
      if (unused > longest) {
        victim = way
        longest = unused
      }
    }
    const at = bucket + victim * PLACE_WORDS
    words[at + HASH_ONE] = one
    words[at + HASH_TWO] = two
    words[at + NEXT] = 0
    return victim
  }

  /** cyrb53's two lanes, seeded. */
  #hash(address: string, agent: number): void {
    let one = Math.imul(this.#seed ^ 0xdeadbeef ^ agent, 0x9e3779b1)
    let two = Math.imul(Math.imul(this.#seed, 0x9e3779b1) ^ 0x41c6ce57 ^ agent, 0x5f356495)
    for (let i = 0; i < address.length; i++) {
      const unit = address.charCodeAt(i)
      one = Math.imul(one ^ unit, 0x9e3779b1)
      two = Math.imul(two ^ unit, 0x5f356495)
    }
    one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(two ^ (two >>> 13), 0xc2b2ae35)
    two = Math.imul(two ^ (two >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35)
    this.#hashOne = one >>> 0
    this.#hashTwo = two >>> 0
  }
}
