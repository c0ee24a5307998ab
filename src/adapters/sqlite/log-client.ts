import type { EventLog, LogRecord } from '../../ports/event-log.ts'
import type { RecordBuffer } from '../../records/record-buffer.ts'
import type { SharedTime } from '../clock.ts'
import { LogAppender } from './log-appender.ts'
import type { LogThreadAnswer, LogThreadMessage } from './log-messages.ts'
import { LogReader } from './log-reader.ts'

export interface LogClientOptions {
  readonly path: string
  readonly partitions: number
  /** The time that records are appended at. */
  readonly time: SharedTime
  /** What may wait for the disk before appends are refused. */
  readonly waitingBytesMax?: number
  /** For tests: the file is full at so many pages. */
  readonly pagesMax?: number
}

/** The log for the thread that serves HTTP: the log thread (wiring/log-thread.ts) commits, this one waits. */
export class LogClient implements EventLog {
  private readonly thread: Worker
  readonly partitions: number
  private readonly appender: LogAppender
  private readonly listeners = new Set<() => void>()
  private readonly opened = Promise.withResolvers<void>()
  private readonly closed = Promise.withResolvers<void>()
  private readonly gone = Promise.withResolvers<void>()
  private reader: LogReader | null = null
  /** When the log took the last record that it had when it was opened; 0 for an empty one. */
  lastAppendedAt = 0

  private constructor(thread: Worker, options: LogClientOptions) {
    this.thread = thread
    this.partitions = options.partitions
    this.appender = new LogAppender(
      options.partitions,
      (message, transfer) => thread.postMessage(message, transfer),
      options.waitingBytesMax,
    )
    thread.onmessage = event => this.receive(event.data as LogThreadAnswer)
    thread.onerror = event => this.die(`the log thread failed: ${event.message}`)
    thread.addEventListener('close', () => {
      this.gone.resolve()
      this.die('the log thread is gone')
    })
  }

  /** Resolves once the thread has the file open; rejects with its reason where it cannot. */
  static async open(thread: Worker, options: LogClientOptions): Promise<LogClient> {
    const client = new LogClient(thread, options)
    const { path, partitions, time, pagesMax } = options
    client.tell({ kind: 'open', path, partitions, time, pagesMax })
    await client.opened.promise
    client.reader = LogReader.open(path)
    return client
  }

  /** Records of this turn of the event loop. Write, then await `flushed()` in the same turn. */
  get buffer(): RecordBuffer {
    return this.appender.buffer
  }

  get overloaded(): boolean {
    return this.appender.overloaded
  }

  flushed(): Promise<void> {
    return this.appender.flushed()
  }

  append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.appender.append(records)
  }

  read(from: readonly number[], bytesMax: number): LogRecord[] {
    if (this.reader === null) throw new Error('the log is closed')
    return this.reader.read(from, bytesMax)
  }

  onAppend(wake: () => void): () => void {
    this.listeners.add(wake)
    return () => this.listeners.delete(wake)
  }

  /** A line to the log thread, to be handed to another thread, which opens a LogPort on it. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel()
    this.thread.postMessage({ kind: 'connect', port: port1 } satisfies LogThreadMessage, [port1])
    return port2
  }

  /** What was written before is made durable first. */
  async close(): Promise<void> {
    if (this.reader === null) return this.closed.promise
    this.reader.close()
    this.reader = null
    await this.appender.drained()
    this.tell({ kind: 'close' })
    await this.closed.promise
    await this.kill()
  }

  /**
   * Ends the thread as its crash would, and refuses at once all that waits here; resolves when the thread is gone. Until
   * then it may finish a commit that is on its way to the disk.
   */
  kill(): Promise<void> {
    this.thread.terminate()
    this.die('the log thread is gone')
    return this.gone.promise
  }

  private tell(message: LogThreadMessage): void {
    this.thread.postMessage(message)
  }

  private receive(answer: LogThreadAnswer): void {
    switch (answer.kind) {
      case 'commit':
        this.appender.answered(answer)
        if (answer.failed === null) for (const wake of this.listeners) wake()
        break
      case 'opened':
        this.lastAppendedAt = answer.lastAppendedAt
        this.opened.resolve()
        break
      case 'refused':
        this.opened.reject(new Error(answer.message))
        void this.kill()
        break
      case 'closed':
        this.closed.resolve()
    }
  }

  private die(reason: string): void {
    this.appender.end(reason)
    this.opened.reject(new Error(reason))
    this.closed.resolve()
    this.reader?.close()
    this.reader = null
  }
}
