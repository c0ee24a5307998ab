import { assert } from '../core/assert.ts'
import type { RunStorage } from '../ports/run-storage.ts'
import { markMayHold, mayHold } from './id-filter.ts'
import {
  chunksOf,
  findInRun,
  type IdRun,
  mergedRows,
  metaOf,
  type ReadChunk,
  runOf,
  SORTED_ROWS_MAX,
  sortRows,
  storedRun,
} from './id-run.ts'
import { bytesOf, type IngestedRow, ROW_WORDS, wordsOf } from './ingested-row.ts'
import { RecentIds } from './recent-ids.ts'

/** Longer than the oldest timestamp that is accepted, so that an id is never forgotten while it could be billed. */
export const KEPT_SECONDS = 35 * 86_400

export interface IngestedIdsLimits {
  /** Recent rows become a run at this number. */
  readonly recentRowsMax: number
  /** So many runs of one level become one of the next. */
  readonly runsOfLevelMax: number
  /** No run grows beyond this: it bounds the pause of a merge, and lets old runs expire. */
  readonly runRowsMax: number
}

export const INGESTED_IDS_LIMITS: IngestedIdsLimits = {
  recentRowsMax: 32_768,
  runsOfLevelMax: 4,
  runRowsMax: 2_097_152,
}

export const Seen = { absent: 0, repeat: 1, conflict: 2 } as const
export type Seen = (typeof Seen)[keyof typeof Seen]

/**
 * The ids that servers reported to one partition. Recent ones are in a table in memory and in `pendingRows`; full
 * tables become immutable sorted runs, of which only filters and first keys are in memory.
 *
 * Runs follow from the sequence of `add` and `expire` alone, whatever the batches and restarts between them.
 * `add` and `expire` write nothing: `save` does, in the transaction that writes what was decided. A caller whose
 * transaction fails drops the whole set and opens it again.
 */
export class IngestedIds {
  private readonly storage: RunStorage
  private readonly limits: IngestedIdsLimits
  private readonly recent = new RecentIds()
  private readonly runs: IdRun[] = []
  private readonly readChunk: ReadChunk
  /** How many of the recent rows `pendingRows` has. */
  private pendingSaved = 0
  /** The rows that `pendingRows` has became a run since. */
  private pendingStale = false
  private readonly gone: number[] = []

  constructor(storage: RunStorage, limits: IngestedIdsLimits = INGESTED_IDS_LIMITS) {
    this.storage = storage
    this.limits = limits
    assert(limits.recentRowsMax >= 1 && limits.recentRowsMax <= SORTED_ROWS_MAX, 'recentRowsMax out of range')
    assert(limits.runsOfLevelMax >= 2, 'a merge needs two runs')
    this.readChunk = (run, index) => storage.readChunk(run, index)
    for (const { id, meta } of storage.listRuns()) this.runs.push(storedRun(id, meta))
    this.runs.sort((a, b) => a.id - b.id)
    const pending = wordsOf(storage.pendingRows())
    for (let at = 0; at < pending.length; at += ROW_WORDS) this.recent.add(pending, at)
    this.pendingSaved = this.recent.count
  }

  get size(): number {
    return this.runs.reduce((sum, run) => sum + run.rows, this.recent.count)
  }

  get runCount(): number {
    return this.runs.length
  }

  /** Bytes that stay in memory for the runs: their filters and first keys. */
  get residentBytes(): number {
    return this.runs.reduce((sum, run) => sum + run.filter.byteLength + run.firstKeys.byteLength, 0)
  }

  /**
   * Looks up the rows of one record, end to end, and takes in those that are absent. Filters are gone through one by
   * one for all rows: the look-ups of one filter do not wait for each other's memory. Recent rows become a run behind
   * the record, so that runs follow from the log whatever the batches.
   */
  claim(rows: Uint32Array, seen: Uint8Array): void {
    const count = rows.length / ROW_WORDS
    // Any bit: some run may hold the row.
    seen.fill(0, 0, count)
    for (const run of this.runs) markMayHold(run.filter, rows, ROW_WORDS, seen)
    for (let i = 0; i < count; i++) {
      const at = i * ROW_WORDS
      if (seen[i] !== 0 || this.recent.find(rows, at) >= 0) {
        seen[i] = this.lookup(rows.subarray(at, at + ROW_WORDS))
      }
      if (seen[i] === Seen.absent) this.recent.add(rows, at)
    }
    this.foldRecent()
  }

  /** `repeat` where the id came before with the same content, `conflict` where with another. */
  lookup(row: IngestedRow): Seen {
    const recentAt = this.recent.find(row, 0)
    if (recentAt >= 0) return sameContent(this.recent.words(), recentAt, row)
    const k0 = row[0]!
    const k1 = row[1]!
    const k2 = row[2]!
    for (let i = this.runs.length - 1; i >= 0; i--) {
      const run = this.runs[i]!
      if (!mayHold(run.filter, k0, k1, k2)) continue
      const found = findInRun(run, row, this.readChunk)
      if (found !== null) return sameContent(found.words, found.at, row)
    }
    return Seen.absent
  }

  /** For a row that `lookup` found absent: adding an id twice is a bug of ours, and stops the partition. */
  add(row: IngestedRow): void {
    this.recent.add(row, 0)
    this.foldRecent()
  }

  private foldRecent(): void {
    if (this.recent.count < this.limits.recentRowsMax) return
    this.runs.push(runOf(this.nextId(), 0, sortRows(this.recent.words())))
    this.recent.clear()
    this.pendingSaved = 0
    this.pendingStale = true
    this.mergeFullLevels()
  }

  /** Drops the runs whose newest row is past keeping at the partition's own time. */
  expire(nowSecond: number): void {
    for (const run of [...this.runs]) {
      if (run.newestSecond < nowSecond - KEPT_SECONDS) this.drop(run)
    }
  }

  /** Writes all that changed since the last call. Inside the transaction of the batch. */
  save(): void {
    // Deletions first: a number may be given out again once its run is gone.
    for (const id of this.gone) this.storage.deleteRun(id)
    this.gone.length = 0
    for (const run of this.runs) {
      if (run.unsaved === null) continue
      this.storage.putRun(run.id, metaOf(run), chunksOf(run.unsaved))
      run.unsaved = null
    }
    if (this.pendingStale) this.storage.clearPending()
    this.pendingStale = false
    if (this.recent.count === this.pendingSaved) return
    this.storage.appendPending(bytesOf(this.recent.words().subarray(this.pendingSaved * ROW_WORDS)))
    this.pendingSaved = this.recent.count
  }

  private mergeFullLevels(): void {
    for (;;) {
      const level = this.runs.at(-1)!.level
      const group = this.runs.filter(run => run.level === level)
      if (group.length < this.limits.runsOfLevelMax) return
      if (group.reduce((sum, run) => sum + run.rows, 0) > this.limits.runRowsMax) return
      const merged = runOf(this.nextId(), level + 1, mergedRows(group, this.readChunk))
      for (const run of group) this.drop(run)
      this.runs.push(merged)
    }
  }

  /** From the living runs only, so that a restart goes on with the same numbers. */
  private nextId(): number {
    return (this.runs.at(-1)?.id ?? 0) + 1
  }

  private drop(run: IdRun): void {
    this.runs.splice(this.runs.indexOf(run), 1)
    if (run.unsaved === null) this.gone.push(run.id)
  }
}

function sameContent(words: Uint32Array, at: number, row: IngestedRow): Seen {
  return words[at + 4] === row[4] && words[at + 5] === row[5] ? Seen.repeat : Seen.conflict
}
