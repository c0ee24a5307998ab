import type { SharedTime } from '../adapters/clock.ts'
import type { EdgeColumns, SharedColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogSnapshot } from '../campaigns/catalog-layout.ts'
import type { FullRequest } from '../serving/full-evaluation.ts'
import type { Explanation, ForBuilder, FromBuilder } from './builder-thread.ts'

/** The builder's thread, as the thread that serves sees it: it sends snapshots, and explains. */
export class BuilderClient {
  private readonly thread = new Worker(new URL('./builder-thread.ts', import.meta.url))
  private readonly explaining = new Map<number, (explanation: Explanation | null) => void>()
  private explained = 0

  constructor(
    open: {
      readonly columns: SharedColumns
      readonly edge: EdgeColumns
      readonly time: SharedTime
      /** Where the decider tells it of entities. */
      readonly decider: MessagePort
    },
    onSnapshot: (snapshot: CatalogSnapshot) => void,
  ) {
    this.thread.onmessage = ({ data }: MessageEvent<FromBuilder>) => {
      if (data.kind === 'snapshot') {
        onSnapshot(data.snapshot)
        return
      }
      this.explaining.get(data.id)?.(data.explanation)
      this.explaining.delete(data.id)
    }
    this.thread.postMessage({ kind: 'open', ...open } satisfies ForBuilder, [open.decider])
  }

  /** Null for a campaign that is not in the catalog. */
  explain(campaign: number): Promise<Explanation | null> {
    return new Promise(resolve => {
      this.explaining.set(++this.explained, resolve)
      this.thread.postMessage({ kind: 'explain', id: this.explained, campaign } satisfies ForBuilder)
    })
  }

  sample(request: FullRequest): void {
    this.thread.postMessage({ kind: 'sample', request } satisfies ForBuilder)
  }

  close(): void {
    this.thread.terminate()
  }
}
