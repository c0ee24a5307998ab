import { blockPostings, ITEM_BYTES, itemBody, itemJcs, readItems } from '../../billing/block.ts'
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
import { inSnapshot } from './queries-snapshot.ts'
import type { ReadStore } from './read-store.ts'

/** What is chained of an entry; a block's items are read where they are asked for. */
type Entry = Omit<EntryRow, 'items'>

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

/** All but the items of a block, which may be as large as a second is busy. */
const SELECT = `SELECT number, at, kind, event, event_second, advertiser, campaign, ad, publisher, placement, currency,
  amount, publisher_amount, fee_amount, received_at, country, device, note, lower(hex(charges_root)) AS root,
  lower(hex(hash)) AS hash, postings FROM entry`

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
  if (filter.chain !== null && !/^\d{1,3}$/.test(filter.chain)) return { items: [], nextCursor: null }
  const chain = filter.chain === null ? null : Number(filter.chain)
  const after = filter.after === null ? -1 : placeOf(filter.after, chain)
  const from = Math.max(after + 1, chain === null ? 0 : chain * CHAIN_STRIDE)
  const to = chain === null ? Number.MAX_SAFE_INTEGER : (chain + 1) * CHAIN_STRIDE - 1
  const items: object[] = []
  const posts = filter.account === null ? EVERY_ENTRY : entriesThatMayPostTo(filter.account)
  if (posts === null) return { items: [], nextCursor: null }
  const rows = store.each<StoredEntry>(
    `${SELECT} WHERE number BETWEEN ? AND ? AND ${posts.condition} ORDER BY number`,
    from,
    to,
    ...posts.values,
  )
  let last: string | null = null
  for (const stored of rows) {
    const row = rowOf(stored)
    if (filter.account !== null && !row.postings.some(({ account }) => account === filter.account)) continue
    if (items.length === filter.limit) return { items, nextCursor: last }
    items.push(shownEntry(store, row))
    last = formatId('entry', row.number)
  }
  return { items, nextCursor: null }
}

/** The kind is a part of the text: the index is of deposits alone, and a value that is bound might be another. */
export const DEPOSITS = `SELECT number, amount, currency, received_at FROM entry
  WHERE kind = ${EntryKind.deposit} AND advertiser = ? AND number > ? ORDER BY number LIMIT ?`

/** What an advertiser paid in, oldest first. */
export function deposits(
  store: ReadStore,
  advertiser: number,
  page: { readonly limit: number; readonly after: number },
): EntityPage {
  const rows = store.all<{ number: number; amount: number; currency: string; received_at: number }>(
    DEPOSITS,
    advertiser,
    page.after,
    page.limit + 1,
  )
  const shown = rows.slice(0, page.limit)
  return {
    items: shown.map(row => ({
      id: formatId('deposit', row.number),
      advertiserId: formatId('advertiser', advertiser),
      amountMicros: row.amount,
      currency: row.currency,
      entryId: formatId('entry', row.number),
      createdAt: rfc3339(row.received_at),
    })),
    nextCursor: rows.length > page.limit ? String(shown.at(-1)!.number) : null,
  }
}

export function entry(store: ReadStore, entryId: string): object | null {
  const number = parseId('entry', entryId)
  const stored = number === null ? null : store.one<StoredEntry>(`${SELECT} WHERE number = ?`, number)
  return stored === null ? null : shownEntry(store, rowOf(stored))
}

function shownEntry(store: ReadStore, row: Entry): object {
  return { ...entryBody(row, hashBefore(store, row.number)), hash: row.hash }
}

/** Of an entry's id, or of a sequence within a chain. */
function placeOf(after: string, chain: number | null): number {
  return parseId('entry', after) ?? (chain ?? 0) * CHAIN_STRIDE + Number(after)
}

const EVERY_ENTRY = { condition: '1', values: [] as (string | number)[] }

/** Leaves to JavaScript few entries that do not post to the account; null where none can. */
function entriesThatMayPostTo(account: string): typeof EVERY_ENTRY | null {
  if (account === 'cash') return { condition: 'kind = ?', values: [EntryKind.deposit] }
  if (account === 'fee') return EVERY_ENTRY
  const [owner, id = ''] = account.split(':')
  if (owner !== 'advertiser' && owner !== 'campaign' && owner !== 'publisher') return null
  const number = owner === 'publisher' && id === 'unknown' ? 0 : parseId(owner, id)
  if (number === null) return null
  return {
    condition: `(${owner} = ? OR instr(postings, ?) > 0)`,
    values: [number, JSON.stringify(account)],
  }
}

export function entryCharges(store: ReadStore, entryId: string): { items: readonly unknown[] } | null {
  const number = parseId('entry', entryId)
  if (number === null) return null
  const items = itemsOf(store, number)
  return items === null ? null : { items: readItems(items).map(itemBody) }
}

/** Null where the entry is no block. */
function itemsOf(store: ReadStore, number: number): Uint8Array | null {
  const row = store.one<{ items: Uint8Array | null }>('SELECT items FROM entry WHERE number = ?', number)
  return row?.items ?? null
}

interface Fault {
  readonly entryId: string
  readonly reason: string
}

/** Goes through all chains: hashes, Merkle roots, sums, and the accounts that they add up to. */
export function verify(store: ReadStore) {
  return inSnapshot(store, () => readThrough(store))
}

function readThrough(store: ReadStore) {
  // Cash is the sum of all that advertisers paid in, and may exceed what a number holds exactly.
  const sums = new Map<string, bigint>()
  const heads: { chain: string; sequence: number; hash: string }[] = []
  let count = 0
  let firstBroken: Fault | null = null
  let chain = -1
  let sequence = 0
  let hash = ZERO_HASH
  const closeChain = () => {
    if (chain >= 0) heads.push({ chain: String(chain), sequence, hash })
  }
  for (const stored of store.each<StoredEntry>(`${SELECT} ORDER BY number`)) {
    const ofChain = Math.floor(stored.number / CHAIN_STRIDE)
    if (ofChain !== chain) {
      closeChain()
      chain = ofChain
      sequence = 0
      hash = ZERO_HASH
    }
    count++
    const { row, reason } = checked(store, stored, { sequence, hash })
    if (reason !== null) firstBroken ??= { entryId: formatId('entry', stored.number), reason }
    sequence = stored.number - chain * CHAIN_STRIDE
    hash = stored.hash
    for (const { account, amountMicros } of row?.postings ?? []) {
      const key = `${account}\n${stored.currency}`
      sums.set(key, (sums.get(key) ?? 0n) + BigInt(amountMicros))
    }
  }
  closeChain()
  firstBroken ??= accountFault(store, sums)
  let sum = 0n
  for (const of of sums.values()) sum += of
  const sumMicros = Number(sum)
  return { ok: firstBroken === null && sum === 0n, entries: count, sumMicros, heads, firstBroken }
}

/** What was changed may be such that no entry can be made of it: that is found, not thrown. */
function checked(store: ReadStore, stored: StoredEntry, before: { sequence: number; hash: string }) {
  let row: Entry | null = null
  try {
    row = rowOf(stored)
    return { row, reason: faultOf(store, row, before) }
  } catch (error) {
    return { row, reason: `it cannot be read: ${(error as Error).message}` }
  }
}

function faultOf(store: ReadStore, row: Entry, before: { sequence: number; hash: string }): string | null {
  const sequence = row.number % CHAIN_STRIDE
  if (sequence !== before.sequence + 1) return 'an entry before it is missing'
  if (row.postings.reduce((sum, { amountMicros }) => sum + amountMicros, 0) !== 0)
    return 'its postings do not sum to zero'
  if (row.kind === EntryKind.impressions) {
    const reason = blockFault(store, row)
    if (reason !== null) return reason
  }
  return entryHash(before.hash, entryJcsOf(row, before.hash)) === row.hash
    ? null
    : 'its hash is not that of its content'
}

function blockFault(store: ReadStore, row: Entry): string | null {
  const bytes = itemsOf(store, row.number)
  if (bytes === null) return 'its charges are missing'
  const items = readItems(bytes)
  // A part of a row, or of a millisecond, is in no leaf: the root would not show it.
  if (bytes.length % ITEM_BYTES !== 0 || !items.every(({ at }) => Number.isInteger(at)))
    return 'its charges are not rows as they are written'
  if (merkleRoot(items.map(itemJcs)) !== row.chargesRoot) return 'its charges do not have its Merkle root'
  return JSON.stringify(blockPostings(items)) === JSON.stringify(row.postings)
    ? null
    : 'its charges do not add up to its postings'
}

function accountFault(store: ReadStore, sums: ReadonlyMap<string, bigint>): Fault | null {
  const kept = new Map<string, bigint>()
  for (const row of store.all<{ account: string; currency: string; balance: string }>(
    'SELECT account, currency, CAST(sum(balance) AS TEXT) AS balance FROM account GROUP BY account, currency',
  )) {
    kept.set(`${row.account}\n${row.currency}`, BigInt(row.balance))
  }
  for (const key of new Set([...sums.keys(), ...kept.keys()])) {
    if ((sums.get(key) ?? 0n) === (kept.get(key) ?? 0n)) continue
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

function rowOf(stored: StoredEntry): Entry {
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
