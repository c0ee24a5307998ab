import type { SharedTime } from '../adapters/clock.ts'
import type { Queries } from '../ports/control.ts'
import { readerClient, type ToReader } from './reader-client.ts'

/**
 * The queries of the API, on threads by how long they may take. Edits look entities up before they are written: a pause
 * must not wait for a report of a month, and neither for the whole ledger to be gone through (10 us an entry).
 *
 *   look-ups   what one call reads of one thing, or a page of them
 *   reports    sums over as many rows as the span has; the entries of one account, 0.7 us for each of all
 *   verify     a thread for as long as it takes, one at a time
 */
export function openReaders(open: { readonly storePath: string; readonly time: SharedTime }): {
  readonly queries: Queries
  close(): void
} {
  const start = () => {
    const thread = new Worker(new URL('./reader-thread.ts', import.meta.url))
    thread.postMessage({ kind: 'open', ...open } satisfies ToReader)
    return thread
  }
  const threads = new Set([start(), start()])
  const [lookUps, reports] = [...threads].map(readerClient) as [Queries, Queries]
  const verifyApart = async () => {
    const thread = start()
    threads.add(thread)
    try {
      return await readerClient(thread).verify()
    } finally {
      threads.delete(thread)
      thread.terminate()
    }
  }
  const { aggregates, realtime, report } = reports
  return {
    queries: {
      ...lookUps,
      entries: filter => (filter.account === null ? lookUps : reports).entries(filter),
      aggregates,
      realtime,
      report,
      verify: oneAtATime(verifyApart),
    },
    close: () => {
      for (const thread of threads) thread.terminate()
    },
  }
}

/** Who asks while it runs waits for the next run, with all others who do: the one under way may not have seen their writes. */
export function oneAtATime<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | null = null
  return () => {
    if (next !== null) return next
    const started = running.then(() => {
      next = null
      return run()
    })
    next = started
    running = started.catch(() => {})
    return started
  }
}
