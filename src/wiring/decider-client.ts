import type { Logger } from 'pino'
import type { SharedTime } from '../adapters/clock.ts'
import type { Decided } from '../billing/decided.ts'
import type { Status } from '../http/status.ts'
import type { LeaseAsk } from '../ports/treasury-link.ts'
import type { FromDecider, ToDecider } from './decider-messages.ts'

/** An orderly end waits so long for the batch under way. */
const CLOSE_MS_MAX = 5000

/** The decider's thread, as the thread that serves sees it. Its troubles are told to the logger and in `status`. */
export class DeciderClient {
  private readonly thread = new Worker(new URL('./decider-thread.ts', import.meta.url))
  private readonly opened = Promise.withResolvers<void>()
  private readonly closed = Promise.withResolvers<void>()
  /** Whether it decides nothing now: what is answered meanwhile is decided later. */
  isStopped = false

  constructor(
    open: {
      readonly storePath: string
      readonly logPath: string
      readonly partitions: number
      readonly holdMs: number
      readonly time: SharedTime
      readonly log: MessagePort
      readonly builder: MessagePort
    },
    private readonly options: {
      readonly onDecided: (decided: Decided) => void
      readonly status: Status
      readonly logger: Logger
    },
  ) {
    this.thread.onmessage = ({ data }: MessageEvent<FromDecider>) => this.onMessage(data)
    // What the thread did not catch has ended it: nothing is decided any more, and nobody else says so.
    this.thread.onerror = event => {
      this.onMessage({ kind: 'failed', message: event.message })
      this.closed.resolve()
    }
    this.thread.postMessage({ kind: 'open', ...open } satisfies ToDecider, [open.log, open.builder])
  }

  /** Once all that an earlier decider left is decided. Rejects where it cannot start. */
  get ready(): Promise<void> {
    return this.opened.promise
  }

  ask(asks: readonly LeaseAsk[]): void {
    this.thread.postMessage({ kind: 'ask', asks } satisfies ToDecider)
  }

  /** Somebody waits for what was just written into the log. */
  hurry(): void {
    this.thread.postMessage({ kind: 'hurry' } satisfies ToDecider)
  }

  /** Lets it end what it is at; the thread goes with `terminate`, once the log is closed. */
  async close(): Promise<void> {
    this.thread.postMessage({ kind: 'close' } satisfies ToDecider)
    await Promise.race([this.closed.promise, Bun.sleep(CLOSE_MS_MAX)])
  }

  terminate(): void {
    this.thread.terminate()
  }

  private onMessage(message: FromDecider): void {
    const { onDecided, status, logger } = this.options
    switch (message.kind) {
      case 'decided':
        onDecided(message.decided)
        return
      case 'ready':
        this.opened.resolve()
        return
      case 'warning':
        logger.warn({ cause: message.cause }, message.message)
        return
      case 'paused':
      case 'failed':
        this.isStopped = true
        status.recording = false
        status.problem = message.message.split('\n')[0]!
        this.opened.reject(new Error(message.message))
        logger.error({ cause: message.message }, `the decider ${message.kind}`)
        return
      case 'resumed':
        // Ready again once the log has taken a record, too.
        this.isStopped = false
        logger.warn('the decider goes on')
        return
      case 'closed':
        this.closed.resolve()
    }
  }
}
