/**
 * The log thread: the one writer of the log's file. While a commit is on its way to the disk the next appends queue up
 * behind it, and all that wait then share the next commit, whatever line they came over.
 */
import { FollowingClock } from '../adapters/clock.ts'
import { SqliteLog } from '../adapters/sqlite/log.ts'
import type {
  AppendMessage,
  CommitMessage,
  LogLineMessage,
  LogThreadAnswer,
  LogThreadMessage,
} from '../adapters/sqlite/log-messages.ts'
import type { Clock } from '../core/time.ts'
import { checkRecords } from '../records/check-records.ts'
import { BrokenRecord } from '../records/record.ts'

declare const self: {
  onmessage: (event: MessageEvent<LogThreadMessage>) => void
  postMessage(answer: LogThreadAnswer): void
}

/** Bounds how long one commit keeps the next waiting. */
const COMMIT_BYTES_MAX = 8 << 20

interface Line {
  readonly tell: (commit: CommitMessage) => void
  readonly waiting: AppendMessage[]
  through: number
}

const main: Line = { tell: commit => self.postMessage(commit), waiting: [], through: 0 }
const lines = new Set<Line>([main])
let log: SqliteLog | null = null
let clock: Clock | null = null
let scheduled = false

self.onmessage = ({ data: message }) => {
  switch (message.kind) {
    case 'open':
      open(message)
      break
    case 'append':
      enqueue(main, message)
      break
    case 'connect':
      connect(message.port)
      break
    case 'close':
      close()
  }
}

function open({ path, partitions, time, pagesMax }: Extract<LogThreadMessage, { kind: 'open' }>): void {
  clock = new FollowingClock(time)
  try {
    log = new SqliteLog({ path, partitions, clock, ...(pagesMax === undefined ? {} : { pagesMax }) })
    self.postMessage({ kind: 'opened', lastAppendedAt: log.lastAppendedAt })
  } catch (error) {
    self.postMessage({ kind: 'refused', message: (error as Error).message })
  }
}

function connect(port: MessagePort): void {
  const line: Line = { tell: commit => port.postMessage(commit), waiting: [], through: 0 }
  lines.add(line)
  port.onmessage = ({ data }: MessageEvent<LogLineMessage>) => {
    if (data.kind === 'append') enqueue(line, data)
    else lines.delete(line)
  }
}

function enqueue(line: Line, message: AppendMessage): void {
  line.waiting.push(message)
  schedule()
}

function schedule(): void {
  if (scheduled) return
  scheduled = true
  // Behind all messages that have arrived by now.
  setImmediate(() => {
    scheduled = false
    commitWaiting()
  })
}

function commitWaiting(): void {
  const taken: Uint8Array[] = []
  const broken = new Map<Line, { id: number; message: string }[]>()
  let bytes = 0
  let more = false
  for (const line of lines) {
    let count = 0
    for (; count < line.waiting.length && bytes < COMMIT_BYTES_MAX; count++) {
      const message = line.waiting[count]!
      const fault = faultIn(message.bytes)
      if (fault === null) taken.push(message.bytes)
      else broken.set(line, [...(broken.get(line) ?? []), { id: message.id, message: fault }])
      bytes += message.bytes.length
      line.through = message.id
    }
    line.waiting.splice(0, count)
    more ||= line.waiting.length > 0
  }
  const failed = commit(taken)
  for (const line of lines) {
    line.tell({ kind: 'commit', through: line.through, failed, broken: broken.get(line) ?? [] })
  }
  if (more) schedule()
}

/** Why it could not be committed, or null. */
function commit(taken: readonly Uint8Array[]): string | null {
  if (log === null || clock === null) return 'the log is not open'
  try {
    log.appendSync(joined(taken), clock.now())
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** One broken append is refused alone, not all that share its commit. */
function faultIn(bytes: Uint8Array): string | null {
  try {
    checkRecords(bytes, log?.partitions ?? 0)
    return null
  } catch (error) {
    if (error instanceof BrokenRecord) return error.message
    throw error
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function close(): void {
  while ([...lines].some(line => line.waiting.length > 0)) commitWaiting()
  log?.closeSync()
  log = null
  self.postMessage({ kind: 'closed' })
}
