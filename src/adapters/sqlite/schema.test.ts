import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { EntryKind } from '../../billing/entry.ts'
import { formatId } from '../../core/ids.ts'
import { SqliteQueries } from './queries.ts'
import { impression, NOW, shownItem, TestStore } from './queries-test-store.ts'
import { ReadStore } from './read-store.ts'
import { SqliteStore } from './store.ts'

let store: TestStore
beforeEach(() => {
  store = new TestStore()
  store.entry(0, { kind: EntryKind.deposit, at: NOW, advertiser: 256, amount: 10_000_000 })
  store.rollup(NOW, { impressions: 2, spend: 7 })
  block = store.block(0, NOW + 2000, [
    shownItem(impression(NOW, 1), NOW + 300),
    shownItem(impression(NOW, 2), NOW + 400),
  ])
})
afterEach(() => store.close())

let block: number

/** Makes the tables what version 1 had: the items of a block in a row of their own. */
function downgrade(db: Database): void {
  db.run(`
    CREATE TABLE block (number INTEGER PRIMARY KEY, items BLOB NOT NULL, postings TEXT NOT NULL) STRICT;
    INSERT INTO block SELECT number, items, postings FROM entry WHERE kind = 2;
    ALTER TABLE entry DROP COLUMN items;
    ALTER TABLE entry DROP COLUMN postings;
    DROP TABLE token_repeat;
    DROP INDEX bits_issued;
    ALTER TABLE rollup RENAME TO rollup_now;
    CREATE TABLE rollup (
      minute INTEGER NOT NULL, ad INTEGER NOT NULL, placement INTEGER NOT NULL,
      country INTEGER NOT NULL, device INTEGER NOT NULL,
      campaign INTEGER NOT NULL, advertiser INTEGER NOT NULL, publisher INTEGER NOT NULL,
      impressions INTEGER NOT NULL, clicks INTEGER NOT NULL, charges INTEGER NOT NULL,
      spend INTEGER NOT NULL, rejected INTEGER NOT NULL,
      PRIMARY KEY (minute, ad, placement, country, device)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO rollup SELECT * FROM rollup_now;
    DROP TABLE rollup_now;
    UPDATE meta SET value = '1' WHERE name = 'schema'`)
}

async function ledger(path: string) {
  const reading = new ReadStore(path)
  const queries = new SqliteQueries(reading, { now: () => NOW })
  const found = {
    verified: await queries.verify(),
    charges: await queries.entryCharges(formatId('entry', block)),
    columns: reading.all('SELECT * FROM entry'),
    rollups: reading.all('SELECT * FROM rollup'),
    keys: reading.all(
      "SELECT sql FROM sqlite_master WHERE name = 'rollup' AND sql LIKE '%placement, publisher%'",
    ).length,
  }
  reading.close()
  return found
}

test('a data folder of version 1 is brought up to date, and its ledger and figures are the same', async () => {
  const before = await ledger(store.path)
  expect(before.verified).toMatchObject({ ok: true, entries: 2 })
  expect([before.rollups.length, before.keys]).toEqual([1, 1])
  expect(before.charges!.items.length).toBe(2)
  downgrade(store.db)
  new SqliteStore(store.path, 2).close()
  expect(await ledger(store.path)).toEqual(before)
  // Once: the next start finds it as it should be.
  new SqliteStore(store.path, 2).close()
  expect(await ledger(store.path)).toEqual(before)
})

test('a data folder of an earlier version is not misread by who may not write', () => {
  downgrade(store.db)
  expect(() => new ReadStore(store.path)).toThrow(
    'an earlier version of Farthing. `farthing serve` brings it',
  )
})

test('a data folder of a later version is refused, and left as it is', () => {
  store.db.run("UPDATE meta SET value = '99' WHERE name = 'schema'")
  expect(() => new SqliteStore(store.path, 2)).toThrow('a newer version of Farthing')
  expect(() => new ReadStore(store.path)).toThrow('a newer version of Farthing')
  const kept = new Database(store.path, { readonly: true })
  expect(kept.query('SELECT value FROM meta').all()).toEqual([{ value: '99' }])
  kept.close()
})
