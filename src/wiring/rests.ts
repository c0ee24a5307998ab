/** The longest that a record waits for company, and the shortest rest that is worth a timer. */
export const REST_MS_MAX = 50
const REST_MS_MIN = 1
/** Where cores are busy a batch takes longer than its work, and what serves has more of them meanwhile. */
const REST_SHARE = 2
/** So long after a command: what it sends to other partitions and back is not kept waiting either. */
export const HURRY_MS = 50

/**
 * How long the decider rests behind a batch: twice as long as that took, so that what comes in meanwhile shares the next
 * transaction. Each has a fixed price (offsets, budgets and pages of bits are written whole). Nobody waits for a click to
 * be decided; somebody waits for a command, and behind one there is no rest.
 */
export class Rests {
  private hurriedUntil = Number.NEGATIVE_INFINITY

  /** Ms; 0 for none. */
  behind(batchMs: number, now: number): number {
    if (batchMs < REST_MS_MIN || now < this.hurriedUntil) return 0
    return Math.min(batchMs * REST_SHARE, REST_MS_MAX)
  }

  hurry(now: number): void {
    this.hurriedUntil = now + HURRY_MS
  }
}
