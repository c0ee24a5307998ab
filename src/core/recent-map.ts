/**
 * A map of bounded size that forgets what was not used for longest, in two generations: when the young one is full it
 * becomes the old one, and the old one is dropped. Holds from `generation` to twice as many of the latest used keys.
 */
export class RecentMap<K, V extends {}> {
  #young = new Map<K, V>()
  #old = new Map<K, V>()

  constructor(readonly generation: number) {}

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  /** As `get`, without counting as use. */
  peek(key: K): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.generation && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
