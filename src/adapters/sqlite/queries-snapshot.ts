import type { ReadStore } from './read-store.ts'

/**
 * Runs a read of several statements on one commit: between two of them the writer may close a block or move a balance,
 * and what was in one table by then is in neither or in both.
 */
export function inSnapshot<T>(store: ReadStore, read: () => T): T {
  store.all('BEGIN')
  try {
    return read()
  } finally {
    store.all('COMMIT')
  }
}
