import { afterEach, beforeEach, expect, jest, test } from 'bun:test'
import { SECONDS_SHOWN } from '../console/live-figures.ts'
import { Counters } from './edge/counters.ts'
import { LiveSeconds } from './live-seconds.ts'
import { newStatus } from './status.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

function started() {
  const counters = new Counters()
  const status = newStatus()
  return { counters, status, live: new LiveSeconds(counters, status) }
}

test('a page gets each second once, as what happened in it', () => {
  const { counters, status, live } = started()
  counters.add('bids', 5)
  jest.advanceTimersByTime(1000)
  counters.add('bids', 7)
  status.charged += 3
  status.refused['tooSoon'] = 2
  jest.advanceTimersByTime(1000)
  const first = live.figures(0)
  expect(first.seconds.map(({ served, charged, refused }) => [served, charged, refused])).toEqual([
    [5, 0, 0],
    [7, 3, 2],
  ])
  expect(live.figures(first.second).seconds).toEqual([])
  jest.advanceTimersByTime(1000)
  expect(live.figures(first.second).seconds).toHaveLength(1)
  live.stop()
})

test('a page that knows a later second, of an earlier start, gets all there is', () => {
  const { live } = started()
  jest.advanceTimersByTime(3000)
  expect(live.figures(4000).seconds).toHaveLength(3)
  live.stop()
})

test('who names no second gets none; no more are kept than are drawn', () => {
  const { live } = started()
  jest.advanceTimersByTime((SECONDS_SHOWN + 20) * 1000)
  expect(live.figures(null).seconds).toEqual([])
  expect(live.figures(0).seconds).toHaveLength(SECONDS_SHOWN)
  live.stop()
})
