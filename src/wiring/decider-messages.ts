import type { SharedTime } from '../adapters/clock.ts'
import type { Decided } from '../billing/decided.ts'
import type { CatalogChange } from '../campaigns/campaign.ts'
import type { LeaseAsk } from '../ports/treasury-link.ts'

export type ToDecider =
  | {
      readonly kind: 'open'
      readonly storePath: string
      readonly logPath: string
      readonly partitions: number
      readonly holdMs: number
      readonly time: SharedTime
      readonly log: MessagePort
      /** The builder of the catalog hears of entities without passing the thread that serves. */
      readonly builder: MessagePort
    }
  | { readonly kind: 'ask'; readonly asks: readonly LeaseAsk[] }
  /** Somebody waits for what was just written into the log. */
  | { readonly kind: 'hurry' }
  | { readonly kind: 'close' }

export type FromDecider =
  | { readonly kind: 'ready' }
  | { readonly kind: 'decided'; readonly decided: Decided }
  | { readonly kind: 'warning'; readonly message: string; readonly cause: string }
  /** The store cannot be written; it is tried again, and all that waits in the log is decided then. */
  | { readonly kind: 'paused'; readonly message: string }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'closed' }

export type ToBuilder =
  | { readonly kind: 'changes'; readonly changes: readonly CatalogChange[] }
  /** All that the store had at the start has been told. */
  | { readonly kind: 'loaded' }
