/**
 * The log: a fixed number of partitions, each an ordered sequence of binary records.
 * Offsets grow along a partition; they need not be dense (Kafka's are not either).
 */
export interface LogRecord {
  readonly partition: number
  /** The place of this record in its partition. The next read starts at `offset + 1`. */
  readonly offset: number
  /** Wall time at which the log took it. The shell makes it monotone before a rule sees it. */
  readonly appendedAt: number
  /** The record's bytes (header and payload, see records/record.ts); a view that lives as long as the slice. */
  readonly bytes: Uint8Array
}

export interface EventLog {
  readonly partitions: number
  /**
   * Appends records, laid end to end (see records/record.ts), in their order.
   * Resolves when all of them are durable; rejects with LogUnavailable when none of them may be relied on.
   */
  append(records: Uint8Array<ArrayBuffer>): Promise<void>
  /** Records at or after `from[partition]`, in offset order within each partition; empty at the end of the log. */
  read(from: readonly number[], bytesMax: number): LogRecord[]
  /** Calls back whenever something was appended; returns the end of the subscription. */
  onAppend(wake: () => void): () => void
  close(): Promise<void>
}

export class LogUnavailable extends Error {
  override name = 'LogUnavailable'
}
