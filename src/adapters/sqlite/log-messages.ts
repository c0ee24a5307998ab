import type { SharedTime } from '../clock.ts'

/** From the thread that made the log thread. */
export type LogThreadMessage =
  | {
      readonly kind: 'open'
      readonly path: string
      readonly partitions: number
      readonly time: SharedTime
      readonly pagesMax?: number | undefined
    }
  /** Another thread's line: it appends over it and is told of each commit. */
  | { readonly kind: 'connect'; readonly port: MessagePort }
  | { readonly kind: 'close' }
  | AppendMessage

/** Over a line of its own. */
export type LogLineMessage = AppendMessage | { readonly kind: 'disconnect' }

export interface AppendMessage {
  readonly kind: 'append'
  /** Counts up by one along a line. */
  readonly id: number
  readonly bytes: Uint8Array<ArrayBuffer>
}

export type LogThreadAnswer =
  /** With the time at which the log took its last record; 0 where it is empty. */
  | { readonly kind: 'opened'; readonly lastAppendedAt: number }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'closed' }
  | CommitMessage

/** One for each commit to each line, whether it waited for the commit or not: it wakes readers too. */
export interface CommitMessage {
  readonly kind: 'commit'
  /** Answers all appends of this line up to this id. */
  readonly through: number
  /** Why none of them may be relied on; null where all are durable, but for the broken ones. */
  readonly failed: string | null
  readonly broken: readonly { readonly id: number; readonly message: string }[]
}
