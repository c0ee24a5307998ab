/** What is sent again where no answer comes: after the way there and back, several times as long as usual. */
const RESEND_MS = 3000

interface Sent<T> {
  readonly at: number
  readonly about: readonly T[]
}

/**
 * Batches that were sent and have no answer yet, by number. Not the batch is sent again, but what there is to say then:
 * messages carry totals.
 */
export class Unanswered<T> {
  /** The oldest first. */
  private readonly sent = new Map<number, Sent<T>>()
  private numbers = 0

  /** Returns the number of the batch. */
  add(about: readonly T[], now: number): number {
    this.sent.set(++this.numbers, { at: now, about })
    return this.numbers
  }

  answered(number: number): void {
    this.sent.delete(number)
  }

  /** Takes out what was said too long ago to be on its way still. */
  takeLost(now: number): T[] {
    const lost: T[] = []
    for (const [number, { at, about }] of this.sent) {
      if (now - at < RESEND_MS) break
      this.sent.delete(number)
      for (const of of about) lost.push(of)
    }
    return lost
  }
}
