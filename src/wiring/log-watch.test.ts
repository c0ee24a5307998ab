import { expect, test } from 'bun:test'
import { Counters } from '../http/edge/counters.ts'
import { newStatus } from '../http/status.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { LogWatch } from './log-watch.ts'

const NOW = Date.UTC(2026, 10, 1)

/** A log whose commits the test answers, and what watches it. */
function watched() {
  const commits: PromiseWithResolvers<void>[] = []
  const log = {
    buffer: new RecordBuffer(),
    flushed: () => {
      const commit = Promise.withResolvers<void>()
      commits.push(commit)
      return commit.promise
    },
  }
  const status = newStatus()
  const counters = new Counters()
  const decider = { isStopped: false }
  const watch = new LogWatch({ log, clock: { now: () => NOW }, counters, status, decider })
  return { commits, status, counters, decider, watch }
}

test('is not ready from the first event that was lost until the log takes a record', async () => {
  const { commits, status, counters, watch } = watched()
  watch.look()
  expect([status.recording, commits.length]).toEqual([true, 0])
  counters.add('lost')
  watch.look()
  expect([status.recording, commits.length]).toEqual([false, 1])
  commits[0]!.reject(new Error('the disk is full'))
  await Bun.sleep(0)
  expect(status.recording).toBe(false)
  watch.look()
  commits[1]!.resolve()
  await Bun.sleep(0)
  expect([status.recording, status.problem]).toEqual([true, null])
})

test('is not ready again while nothing is decided, though the log takes a record', async () => {
  const { commits, status, counters, decider, watch } = watched()
  counters.add('lost')
  watch.look()
  // The disk that was full for the log was so for the store.
  decider.isStopped = true
  Object.assign(status, { recording: false, problem: 'the store is full' })
  commits[0]!.resolve()
  await Bun.sleep(0)
  expect([status.recording, status.problem]).toEqual([false, 'the store is full'])
  decider.isStopped = false
  watch.look()
  commits[1]!.resolve()
  await Bun.sleep(0)
  expect([status.recording, status.problem]).toEqual([true, null])
})
