import { expect, test } from 'bun:test'
import { LogUnavailable } from '../../ports/event-log.ts'
import { HEADER_BYTES, RecordKind, readHeader } from '../../records/record.ts'
import { LogAppender } from './log-appender.ts'
import type { AppendMessage } from './log-messages.ts'

const immediate = () => new Promise<void>(resolve => setImmediate(resolve))

/** An appender with all that it posted, and the log's answers in the hands of the test. */
function line() {
  const posted: AppendMessage[] = []
  const appender = new LogAppender(1, message => posted.push(message))
  return {
    posted,
    appender,
    write: (payloadBytes = 10) => {
      appender.buffer.begin(RecordKind.tick, 0, 0, payloadBytes)
      return appender.flushed()
    },
    answer: (through: number, failed: string | null = null) =>
      appender.answered({ kind: 'commit', through, failed, broken: [] }),
  }
}

function recordsIn({ bytes }: AppendMessage): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let at = 0; at < bytes.length; count++) at += readHeader(view, at).length
  return count
}

test('what comes while a commit is under way leaves with one message when that is answered', async () => {
  const { posted, write, answer } = line()
  const first = write()
  await immediate()
  expect(posted).toHaveLength(1)
  const later = [write()]
  await immediate()
  later.push(write())
  await immediate()
  expect(posted).toHaveLength(1)
  answer(1)
  await first
  expect(posted.map(recordsIn)).toEqual([1, 2])
  expect(later[0]).toBe(later[1]!)
  let resolved = false
  void later[0]!.then(() => {
    resolved = true
  })
  await immediate()
  expect(resolved).toBe(false)
  answer(2)
  await Promise.all(later)
})

test('an answer to others sends nothing, and a failure is told to those whose records it was', async () => {
  const { posted, write, answer } = line()
  const first = write()
  await immediate()
  const second = write()
  answer(0)
  expect(posted).toHaveLength(1)
  answer(1, 'the disk is full')
  expect(await first.catch(error => error)).toBeInstanceOf(LogUnavailable)
  expect(posted).toHaveLength(2)
  answer(2)
  await second
})

test('what has gathered to a megabyte does not wait for the commit under way', async () => {
  const { posted, write, answer } = line()
  const first = write()
  await immediate()
  const large = (1 << 19) - HEADER_BYTES
  const half = write(large)
  expect(posted).toHaveLength(1)
  expect(write(large)).toBe(half)
  expect(posted.map(recordsIn)).toEqual([1, 2])
  const last = write()
  await immediate()
  answer(1)
  await first
  expect(posted).toHaveLength(2)
  answer(2)
  await half
  expect(posted).toHaveLength(3)
  answer(3)
  await last
})

test('once it has ended it says that it is overloaded, so that nobody writes what would never leave', async () => {
  const { appender, write } = line()
  const waiting = write()
  appender.end('the thread is gone')
  expect([appender.overloaded, appender.buffer.byteLength]).toEqual([true, 0])
  await expect(waiting).rejects.toThrow(LogUnavailable)
  await expect(appender.flushed()).rejects.toThrow(LogUnavailable)
})
