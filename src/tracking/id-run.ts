import { assert } from '../core/assert.ts'
import type { RunMeta } from '../ports/run-storage.ts'
import { addToFilter, emptyFilter } from './id-filter.ts'
import {
  bytesOf,
  compareKeys,
  type IngestedRow,
  KEY_WORDS,
  ROW_WORDS,
  SECOND_WORD,
  wordsOf,
} from './ingested-row.ts'

/** 7,168 bytes: a hit reads two pages of the store at most. */
export const CHUNK_ROWS = 256
const CHUNK_WORDS = CHUNK_ROWS * ROW_WORDS

/** An immutable run of rows in key order. */
export interface IdRun {
  readonly id: number
  readonly rows: number
  readonly level: number
  readonly newestSecond: number
  readonly filter: Uint32Array
  readonly firstKeys: Uint32Array
  /** The rows, until they are written; then they are read by chunk. */
  unsaved: Uint32Array | null
}

/** Reads a chunk of a run that has been written. */
export type ReadChunk = (run: number, index: number) => Uint8Array

// Row numbers share a double with the 32 bits that the sort goes by: 48 bits, well below 2^53.
export const SORTED_ROWS_MAX = 65_536

/** Rows in key order. Keys differ. */
export function sortRows(rows: Uint32Array): Uint32Array {
  const count = rows.length / ROW_WORDS
  assert(count <= SORTED_ROWS_MAX, 'too many rows to sort at once')
  const order = new Float64Array(count)
  for (let i = 0; i < count; i++) order[i] = rows[i * ROW_WORDS]! * SORTED_ROWS_MAX + i
  order.sort()
  const sorted = new Uint32Array(rows.length)
  for (let i = 0; i < count; i++) {
    const from = (order[i]! % SORTED_ROWS_MAX) * ROW_WORDS
    // Keys that share their first word are rare: move the few that stand after this one up by one.
    let to = i * ROW_WORDS
    while (to > 0 && compareKeys(sorted, to - ROW_WORDS, rows, from) > 0) {
      sorted.copyWithin(to, to - ROW_WORDS, to)
      to -= ROW_WORDS
    }
    copyRow(rows, from, sorted, to)
  }
  return sorted
}

/** A run of rows that are in key order. */
export function runOf(id: number, level: number, sorted: Uint32Array): IdRun {
  const rows = sorted.length / ROW_WORDS
  const filter = emptyFilter(rows)
  const firstKeys = new Uint32Array(Math.ceil(rows / CHUNK_ROWS) * KEY_WORDS)
  let newestSecond = 0
  for (let at = 0; at < sorted.length; at += ROW_WORDS) {
    assert(
      at === 0 || compareKeys(sorted, at - ROW_WORDS, sorted, at) < 0,
      'keys of a run out of order, or an id twice',
    )
    addToFilter(filter, sorted[at]!, sorted[at + 1]!, sorted[at + 2]!)
    if (sorted[at + SECOND_WORD]! > newestSecond) newestSecond = sorted[at + SECOND_WORD]!
    if (at % CHUNK_WORDS === 0)
      firstKeys.set(sorted.subarray(at, at + KEY_WORDS), (at / CHUNK_WORDS) * KEY_WORDS)
  }
  return { id, rows, level, newestSecond, filter, firstKeys, unsaved: sorted }
}

/** The rows of several runs in key order. Reads each chunk once. */
export function mergedRows(runs: readonly IdRun[], readChunk: ReadChunk): Uint32Array {
  const merged = new Uint32Array(runs.reduce((sum, run) => sum + run.rows, 0) * ROW_WORDS)
  const cursors = runs.map(run => ({ run, chunk: 0, at: 0, words: chunkWords(run, 0, readChunk) }))
  for (let to = 0; to < merged.length; to += ROW_WORDS) {
    let first = cursors[0]!
    for (let i = 1; i < cursors.length; i++) {
      const other = cursors[i]!
      if (compareKeys(other.words, other.at, first.words, first.at) < 0) first = other
    }
    copyRow(first.words, first.at, merged, to)
    first.at += ROW_WORDS
    if (first.at < first.words.length) continue
    first.chunk++
    first.at = 0
    if (first.chunk * CHUNK_ROWS < first.run.rows) first.words = chunkWords(first.run, first.chunk, readChunk)
    else cursors.splice(cursors.indexOf(first), 1)
  }
  return merged
}

/** The words of the chunk that has the row's key, and where in it; null where the run does not hold the key. */
export function findInRun(
  run: IdRun,
  row: IngestedRow,
  readChunk: ReadChunk,
): { words: Uint32Array; at: number } | null {
  const chunk = lastNotAfter(run.firstKeys, KEY_WORDS, row)
  if (chunk < 0) return null
  const words = chunkWords(run, chunk, readChunk)
  const at = lastNotAfter(words, ROW_WORDS, row) * ROW_WORDS
  return at >= 0 && compareKeys(words, at, row, 0) === 0 ? { words, at } : null
}

export function metaOf(run: IdRun): RunMeta {
  const { rows, level, newestSecond } = run
  return { rows, level, newestSecond, filter: bytesOf(run.filter), firstKeys: bytesOf(run.firstKeys) }
}

/** The chunks of a run that is yet to be written. */
export function chunksOf(sorted: Uint32Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < sorted.length; at += CHUNK_WORDS)
    chunks.push(bytesOf(sorted.subarray(at, at + CHUNK_WORDS)))
  return chunks
}

export function storedRun(id: number, meta: RunMeta): IdRun {
  const filter = wordsOf(meta.filter)
  const firstKeys = wordsOf(meta.firstKeys)
  assert(filter.length === emptyFilter(meta.rows).length, 'the filter of a stored run has the wrong size')
  assert(
    firstKeys.length === Math.ceil(meta.rows / CHUNK_ROWS) * KEY_WORDS,
    'a stored run has the wrong index',
  )
  const { rows, level, newestSecond } = meta
  return { id, rows, level, newestSecond, filter, firstKeys, unsaved: null }
}

function chunkWords(run: IdRun, chunk: number, readChunk: ReadChunk): Uint32Array {
  if (run.unsaved !== null) return run.unsaved.subarray(chunk * CHUNK_WORDS, (chunk + 1) * CHUNK_WORDS)
  return wordsOf(readChunk(run.id, chunk))
}

/** The number of the last of the keys, one each `stride` words, that is not after the row's; -1 where all are. */
function lastNotAfter(keys: Uint32Array, stride: number, row: IngestedRow): number {
  let low = 0
  let high = keys.length / stride
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys(keys, middle * stride, row, 0) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

function copyRow(from: Uint32Array, at: number, into: Uint32Array, to: number): void {
  for (let word = 0; word < ROW_WORDS; word++) into[to + word] = from[at + word]!
}
