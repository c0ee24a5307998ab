import type { SharedTime } from '../adapters/clock.ts'
import type { EdgeColumns, SharedColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogSnapshot } from '../campaigns/catalog-layout.ts'
import type { FullRequest } from '../serving/full-evaluation.ts'
import type { Explanation, ForBuilder, FromBuilder } from './builder-thread.ts'

/** The builder's thread, as the thread that serves sees it: it sends snapshots, and explains. */
export class BuilderClient {
  private readonly thread = new Worker(new URL('./builder-thread.ts', import.meta.url))
  private readonly explaining = new Map<number, PromiseWithResolvers<Explanation | null>>()
  private explained = 0
  /** Why there is no builder any more. */
  private failed: Error | null = null

  constructor(
    open: {
      readonly columns: SharedColumns
      readonly edge: EdgeColumns
      readonly time: SharedTime
      /** Where the decider tells it of entities. */
      readonly decider: MessagePort
    },
    options: {
      readonly onSnapshot: (snapshot: CatalogSnapshot) => void
      /** It has ended: the catalog stays as it is. */
      readonly onFault: (message: string) => void
    },
  ) {
    this.thread.onmessage = ({ data }: MessageEvent<FromBuilder>) => {
      if (data.kind === 'snapshot') {
        options.onSnapshot(data.snapshot)
        return
      }
      this.explaining.get(data.id)?.resolve(data.explanation)
      this.explaining.delete(data.id)
    }
    this.thread.onerror = event => {
      this.failed = new Error(`the builder failed: ${event.message}`)
      for (const { reject } of this.explaining.values()) reject(this.failed)
      this.explaining.clear()
      options.onFault(event.message)
    }
    this.thread.postMessage({ kind: 'open', ...open } satisfies ForBuilder, [open.decider])
  }

  /** Null for a campaign that is not in the catalog. */
  explain(campaign: number): Promise<Explanation | null> {
    if (this.failed !== null) return Promise.reject(this.failed)
    const asked = Promise.withResolvers<Explanation | null>()
    this.explaining.set(++this.explained, asked)
    this.thread.postMessage({ kind: 'explain', id: this.explained, campaign } satisfies ForBuilder)
    return asked.promise
  }

  sample(request: FullRequest): void {
    this.thread.postMessage({ kind: 'sample', request } satisfies ForBuilder)
  }

  close(): void {
    this.thread.terminate()
  }
}
