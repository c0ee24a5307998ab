/**
 * A bounded memory of what was worked out for a text. Two generations of at most `limit` texts: a text that is asked
 * for moves to the young one, and when that is full the old one is dropped whole. So a hit is one look-up, nothing is
 * ever sorted, and what is in use stays.
 */
export class TextCache<Value> {
  readonly #limit: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get(text: string): Value | undefined {
    const value = this.#young.get(text)
    return value === undefined ? this.#promote(text) : value
  }

  set(text: string, value: Value): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(text, value)
  }

  /** Texts held, at most twice the limit. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  #promote(text: string): Value | undefined {
    const value = this.#old.get(text)
    if (value !== undefined) {
      this.#old.delete(text)
      this.set(text, value)
    }
    return value
  }
}
