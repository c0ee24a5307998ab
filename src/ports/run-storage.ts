/** What is kept beside the rows of a run. Held in memory while the run lives, so that a miss reads no row. */
export interface RunMeta {
  readonly rows: number
  /** How often its rows were merged; runs of one level are of like size. */
  readonly level: number
  /** The latest receipt among its rows, seconds since the epoch: the run goes whole once that is past keeping. */
  readonly newestSecond: number
  readonly filter: Uint8Array
  /** The first key of each chunk, 16 bytes each. */
  readonly firstKeys: Uint8Array
}

/**
 * Where the set of ingested ids is kept, bound to one partition. Writes belong to the caller's open transaction, the
 * one that writes the charges; reads see what that transaction has written so far.
 */
export interface RunStorage {
  putRun(id: number, meta: RunMeta, chunks: readonly Uint8Array[]): void
  readChunk(id: number, index: number): Uint8Array
  deleteRun(id: number): void
  listRuns(): { readonly id: number; readonly meta: RunMeta }[]
  /** Rows that are in no run yet, in the order in which they came. */
  appendPending(rows: Uint8Array): void
  clearPending(): void
  pendingRows(): Uint8Array
}
