/** More clicks than this in any window from one address and user agent are `rate`. */
export const CLICKS_MAX = 30
export const WINDOW_MS = 60_000

/** Pairs remembered; each takes 260 bytes, so 8.5 MB. At 500 clicks a second, a pair is kept for more than a minute. */
const PAIRS_MAX = 32_768
/** Pairs that share a bucket; the one unused longest makes room. */
const WAYS = 8

/**
 * Counts the clicks of each pair of address and user agent, and says which are over the limit. A pair is a 64-bit hash
 * in one of the 8 places of its bucket, with the times of its last 30 clicks. What is evicted is forgotten: a click too
 * many may pass, none is refused for another's. Every click counts, refused ones too, so a flood stays refused until
 * it has been quiet.
 */
export class ClickRate {
  readonly #seed: number
  readonly #bucketMask: number
  readonly #keys: Uint32Array
  /** Of the latest call, on the class's own count: 0 where the place is empty. */
  readonly #usedAt: Float64Array
  readonly #nextOf: Uint8Array
  readonly #times: Float64Array
  #calls = 0
  #hashOne = 0
  #hashTwo = 0

  /** `seed` is secret and random, so that nobody can make up a user agent that meets another person's pair. */
  constructor(options: { readonly seed: number; readonly pairsMax?: number }) {
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (options.pairsMax ?? PAIRS_MAX) / WAYS)))
    const places = buckets * WAYS
    this.#seed = options.seed | 0
    this.#bucketMask = buckets - 1
    this.#keys = new Uint32Array(places * 2)
    this.#usedAt = new Float64Array(places)
    this.#nextOf = new Uint8Array(places)
    this.#times = new Float64Array(places * CLICKS_MAX)
  }

  /** Counts the click, and says whether it is one too many: 30 others lie in the minute before it. */
  countAndCheck(address: string, userAgent: string, nowMs: number): boolean {
    this.#hash(address, userAgent)
    const place = this.#placeOf(this.#hashOne, this.#hashTwo)
    this.#usedAt[place] = ++this.#calls
    const over = this.#isOver(place, nowMs)
    const next = this.#nextOf[place]!
    this.#times[place * CLICKS_MAX + next] = nowMs
    this.#nextOf[place] = next + 1 === CLICKS_MAX ? 0 : next + 1
    return over
  }

  #isOver(place: number, nowMs: number): boolean {
    const from = place * CLICKS_MAX
    // The oldest first: it alone decides, unless the clicks came out of order, as those that servers report may.
    const oldest = this.#nextOf[place]!
    for (let i = 0; i < CLICKS_MAX; i++) {
      const at = oldest + i
      const age = nowMs - this.#times[from + (at < CLICKS_MAX ? at : at - CLICKS_MAX)]!
      if (!(age >= 0 && age < WINDOW_MS)) return false
    }
    return true
  }

  /** Where the pair is, or where it now begins. */
  #placeOf(one: number, two: number): number {
    const start = (one & this.#bucketMask) * WAYS
    let victim = start
    for (let place = start; place < start + WAYS; place++) {
      if (this.#keys[place * 2] === one && this.#keys[place * 2 + 1] === two && this.#usedAt[place] !== 0)
        return place
      if (this.#usedAt[place]! < this.#usedAt[victim]!) victim = place
    }
    this.#keys[victim * 2] = one
    this.#keys[victim * 2 + 1] = two
    this.#nextOf[victim] = 0
    this.#times.fill(Number.NEGATIVE_INFINITY, victim * CLICKS_MAX, (victim + 1) * CLICKS_MAX)
    return victim
  }

  /** cyrb53's two lanes, seeded, over both texts; the length of the first keeps ('ab', 'c') and ('a', 'bc') apart. */
  #hash(address: string, userAgent: string): void {
    let one = this.#seed ^ 0xdeadbeef ^ address.length
    let two = Math.imul(this.#seed, 0x9e3779b1) ^ 0x41c6ce57
    for (let i = 0; i < address.length; i++) {
      const unit = address.charCodeAt(i)
      one = Math.imul(one ^ unit, 0x9e3779b1)
      two = Math.imul(two ^ unit, 0x5f356495)
    }
    for (let i = 0; i < userAgent.length; i++) {
      const unit = userAgent.charCodeAt(i)
      one = Math.imul(one ^ unit, 0x9e3779b1)
      two = Math.imul(two ^ unit, 0x5f356495)
    }
    one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(two ^ (two >>> 13), 0xc2b2ae35)
    two = Math.imul(two ^ (two >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35)
    this.#hashOne = one >>> 0
    this.#hashTwo = two >>> 0
  }
}
