import type { SharedTime } from '../adapters/clock.ts'
import { type Queries, QueryRefused } from '../ports/control.ts'

export type QueryName = keyof Queries

export type ToReader =
  | { readonly kind: 'open'; readonly storePath: string; readonly time: SharedTime }
  | { readonly kind: 'query'; readonly id: number; readonly method: QueryName; readonly values: unknown[] }

export type FromReader =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly name: string; readonly message: string }

/** Queries that may wait for the reader; more are refused with 503. */
const WAITING_MAX = 1000

/** The queries of the API, answered by the reader's thread. */
export function readerClient(thread: Worker): Queries {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let last = 0
  thread.onmessage = ({ data }: MessageEvent<FromReader>) => {
    const waiter = waiting.get(data.id)
    waiting.delete(data.id)
    if (data.ok) waiter?.resolve(data.value)
    else
      waiter?.reject(
        data.name === 'TooManyWindows' ? new QueryRefused(422, data.message) : new Error(data.message),
      )
  }
  thread.onerror = event => {
    for (const { reject } of waiting.values()) reject(new Error(`the reader failed: ${event.message}`))
    waiting.clear()
  }
  const ask = (method: QueryName, values: unknown[]) => {
    if (waiting.size >= WAITING_MAX)
      return Promise.reject(new QueryRefused(503, 'Too many queries are waiting.'))
    return new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, { resolve, reject })
      thread.postMessage({ kind: 'query', id, method, values } satisfies ToReader)
    })
  }
  return Object.fromEntries(
    Object.keys(NAMES).map(name => [name, (...values: unknown[]) => ask(name as QueryName, values)]),
  ) as unknown as Queries
}

/** All of them: the type refuses a list that lacks one. */
const NAMES: Record<QueryName, true> = {
  entity: true,
  list: true,
  history: true,
  charge: true,
  balances: true,
  entries: true,
  entry: true,
  entryCharges: true,
  verify: true,
  aggregates: true,
  realtime: true,
  report: true,
}
