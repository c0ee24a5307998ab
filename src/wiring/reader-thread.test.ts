import { afterEach, beforeEach, expect, test } from 'bun:test'
import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import { AD, ADVERTISER, impression, NOW, TestStore } from '../adapters/sqlite/queries-test-store.ts'
import { EntryKind } from '../billing/entry.ts'
import type { Queries } from '../ports/control.ts'
import { readerClient } from './reader-client.ts'

let store: TestStore
let thread: Worker
let queries: Queries
beforeEach(() => {
  store = new TestStore()
  thread = new Worker(new URL('./reader-thread.ts', import.meta.url).href)
  thread.postMessage({ kind: 'open', storePath: store.path, time: new LeadingClock(machineClocks(0)).shared })
  queries = readerClient(thread)
})
afterEach(() => {
  thread.terminate()
  store.close()
})

test('queries are answered by the thread from what is committed by then', async () => {
  expect(await queries.verify()).toMatchObject({ ok: true, entries: 0 })
  store.entry(0, { kind: EntryKind.deposit, advertiser: ADVERTISER, amount: 5, at: NOW })
  store.charge(0, NOW, impression(NOW))
  expect(await queries.verify()).toMatchObject({ ok: true, entries: 2 })
  const many = await Promise.all(Array.from({ length: 50 }, () => queries.charge(impression(NOW).id)))
  for (const charge of many) expect(charge).toMatchObject({ state: 'charged' })
})

test('a query for too much is refused, and the next one answered', async () => {
  const tooMuch = queries.aggregates({ ad: AD, start: 0, end: NOW, granularity: 'minute' })
  expect(await tooMuch.catch(error => error)).toMatchObject({ name: 'QueryRefused', status: 422 })
  expect(await queries.entity('campaign', 1)).toBeNull()
})

test('more queries than may wait are refused', async () => {
  const asked = Array.from({ length: 1001 }, () => queries.balances())
  expect(await asked.at(-1)!.catch(error => error)).toMatchObject({ name: 'QueryRefused', status: 503 })
  await Promise.all(asked.slice(0, -1))
})
