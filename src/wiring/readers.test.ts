import { afterEach, beforeEach, expect, test } from 'bun:test'
import { LeadingClock, machineClocks } from '../adapters/clock.ts'
import { AD, ADVERTISER, NOW, TestStore } from '../adapters/sqlite/queries-test-store.ts'
import { EntryKind } from '../billing/entry.ts'
import { MINUTE_MS } from '../core/time.ts'
import { oneAtATime, openReaders } from './readers.ts'

let store: TestStore
let readers: ReturnType<typeof openReaders>
beforeEach(() => {
  store = new TestStore()
  readers = openReaders({ storePath: store.path, time: new LeadingClock(machineClocks(0)).shared })
})
afterEach(() => {
  readers.close()
  store.close()
})

const MONTH = { ad: AD, start: NOW, end: NOW + 50_000 * MINUTE_MS, granularity: 'minute' } as const

test('an entity is looked up while a long report is made and while the ledger is verified', async () => {
  await Promise.all([readers.queries.entity('campaign', 1), readers.queries.balances()])
  const { queries } = readers
  const answered: string[] = []
  const note = (name: string) => () => answered.push(name)
  await Promise.all([
    ...Array.from({ length: 5 }, () => queries.aggregates(MONTH).then(note('report'))),
    queries.verify().then(note('verify')),
    queries.entity('campaign', 1).then(note('entity')),
  ])
  // Asked last: on a thread with them it would be answered last.
  const place = answered.indexOf('entity')
  expect(place).toBeLessThan(answered.lastIndexOf('report'))
  expect(place).toBeLessThan(answered.indexOf('verify'))
})

test('an entity is looked up while the whole ledger is gone through for the entries of an account', async () => {
  const { queries } = readers
  await Promise.all([queries.entity('campaign', 1), queries.realtime({ ad: AD, windowMs: MINUTE_MS })])
  const answered: string[] = []
  const note = (name: string) => () => answered.push(name)
  const entriesOf = (account: string | null) =>
    queries.entries({ account, chain: null, after: null, limit: 1 })
  await Promise.all([
    queries.aggregates(MONTH),
    entriesOf('cash').then(note('of an account')),
    entriesOf(null).then(note('a page')),
    queries.entity('campaign', 1).then(note('entity')),
  ])
  expect(answered).toEqual(['a page', 'entity', 'of an account'])
})

test('whoever asks for a verification is told of what was committed before', async () => {
  const { queries } = readers
  const before = queries.verify()
  store.entry(0, { kind: EntryKind.deposit, advertiser: ADVERTISER, amount: 5, at: NOW })
  const after = [queries.verify(), queries.verify()]
  expect(await before).toMatchObject({ ok: true })
  for (const verified of await Promise.all(after)) expect(verified).toMatchObject({ ok: true, entries: 1 })
})

test('a query of a reader that has failed is answered, whenever it is asked', async () => {
  const time = new LeadingClock(machineClocks(0)).shared
  const { queries, close } = openReaders({ storePath: `${store.path}.missing`, time })
  try {
    const ask = () => queries.entity('campaign', 1).catch((error: Error) => error.message)
    expect(await ask()).toStartWith('the reader failed')
    expect(await Promise.race([ask(), Bun.sleep(1000)])).toStartWith('the reader failed')
    expect(await queries.verify().catch((error: Error) => error.message)).toStartWith('the reader failed')
  } finally {
    close()
  }
})

test('runs come one after the other, each shared by those who asked during the one before', async () => {
  const runs: PromiseWithResolvers<number>[] = []
  const ask = oneAtATime(() => {
    runs.push(Promise.withResolvers())
    return runs.at(-1)!.promise
  })
  const first = ask()
  await Bun.sleep(0)
  const second = [ask(), ask()]
  await Bun.sleep(0)
  expect(runs).toHaveLength(1)
  runs[0]!.reject(new Error('it failed'))
  expect(await first.catch(error => error.message)).toBe('it failed')
  await Bun.sleep(0)
  expect(runs).toHaveLength(2)
  runs[1]!.resolve(2)
  expect(await Promise.all(second)).toEqual([2, 2])
  const third = ask()
  await Bun.sleep(0)
  runs[2]!.resolve(3)
  expect(await third).toBe(3)
})
