import type { Changes } from '../billing/changes.ts'
import type { Partition } from '../billing/partition.ts'

/** Where a partition's reader is: the next offset, under the epoch of its owner, and a hash of the last record taken. */
export interface Position {
  readonly partition: number
  readonly next: number
  readonly epoch: number
  /** Hex; empty before the first record. A log that holds another record there is refused at start. */
  readonly lastHash: string
}

export interface Batch {
  readonly changes: Changes
  /** Moved from what was read. */
  readonly moves: readonly {
    readonly from: Position
    readonly next: number
    readonly lastHash: string
    readonly partition: Partition
  }[]
}

/** What is on disk is not what it should be: nothing is decided on it, and somebody has to look. The message says what. */
export class BooksRefused extends Error {
  override name = 'BooksRefused'
}

/** Another owner has moved the offset: what this one knows is not true any more, and must be dropped. */
export class Fenced extends Error {
  override name = 'Fenced'
}
