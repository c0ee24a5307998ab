/** A reader's thread: answers queries of the API from committed state, one after the other. */
import { FollowingClock } from '../adapters/clock.ts'
import { SqliteQueries } from '../adapters/sqlite/queries.ts'
import { ReadStore } from '../adapters/sqlite/read-store.ts'
import type { Queries } from '../ports/control.ts'
import type { FromReader, ToReader } from './reader-client.ts'

declare const self: {
  onmessage: (event: MessageEvent<ToReader>) => void
  postMessage(message: FromReader): void
}

let queries: Queries | null = null

self.onmessage = async ({ data }) => {
  if (data.kind === 'open') {
    queries = new SqliteQueries(new ReadStore(data.storePath), new FollowingClock(data.time))
    return
  }
  const { id, method, values } = data
  try {
    if (queries === null) throw new Error('the reader is not open')
    const call = queries[method] as (...values: unknown[]) => Promise<unknown>
    self.postMessage({ id, method, ok: true, value: await call.apply(queries, values) })
  } catch (error) {
    const { name, message } = error as Error
    self.postMessage({ id, method, ok: false, name, message })
  }
}
