import { assert } from '../core/assert.ts'

/** Impressions remembered: 42 MB at 40 bytes each, which the system only hands over as they come. A power of two. */
const IMPRESSIONS_MAX = 2 ** 20
const ABSENT = -1

/**
 * Who has seen which campaign how often, within any rolling window. The last `impressionsMax` impressions of capped
 * campaigns lie in a ring; each points back to the one before it of the same person and campaign, and a hash table
 * finds the latest. So answers are exact while the window's impressions are in the ring. What the ring has overwritten,
 * the oldest of all, is forgotten: an ad may then be shown once more, and is never withheld for what another person saw.
 * (A person is a 53-bit hash compared in full: among a million, two meet with odds of 1 in 18,000.)
 *
 * A second pointer leaps further back, by Myers' rule ("An applicative random-access stack", 1983), so that a cap of
 * N costs log N steps: a stranger who sends one user id all day must not make each of his requests slower.
 */
export class FrequencyCaps {
  readonly #capacity: number
  readonly #persons: Float64Array
  readonly #campaigns: Uint32Array
  readonly #timesMs: Float64Array
  /** Position in its chain, from 1. */
  readonly #ordinals: Uint32Array
  /** How many impressions of all ago, counted from this one; 0: none. */
  readonly #previous: Uint32Array
  readonly #leaps: Uint32Array
  /** Index of a chain's latest impression plus 1, by linear probing; 0: empty. At most half full. */
  readonly #table: Uint32Array
  #next = 0
  #recorded = 0

  constructor(impressionsMax = IMPRESSIONS_MAX) {
    assert(Number.isInteger(Math.log2(impressionsMax)), `not a power of two: ${impressionsMax}`)
    this.#capacity = impressionsMax
    this.#persons = new Float64Array(impressionsMax)
    this.#campaigns = new Uint32Array(impressionsMax)
    this.#timesMs = new Float64Array(impressionsMax)
    this.#ordinals = new Uint32Array(impressionsMax)
    this.#previous = new Uint32Array(impressionsMax)
    this.#leaps = new Uint32Array(impressionsMax)
    this.#table = new Uint32Array(impressionsMax * 2)
  }

  /** Whether fewer than `cap` impressions lie in the `perSeconds` up to now. */
  allowed(personHash: number, campaign: number, cap: number, perSeconds: number, nowMs: number): boolean {
    const latest = this.#table[this.#find(personHash, campaign)]! - 1
    if (latest < 0) return true
    const windowStartMs = nowMs - perSeconds * 1000
    if (this.#timesMs[latest]! <= windowStartMs) return true
    const ordinal = this.#ordinals[latest]! - cap + 1
    if (ordinal < 1) return true
    const decisive = this.#ancestor(latest, ordinal)
    return decisive === ABSENT || this.#timesMs[decisive]! <= windowStartMs
  }

  /** Counts an impression. `campaign` is a number below 2^32 that is never another campaign's. */
  record(personHash: number, campaign: number, nowMs: number): void {
    const index = this.#next
    if (this.#recorded >= this.#capacity) this.#forget(index)
    const place = this.#find(personHash, campaign)
    const parent = this.#table[place]! - 1
    this.#persons[index] = personHash
    this.#campaigns[index] = campaign
    this.#timesMs[index] = nowMs
    this.#table[place] = index + 1
    // Before linking: what lay at `index` is gone, and must not be reached from there.
    this.#next = (index + 1) & (this.#capacity - 1)
    this.#recorded++
    this.#link(index, parent)
  }

  #link(index: number, parent: number): void {
    if (parent < 0) {
      this.#ordinals[index] = 1
      this.#previous[index] = 0
      this.#leaps[index] = 0
      return
    }
    this.#ordinals[index] = this.#ordinals[parent]! + 1
    this.#previous[index] = this.#distance(index, parent)
    const leap = this.#back(parent, this.#leaps[parent]!)
    const leapOfLeap = leap === ABSENT ? ABSENT : this.#back(leap, this.#leaps[leap]!)
    // Two leaps of one length behind the parent make one of twice the length and one more.
    const joins =
      leapOfLeap !== ABSENT &&
      this.#ordinals[parent]! - this.#ordinals[leap]! === this.#ordinals[leap]! - this.#ordinals[leapOfLeap]!
    this.#leaps[index] = this.#distance(index, joins ? leapOfLeap : parent)
  }

  /** The impression of that ordinal in the chain that ends in `index`, ABSENT where it is forgotten. */
  #ancestor(index: number, ordinal: number): number {
    let at = index
    while (this.#ordinals[at]! > ordinal) {
      const leap = this.#back(at, this.#leaps[at]!)
      const step =
        leap !== ABSENT && this.#ordinals[leap]! >= ordinal ? leap : this.#back(at, this.#previous[at]!)
      if (step === ABSENT) return ABSENT
      at = step
    }
    return at
  }

  /** The impression `distance` before `index`, unless it is overwritten. */
  #back(index: number, distance: number): number {
    if (distance === 0) return ABSENT
    // Age 1 is the latest recorded; one of age `capacity` is there until the next is recorded.
    const age = this.#distance(this.#next, index) || this.#capacity
    return age + distance > this.#capacity ? ABSENT : (index - distance) & (this.#capacity - 1)
  }

  #distance(from: number, to: number): number {
    return (from - to) & (this.#capacity - 1)
  }

  /** Where the pair's latest impression is noted, or the empty place where it belongs. */
  #find(personHash: number, campaign: number): number {
    const mask = this.#table.length - 1
    let place = slot(personHash, campaign) & mask
    for (;;) {
      const index = this.#table[place]! - 1
      if (index < 0) return place
      if (this.#persons[index] === personHash && this.#campaigns[index] === campaign) return place
      place = (place + 1) & mask
    }
  }

  /** Takes an impression that is about to be overwritten out of the table, if it is still the latest of its chain. */
  #forget(index: number): void {
    const mask = this.#table.length - 1
    let hole = this.#find(this.#persons[index]!, this.#campaigns[index]!)
    if (this.#table[hole]! - 1 !== index) return
    // Later ones of the run move up, unless they would land before their own place (Knuth, TAOCP 6.4, algorithm R).
    for (let place = (hole + 1) & mask; this.#table[place] !== 0; place = (place + 1) & mask) {
      const other = this.#table[place]! - 1
      const home = slot(this.#persons[other]!, this.#campaigns[other]!) & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      this.#table[hole] = this.#table[place]!
      hole = place
    }
    this.#table[hole] = 0
  }
}

function slot(personHash: number, campaign: number): number {
  let hash = Math.imul(personHash | 0, 0x9e3779b1) ^ Math.imul((personHash / 4_294_967_296) | 0, 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 15) ^ Math.imul(campaign, 0xc2b2ae35), 0x27d4eb2f)
  return (hash ^ (hash >>> 16)) >>> 0
}
