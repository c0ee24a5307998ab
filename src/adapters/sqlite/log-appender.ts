import { LogUnavailable } from '../../ports/event-log.ts'
import { checkRecords } from '../../records/check-records.ts'
import { BrokenRecord } from '../../records/record.ts'
import { RecordBuffer } from '../../records/record-buffer.ts'
import type { AppendMessage, CommitMessage } from './log-messages.ts'

/** What may wait for the disk: at 90 bytes an event, 350,000 events; a disk that is further behind is overloaded. */
export const WAITING_BYTES_MAX = 32 << 20
/** What gathers behind a commit leaves at once when it is so large: one commit must not keep the next for long. */
const GATHERED_BYTES_MAX = 1 << 20

interface Flush {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
  id: number
  bytes: number
}

/**
 * The near end of a line to the log thread. What is written while a commit is under way gathers and leaves as one
 * message when that commit is answered, and one promise tells all who wrote it: a message costs this thread 4 us, and
 * one for each turn of the event loop came to a quarter of a click. A flush is gathering, then sent, then answered;
 * all sent are answered in order.
 */
export class LogAppender {
  readonly partitions: number
  private readonly post: (message: AppendMessage, transfer: ArrayBuffer[]) => void
  private readonly waitingBytesMax: number
  /** The hot path: write into it, then ask for `flushed()` before the first `await`. */
  readonly buffer = new RecordBuffer()
  private gathering: Flush | null = null
  private readonly sent: Flush[] = []
  private bytesSent = 0
  private lastId = 0
  private last: Promise<void> = Promise.resolve()
  private ended: LogUnavailable | null = null

  constructor(
    partitions: number,
    post: (message: AppendMessage, transfer: ArrayBuffer[]) => void,
    waitingBytesMax = WAITING_BYTES_MAX,
  ) {
    this.partitions = partitions
    this.post = post
    this.waitingBytesMax = waitingBytesMax
  }

  /** Whether the next flush would be refused: ask before writing into the buffer, to shed load early. */
  get overloaded(): boolean {
    return this.ended !== null || this.bytesSent + this.buffer.byteLength >= this.waitingBytesMax
  }

  async append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    const count = checkRecords(records, this.partitions)
    if (this.ended !== null) throw this.ended
    if (count === 0) return
    const bytesWaiting = this.bytesSent + this.buffer.byteLength
    if (bytesWaiting + records.length > this.waitingBytesMax) throw overload(bytesWaiting)
    this.buffer.copy(records, count)
    await this.flushed()
  }

  /**
   * Resolves when all that is in the buffer is durable. One promise for all whose records leave together, so it must be
   * asked for before the first `await` behind the write.
   */
  flushed(): Promise<void> {
    if (this.ended !== null) return Promise.reject(this.ended)
    if (this.gathering === null && this.buffer.byteLength === 0) return this.last
    const { promise } = this.gathering ?? this.gather()
    if (this.buffer.byteLength >= GATHERED_BYTES_MAX) this.send()
    return promise
  }

  /** All that was written before is answered, one way or the other. */
  async drained(): Promise<void> {
    if (this.buffer.byteLength > 0) this.flushed()
    await this.last.catch(() => {})
  }

  answered(commit: CommitMessage): void {
    const before = this.sent.length
    while (this.sent.length > 0 && this.sent[0]!.id <= commit.through) {
      const flush = this.sent.shift()!
      this.bytesSent -= flush.bytes
      const broken = commit.broken.find(({ id }) => id === flush.id)
      if (broken !== undefined) flush.reject(new BrokenRecord(broken.message))
      else if (commit.failed !== null) flush.reject(new LogUnavailable(commit.failed))
      else flush.resolve()
    }
    if (this.sent.length < before) this.sendIfIdle()
  }

  /** No answer will come any more: refuses all that waits and all that would. */
  end(reason: string): void {
    if (this.ended !== null) return
    this.ended = new LogUnavailable(reason)
    this.buffer.take()
    this.bytesSent = 0
    for (const flush of this.sent.splice(0)) flush.reject(this.ended)
    this.gathering?.reject(this.ended)
    this.gathering = null
  }

  private gather(): Flush {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => {})
    this.last = promise
    this.gathering = { promise, resolve, reject, id: 0, bytes: 0 }
    // Not a microtask: those run after each request, an immediate runs after all requests that came in together.
    if (this.sent.length === 0) setImmediate(() => this.sendIfIdle())
    return this.gathering
  }

  private sendIfIdle(): void {
    if (this.sent.length === 0) this.send()
  }

  private send(): void {
    const flush = this.gathering
    if (flush === null) return
    this.gathering = null
    const bytes = this.buffer.take()
    if (this.bytesSent + bytes.length > this.waitingBytesMax) {
      flush.reject(overload(this.bytesSent + bytes.length))
      return
    }
    flush.id = ++this.lastId
    flush.bytes = bytes.length
    this.bytesSent += bytes.length
    this.sent.push(flush)
    this.post({ kind: 'append', id: flush.id, bytes }, [bytes.buffer])
  }
}

function overload(bytesWaiting: number): LogUnavailable {
  return new LogUnavailable(`overload: ${bytesWaiting} bytes wait for the log`)
}
