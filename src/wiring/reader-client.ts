import type { SharedTime } from '../adapters/clock.ts'
import { type Queries, QueryRefused } from '../ports/control.ts'

export type QueryName = keyof Queries
type Found<Name extends QueryName> = Awaited<ReturnType<Queries[Name]>>

export type ToReader =
  | { readonly kind: 'open'; readonly storePath: string; readonly time: SharedTime }
  | { readonly kind: 'query'; readonly id: number; readonly method: QueryName; readonly values: unknown[] }

type Answered<Name extends QueryName> = { readonly id: number; readonly method: Name } & (
  | { readonly ok: true; readonly value: Found<Name> }
  | { readonly ok: false; readonly name: string; readonly message: string }
)
export type FromReader = Answered<QueryName>

interface Waiter<Name extends QueryName> {
  readonly resolve: (value: Found<Name>) => void
  readonly reject: (error: Error) => void
}

/** Apart by query: an answer is then of the type that its waiter waits for. */
type Waiting = { readonly [Name in QueryName]: Map<number, Waiter<Name>> }

/** Queries that may wait for the reader; more are refused with 503. */
const WAITING_MAX = 1000

/** The queries of the API, answered by the reader's thread. */
export function readerClient(thread: Worker): Queries {
  const waiting: Waiting = {
    entity: new Map(),
    list: new Map(),
    history: new Map(),
    charge: new Map(),
    deposits: new Map(),
    balances: new Map(),
    entries: new Map(),
    entry: new Map(),
    entryCharges: new Map(),
    verify: new Map(),
    aggregates: new Map(),
    realtime: new Map(),
    report: new Map(),
  }
  let last = 0
  let count = 0
  /** Why there is no reader any more. */
  let failed: Error | null = null
  const settle = <Name extends QueryName>(answer: Answered<Name>) => {
    const ofMethod = waiting[answer.method]
    const waiter = ofMethod.get(answer.id)
    if (waiter === undefined) return
    ofMethod.delete(answer.id)
    count--
    if (answer.ok) waiter.resolve(answer.value)
    else if (answer.name === 'TooManyWindows') waiter.reject(new QueryRefused(422, answer.message))
    else waiter.reject(new Error(answer.message))
  }
  thread.onmessage = ({ data }: MessageEvent<FromReader>) => settle(data)
  thread.onerror = event => {
    failed = new Error(`the reader failed: ${event.message}`)
    for (const ofMethod of Object.values(waiting)) {
      for (const { reject } of ofMethod.values()) reject(failed)
      ofMethod.clear()
    }
    count = 0
  }
  const ask = <Name extends QueryName>(
    method: Name,
    values: Parameters<Queries[Name]>,
  ): Promise<Found<Name>> => {
    if (failed !== null) return Promise.reject(failed)
    if (count >= WAITING_MAX) return Promise.reject(new QueryRefused(503, 'Too many queries are waiting.'))
    return new Promise((resolve, reject) => {
      const id = ++last
      count++
      waiting[method].set(id, { resolve, reject })
      thread.postMessage({ kind: 'query', id, method, values } satisfies ToReader)
    })
  }
  return {
    entity: (...values) => ask('entity', values),
    list: (...values) => ask('list', values),
    history: (...values) => ask('history', values),
    charge: (...values) => ask('charge', values),
    deposits: (...values) => ask('deposits', values),
    balances: (...values) => ask('balances', values),
    entries: (...values) => ask('entries', values),
    entry: (...values) => ask('entry', values),
    entryCharges: (...values) => ask('entryCharges', values),
    verify: (...values) => ask('verify', values),
    aggregates: (...values) => ask('aggregates', values),
    realtime: (...values) => ask('realtime', values),
    report: (...values) => ask('report', values),
  }
}
