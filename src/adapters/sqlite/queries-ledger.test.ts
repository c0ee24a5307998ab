import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { itemJcs, readItems } from '../../billing/block.ts'
import { canonicalJson, entryHash, ZERO_HASH } from '../../billing/chain.ts'
import { CHAIN_STRIDE, EntryKind } from '../../billing/entry.ts'
import { merkleRoot } from '../../billing/merkle.ts'
import { formatId } from '../../core/ids.ts'
import { DEPOSITS } from './queries-ledger.ts'
import { ADVERTISER, impression, NOW, shownItem, TestStore } from './queries-test-store.ts'

let store: TestStore
let block: number
beforeEach(() => {
  store = new TestStore()
  const deposit = { kind: EntryKind.deposit, advertiser: ADVERTISER, amount: 10_000_000 }
  store.entry(0, { ...deposit, at: NOW })
  store.charge(0, NOW + 1000, impression(NOW, 1))
  block = store.block(
    0,
    NOW + 3000,
    [10, 11, 12].map(serial => shownItem(impression(NOW, serial), NOW + 2000)),
  )
  store.charge(0, NOW + 4000, impression(NOW, 2))
  store.charge(2, NOW + 1000, impression(NOW, 3, 2))
})
afterEach(() => store.close())

const all = { account: null, chain: null, after: null, limit: 200 }
type Entry = Record<string, unknown> & { id: string; hash: string; prevHash: string; chain: string }
const entries = async (filter: object = {}) => {
  const page = await store.queries.entries({ ...all, ...filter })
  return { items: page.items as Entry[], nextCursor: page.nextCursor }
}
const verified = async () =>
  (await store.queries.verify()) as {
    ok: boolean
    entries: number
    sumMicros: number
    heads: unknown[]
    firstBroken: { entryId: string; reason: string } | null
    asOf: string
  }

describe('entries', () => {
  test('an outsider can hash them again from what the API shows', async () => {
    const { items } = await entries()
    expect(items.map(({ chain, sequence }) => [chain, sequence])).toEqual([
      ['0', 1],
      ['0', 2],
      ['0', 3],
      ['0', 4],
      ['2', 1],
    ])
    const last = new Map<string, string>()
    for (const { hash, ...unhashed } of items) {
      expect(unhashed.prevHash).toBe(last.get(unhashed.chain) ?? ZERO_HASH)
      expect(entryHash(unhashed.prevHash, canonicalJson(JSON.parse(JSON.stringify(unhashed))))).toBe(hash)
      last.set(unhashed.chain, hash)
    }
    expect(items.map(({ kind }) => kind)).toEqual(['deposit', 'charge', 'impressions', 'charge', 'charge'])
  })

  test('of a block show the root of its charges', async () => {
    const charges = await store.queries.entryCharges(formatId('entry', block))
    expect(charges!.items.length).toBe(3)
    const leaves = charges!.items.map(item => canonicalJson(JSON.parse(JSON.stringify(item))))
    const shown = (await entries()).items[2]!
    expect(shown['chargesRoot']).toBe(merkleRoot(leaves))
    const stored = store.reading.one<{ items: Uint8Array }>('SELECT items FROM entry WHERE kind = 2')
    expect(readItems(stored!.items).map(itemJcs)).toEqual(leaves)
    expect(await store.queries.entryCharges((await entries()).items[0]!.id)).toBeNull()
    expect(await store.queries.entryCharges('ent_zzz')).toBeNull()
    expect(await store.queries.entryCharges('nonsense')).toBeNull()
  })

  test('come in pages that leave nothing out', async () => {
    const whole = (await entries()).items.map(({ id }) => id)
    const seen: string[] = []
    let after: string | null = null
    do {
      const page = await entries({ after, limit: 2 })
      seen.push(...page.items.map(({ id }) => id))
      after = page.nextCursor
    } while (after !== null)
    expect(seen).toEqual(whole)
    expect((await entries({ limit: whole.length })).nextCursor).toBeNull()
  })

  test('are those of a chain, or of an account', async () => {
    expect((await entries({ chain: '2' })).items.length).toBe(1)
    expect((await entries({ chain: '0' })).items.length).toBe(4)
    for (const chain of ['1', '7', 'x', '0.5', '-1', '1e400']) {
      expect((await entries({ chain })).items).toEqual([])
    }
    const of = async (account: string) => (await entries({ account })).items.length
    expect(await of('advertiser:adv_74')).toBe(5)
    expect(await of('campaign:cmp_e8')).toBe(3)
    expect(await of('publisher:pub_sg')).toBe(4)
    expect(await of('publisher:unknown')).toBe(0)
    expect(await of('fee')).toBe(4)
    expect(await of('cash')).toBe(1)
    expect(await of('advertiser:adv_zz')).toBe(0)
    expect(await of('nobody')).toBe(0)
  })
})

test('balances are sums over the partitions, and zero in all', async () => {
  const { items } = (await store.queries.balances()) as {
    items: { account: string; currency: string; balanceMicros: number }[]
  }
  expect(items.reduce((sum, { balanceMicros }) => sum + balanceMicros, 0)).toBe(0)
  expect(items.find(({ account }) => account === 'advertiser:adv_74')).toEqual({
    account: 'advertiser:adv_74',
    currency: 'USD',
    balanceMicros: 10_000_000 - 3 * 250_000 - 3000,
  })
})

describe('verify', () => {
  test('finds a sound ledger sound', async () => {
    const { items } = await entries()
    expect(await verified()).toEqual({
      ok: true,
      entries: 5,
      sumMicros: 0,
      heads: [
        { chain: '0', sequence: 4, hash: items[3]!.hash },
        { chain: '2', sequence: 1, hash: items[4]!.hash },
      ],
      firstBroken: null,
      asOf: '2026-11-24T12:00:00.000Z',
    })
  })

  test('of an empty ledger is sound', async () => {
    const empty = new TestStore()
    expect(await empty.queries.verify()).toEqual({
      ok: true,
      entries: 0,
      sumMicros: 0,
      heads: [],
      firstBroken: null,
      asOf: '2026-11-24T12:00:00.000Z',
    })
    empty.close()
  })

  test('adds up sums that no number holds exactly', async () => {
    const rich = new TestStore()
    for (let partition = 0; partition < 3; partition++) {
      const of = { advertiser: ADVERTISER + partition, amount: Number.MAX_SAFE_INTEGER }
      rich.entry(partition, { kind: EntryKind.deposit, at: NOW, ...of })
    }
    expect(await rich.queries.verify()).toMatchObject({ ok: true, sumMicros: 0, firstBroken: null })
    rich.close()
  })

  const changes: [name: string, sql: string, sequence: number | null][] = [
    ['an amount', 'UPDATE entry SET amount = amount + 1 WHERE number = 2', 2],
    ['a time', 'UPDATE entry SET at = at + 1 WHERE number = 2', 2],
    ['a time that is none', 'UPDATE entry SET at = 9000000000000000 WHERE number = 2', 2],
    ['an event', `UPDATE entry SET event = 'other' WHERE number = 2`, 2],
    ['a currency', `UPDATE entry SET currency = 'EUR' WHERE number = 1`, 1],
    ['a kind', 'UPDATE entry SET kind = 3 WHERE number = 2', 2],
    ['a kind that is none', 'UPDATE entry SET kind = 9 WHERE number = 2', 2],
    ['a campaign', 'UPDATE entry SET campaign = campaign + 256 WHERE number = 4', 4],
    ['a hash', `UPDATE entry SET hash = zeroblob(32) WHERE number = 2`, 2],
    ['a hash cut short', `UPDATE entry SET hash = x'00' WHERE number = 2`, 2],
    ['a root', 'UPDATE entry SET charges_root = zeroblob(32) WHERE number = 3', 3],
    ['a missing entry', 'DELETE FROM entry WHERE number = 2', 3],
    ['missing items', 'UPDATE entry SET items = NULL WHERE kind = 2', 3],
    ['postings of a block', `UPDATE entry SET postings = replace(postings, 'fee', 'cash') WHERE kind = 2`, 3],
    ['postings that are no JSON', `UPDATE entry SET postings = 'x' WHERE kind = 2`, 3],
    ['a balance', `UPDATE account SET balance = balance + 1 WHERE account = 'fee' AND partition = 2`, null],
    ['a missing account', `DELETE FROM account WHERE account = 'cash'`, null],
  ]
  test.each(changes)('finds %s that was changed', async (_name, sql, sequence) => {
    store.db.run(sql)
    const found = await verified()
    expect(found.ok).toBe(false)
    expect(found.firstBroken!.reason).not.toBe('')
    expect(found.firstBroken!.entryId).toBe(sequence === null ? '' : formatId('entry', sequence))
  })

  test('finds any changed byte of an item that is billed by', async () => {
    const row = store.reading.one<{ items: Uint8Array }>('SELECT items FROM entry WHERE kind = 2')!
    for (let at = 0; at < 72; at++) {
      const items = row.items.slice()
      items[at]! ^= 0xff
      store.db.query('UPDATE entry SET items = ? WHERE kind = 2').run(items)
      expect((await verified()).firstBroken?.entryId).toBe(formatId('entry', block))
    }
    // No row of its own, and so in no leaf.
    store.db
      .query('UPDATE entry SET items = ? WHERE kind = 2')
      .run(Buffer.concat([row.items, Buffer.alloc(1)]))
    expect((await verified()).firstBroken?.entryId).toBe(formatId('entry', block))
    store.db.query('UPDATE entry SET items = ? WHERE kind = 2').run(row.items)
    expect((await verified()).ok).toBe(true)
  })

  test('sees one state of the ledger while the writer goes on', async () => {
    const { reading } = store
    const all = reading.all.bind(reading)
    // The writer commits between the walk over the entries and the look at the accounts.
    reading.all = ((sql: string, ...values: never[]) => {
      if (sql.includes('FROM account')) store.charge(0, NOW + 9000, impression(NOW, 99))
      return all(sql, ...values)
    }) as typeof reading.all
    expect((await verified()).firstBroken).toBeNull()
    reading.all = all
    expect(await verified()).toMatchObject({ ok: true, entries: 6 })
  })

  test('goes by the chain: the first entry has no other before it', async () => {
    expect((await entries({ chain: '2' })).items[0]).toMatchObject({
      id: formatId('entry', 2 * CHAIN_STRIDE + 1),
      prevHash: ZERO_HASH,
    })
  })
})

test('deposits are found by an index of theirs, however many charges lie between them', async () => {
  const paid = { kind: EntryKind.deposit, advertiser: ADVERTISER, currency: 'USD' }
  store.entry(0, { ...paid, at: NOW + 5000, amount: 5 })
  store.entry(0, { ...paid, at: NOW + 6000, amount: 6, advertiser: ADVERTISER + 256 })
  const amounts = (page: { items: readonly unknown[] }) =>
    page.items.map(item => (item as { amountMicros: number }).amountMicros)
  const first = await store.queries.deposits(ADVERTISER, 1, null)
  expect(amounts(first)).toEqual([10_000_000])
  const rest = await store.queries.deposits(ADVERTISER, 1, first.nextCursor)
  expect([amounts(rest), rest.nextCursor]).toEqual([[5], null])
  const plan = store.reading.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${DEPOSITS}`, ADVERTISER, 0, 1)
  expect(plan.map(({ detail }) => detail).join()).toContain('INDEX entry_deposit (advertiser=? AND number>?)')
})
