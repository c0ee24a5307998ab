import { AssertionError } from '../core/assert.ts'
import { PARTITIONS_MAX } from '../core/ids.ts'
import type { Clock } from '../core/time.ts'
import type { EventLog } from '../ports/event-log.ts'
import { EFFECTS_BYTES, writeEffectsHeader } from '../records/ingested.ts'
import { RecordKind } from '../records/record.ts'
import { partEnd, RecordBuffer } from '../records/record-buffer.ts'

interface Line {
  readonly source: number
  readonly target: number
  readonly sequence: number
}

/** Of what is appended at once, and about what may wait for it: the log refuses more than it can hold. */
const OUTGOING_BYTES_MAX = 4 << 20
/** A log that did not take records is asked again after this. */
const RETRY_MS = 500

/**
 * What a decider writes into the log: effects out of the outbox, each once in a process, and records of its own. What the
 * log does not take is kept, in order, and tried again.
 */
export class Outgoing {
  readonly buffer = new RecordBuffer()
  private readonly effectsSentTo = new Map<number, number>()
  /** What the log refused: it goes before all else. */
  private refused: Uint8Array<ArrayBuffer> | null = null
  private refusedAt = 0

  constructor(
    private readonly options: {
      readonly log: EventLog
      readonly clock: Clock
      readonly warn: (message: string, cause: unknown) => void
    },
  ) {}

  /** Whether the log did not take what it was given last. */
  get isRefused(): boolean {
    return this.refused !== null
  }

  /** Of what was written and never tried. */
  drop(): void {
    this.buffer.clear()
  }

  sendEffect({ source, target, sequence }: Line, effect: unknown): void {
    if (!this.isNext(source, target, sequence)) return
    const now = this.options.clock.now()
    this.buffer.json(RecordKind.effect, target, now, { source, sequence, effect })
  }

  sendEvents({ source, target, sequence }: Line, last: number, events: Uint8Array): void {
    if (!this.isNext(source, target, last)) return
    const now = this.options.clock.now()
    const at = this.buffer.begin(RecordKind.ingestedEffects, target, now, EFFECTS_BYTES + events.length)
    writeEffectsHeader(this.buffer.payloadView(), at, { source, first: sequence, count: last - sequence + 1 })
    this.buffer.payloadBytes().set(events, at + EFFECTS_BYTES)
  }

  /** False for what this process has sent already. */
  private isNext(source: number, target: number, last: number): boolean {
    const line = source * PARTITIONS_MAX + target
    if ((this.effectsSentTo.get(line) ?? 0) >= last) return false
    this.effectsSentTo.set(line, last)
    return true
  }

  /** Whether so much waits for the log that reading more of it should wait, too. */
  get isBackedUp(): boolean {
    return this.buffer.byteLength >= OUTGOING_BYTES_MAX
  }

  /** Whether all that was written is in the log. Leases go on meanwhile: a full disk must not stop them. */
  async flush(): Promise<boolean> {
    const now = this.options.clock.now()
    if (this.refused !== null && now - this.refusedAt < RETRY_MS && now >= this.refusedAt) return false
    while (this.refused !== null || this.buffer.count > 0) {
      this.refused ??= this.buffer.take()
      const end = partEnd(this.refused, OUTGOING_BYTES_MAX)
      try {
        await this.options.log.append(this.refused.subarray(0, end))
        this.refused = end < this.refused.length ? this.refused.subarray(end) : null
      } catch (error) {
        if (error instanceof AssertionError) throw error
        this.options.warn('the log does not take records', error)
        this.refusedAt = now
        return false
      }
    }
    return true
  }
  /** Tries until all that was written is in the log. */
  async flushAll(): Promise<void> {
    while (!(await this.flush())) await new Promise(resolve => setTimeout(resolve, RETRY_MS))
  }
}
