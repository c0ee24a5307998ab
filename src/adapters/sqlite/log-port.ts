import type { EventLog, LogRecord } from '../../ports/event-log.ts'
import type { RecordBuffer } from '../../records/record-buffer.ts'
import { LogAppender } from './log-appender.ts'
import type { CommitMessage, LogLineMessage } from './log-messages.ts'
import { LogReader } from './log-reader.ts'

/**
 * The log for any other thread, over the line that `LogClient.connect()` made: it reads the file itself, appends over
 * the line, and each commit wakes it without passing the thread that serves HTTP.
 */
export class LogPort implements EventLog {
  private readonly line: MessagePort
  readonly partitions: number
  private readonly reader: LogReader
  private readonly appender: LogAppender
  private readonly listeners = new Set<() => void>()
  private closed = false

  constructor(line: MessagePort, path: string) {
    this.line = line
    this.reader = LogReader.open(path)
    this.partitions = this.reader.partitions
    this.appender = new LogAppender(this.partitions, (message, transfer) =>
      line.postMessage(message, transfer),
    )
    line.onmessage = event => this.receive(event.data as CommitMessage)
    line.addEventListener('close', () => this.appender.end('the log thread is gone'))
  }

  get buffer(): RecordBuffer {
    return this.appender.buffer
  }

  flushed(): Promise<void> {
    return this.appender.flushed()
  }

  append(records: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.appender.append(records)
  }

  read(from: readonly number[], bytesMax: number): LogRecord[] {
    return this.reader.read(from, bytesMax)
  }

  onAppend(wake: () => void): () => void {
    this.listeners.add(wake)
    return () => this.listeners.delete(wake)
  }

  /** What was written before is made durable first. Close it before the LogClient. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.appender.drained()
    this.appender.end('the log is closed')
    this.line.postMessage({ kind: 'disconnect' } satisfies LogLineMessage)
    this.line.close()
    this.reader.close()
  }

  private receive(commit: CommitMessage): void {
    this.appender.answered(commit)
    if (commit.failed === null) for (const wake of this.listeners) wake()
  }
}
