import { blockPostings, itemBody, itemJcs, readItems } from '../../billing/block.ts'
import { entryHash, ZERO_HASH } from '../../billing/chain.ts'
import {
  CHAIN_STRIDE,
  EntryKind,
  type EntryRow,
  entryBody,
  entryJcsOf,
  postingsOf,
} from '../../billing/entry.ts'
import { merkleRoot } from '../../billing/merkle.ts'
import { formatId, parseId } from '../../core/ids.ts'
import { rfc3339 } from '../../core/time.ts'
import type { EntityPage } from '../../ports/control.ts'
import type { ReadStore } from './read-store.ts'

interface StoredEntry {
  number: number
  at: number
  kind: number
  event: string | null
  event_second: number | null
  advertiser: number
  campaign: number
  ad: number
  publisher: number
  placement: number
  currency: string
  amount: number
  publisher_amount: number
  fee_amount: number
  received_at: number
  country: number
  device: number
  note: string | null
  root: string | null
  hash: string
  postings: string | null
}

const SELECT = `SELECT entry.*, lower(hex(entry.hash)) AS hash, lower(hex(entry.charges_root)) AS root, block.postings
  FROM entry LEFT JOIN block ON block.number = entry.number`

export function balances(store: ReadStore, now: number) {
  const rows = store.all<{ account: string; currency: string; balance: number }>(
    'SELECT account, currency, sum(balance) AS balance FROM account GROUP BY account, currency ORDER BY account, currency',
  )
  return {
    items: rows.map(row => ({ account: row.account, currency: row.currency, balanceMicros: row.balance })),
    asOf: rfc3339(now),
  }
}

/** Entries in chain order, chains one after the other. `after` is an entry's id. */
export function entries(
  store: ReadStore,
  filter: {
    readonly account: string | null
    readonly chain: string | null
    readonly after: string | null
    readonly limit: number
  },
): EntityPage {
  const after = filter.after === null ? -1 : (parseId('entry', filter.after) ?? -1)
  const chain = filter.chain === null ? null : Number(filter.chain)
  const from = Math.max(after + 1, chain === null ? 0 : chain * CHAIN_STRIDE)
  const to = chain === null ? Number.MAX_SAFE_INTEGER : (chain + 1) * CHAIN_STRIDE - 1
  const items: object[] = []
  const rows = store.each<StoredEntry>(
    `${SELECT} WHERE entry.number BETWEEN ? AND ? ORDER BY entry.number`,
    from,
    to,
  )
  let last: string | null = null
  for (const stored of rows) {
    const row = rowOf(stored)
    if (filter.account !== null && !row.postings.some(({ account }) => account === filter.account)) continue
    if (items.length === filter.limit) return { items, nextCursor: last }
    items.push({ ...entryBody(row, hashBefore(store, row.number)), hash: row.hash })
    last = formatId('entry', row.number)
  }
  return { items, nextCursor: null }
}

export function entryCharges(store: ReadStore, entryId: string): { items: readonly unknown[] } | null {
  const number = parseId('entry', entryId)
  if (number === null) return null
  const block = store.one<{ items: Uint8Array }>('SELECT items FROM block WHERE number = ?', number)
  return block === null ? null : { items: readItems(block.items).map(itemBody) }
}

/** Goes through all chains: hashes, Merkle roots, sums, and the accounts that they add up to. */
export function verify(store: ReadStore) {
  const sums = new Map<string, number>()
  const heads: { chain: string; sequence: number; hash: string }[] = []
  let count = 0
  let firstBroken: { entryId: string; reason: string } | null = null
  let chain = -1
  let sequence = 0
  let hash = ZERO_HASH
  const closeChain = () => {
    if (chain >= 0) heads.push({ chain: String(chain), sequence, hash })
  }
  for (const stored of store.each<StoredEntry>(`${SELECT} ORDER BY entry.number`)) {
    const row = rowOf(stored)
    const ofChain = Math.floor(row.number / CHAIN_STRIDE)
    if (ofChain !== chain) {
      closeChain()
      chain = ofChain
      sequence = 0
      hash = ZERO_HASH
    }
    count++
    const reason = faultOf(store, row, { sequence, hash })
    if (reason !== null) firstBroken ??= { entryId: formatId('entry', row.number), reason }
    sequence = row.number - chain * CHAIN_STRIDE
    hash = row.hash
    for (const { account, amountMicros } of row.postings) {
      const key = `${account}\n${row.currency}`
      sums.set(key, (sums.get(key) ?? 0) + amountMicros)
    }
  }
  closeChain()
  firstBroken ??= accountFault(store, sums)
  let sumMicros = 0
  for (const sum of sums.values()) sumMicros += sum
  return { ok: firstBroken === null && sumMicros === 0, entries: count, sumMicros, heads, firstBroken }
}

function faultOf(store: ReadStore, row: EntryRow, before: { sequence: number; hash: string }): string | null {
  const sequence = row.number % CHAIN_STRIDE
  if (sequence !== before.sequence + 1) return 'an entry before it is missing'
  if (row.postings.reduce((sum, { amountMicros }) => sum + amountMicros, 0) !== 0)
    return 'its postings do not sum to zero'
  if (row.kind === EntryKind.impressions) {
    const block = store.one<{ items: Uint8Array }>('SELECT items FROM block WHERE number = ?', row.number)
    const items = block === null ? [] : readItems(block.items)
    if (merkleRoot(items.map(itemJcs)) !== row.chargesRoot) return 'its charges do not have its Merkle root'
    if (JSON.stringify(blockPostings(items)) !== JSON.stringify(row.postings))
      return 'its charges do not add up to its postings'
  }
  return entryHash(before.hash, entryJcsOf(row, before.hash)) === row.hash
    ? null
    : 'its hash is not that of its content'
}

function accountFault(
  store: ReadStore,
  sums: ReadonlyMap<string, number>,
): { entryId: string; reason: string } | null {
  const kept = new Map<string, number>()
  for (const row of store.all<{ account: string; currency: string; balance: number }>(
    'SELECT account, currency, sum(balance) AS balance FROM account GROUP BY account, currency',
  )) {
    kept.set(`${row.account}\n${row.currency}`, row.balance)
  }
  for (const key of new Set([...sums.keys(), ...kept.keys()])) {
    if ((sums.get(key) ?? 0) === (kept.get(key) ?? 0)) continue
    return { entryId: '', reason: `account ${key.split('\n')[0]} does not hold what its postings add up to` }
  }
  return null
}

function hashBefore(store: ReadStore, number: number): string {
  if (number % CHAIN_STRIDE === 1) return ZERO_HASH
  const row = store.one<{ hash: string }>(
    'SELECT lower(hex(hash)) AS hash FROM entry WHERE number = ?',
    number - 1,
  )
  return row?.hash ?? ZERO_HASH
}

function rowOf(stored: StoredEntry): EntryRow {
  const row = {
    number: stored.number,
    at: stored.at,
    kind: stored.kind,
    event: stored.event,
    eventSecond: stored.event_second,
    advertiser: stored.advertiser,
    campaign: stored.campaign,
    ad: stored.ad,
    publisher: stored.publisher,
    placement: stored.placement,
    currency: stored.currency,
    amount: stored.amount,
    publisherAmount: stored.publisher_amount,
    feeAmount: stored.fee_amount,
    receivedAt: stored.received_at,
    country: stored.country,
    device: stored.device,
    note: stored.note,
    chargesRoot: stored.root === '' ? null : stored.root,
    hash: stored.hash,
  }
  return { ...row, postings: stored.postings === null ? postingsOf(row) : JSON.parse(stored.postings) }
}
