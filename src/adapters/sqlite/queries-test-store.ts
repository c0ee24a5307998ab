import { Database } from 'bun:sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlockItem, BlockItems, blockPostings, itemJcs, readItems } from '../../billing/block.ts'
import { entryHash, ZERO_HASH } from '../../billing/chain.ts'
import { CHAIN_STRIDE, EntryKind, type EntryRow, entryJcsOf, postingsOf } from '../../billing/entry.ts'
import { merkleRoot } from '../../billing/merkle.ts'
import { formatUuid, writeImpressionId } from '../../core/ids.ts'
import { SqliteQueries } from './queries.ts'
import { ReadStore } from './read-store.ts'
import { makeTables } from './schema.ts'

export const NOW = Date.parse('2026-11-24T12:00:00.000Z')

export const ADVERTISER = 256
export const CAMPAIGN = 512
export const AD = 768
export const PUBLISHER = 1024
export const PLACEMENT = 1280

type Value = string | number | null | Uint8Array

/** A store on disk, filled by SQL, with the queries that read it on a connection of their own. */
export class TestStore {
  readonly db: Database
  readonly reading: ReadStore
  readonly queries: SqliteQueries
  now = NOW
  private readonly folder = mkdtempSync(join(tmpdir(), 'farthing-queries-'))
  readonly path = join(this.folder, 'store.sqlite')
  private readonly heads = new Map<number, { sequence: number; hash: string }>()

  constructor() {
    this.db = new Database(this.path, { create: true })
    this.db.run('PRAGMA journal_mode = WAL')
    this.db.run('PRAGMA synchronous = OFF')
    makeTables(this.db)
    this.reading = new ReadStore(this.path)
    this.queries = new SqliteQueries(this.reading, { now: () => this.now })
  }

  close(): void {
    this.reading.close()
    this.db.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  insert(table: string, row: Record<string, Value>): void {
    const names = Object.keys(row)
    const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`
    this.db.query(sql).run(...Object.values(row))
  }

  entity(kind: string, number: number, doc: object, owner = number): void {
    this.insert('entity', { kind, number, owner, doc: JSON.stringify(doc) })
  }

  money(kind: string, number: number, state: object): void {
    this.insert('money', { kind, number, state: JSON.stringify(state) })
  }

  /** Appends to a chain as the writer does, accounts included. Returns the entry's number. */
  entry(
    partition: number,
    entry: Partial<EntryRow> & { readonly kind: number; readonly at: number },
  ): number {
    const head = this.heads.get(partition) ?? { sequence: 0, hash: ZERO_HASH }
    const number = partition * CHAIN_STRIDE + head.sequence + 1
    const filled = { ...BLANK, receivedAt: entry.at, ...entry, number }
    const row = { ...filled, postings: entry.postings ?? postingsOf(filled) }
    const hash = entryHash(head.hash, entryJcsOf(row, head.hash))
    this.heads.set(partition, { sequence: head.sequence + 1, hash })
    this.insert('entry', {
      number,
      at: row.at,
      kind: row.kind,
      event: row.event,
      event_second: row.eventSecond,
      advertiser: row.advertiser,
      campaign: row.campaign,
      ad: row.ad,
      publisher: row.publisher,
      placement: row.placement,
      currency: row.currency,
      amount: row.amount,
      publisher_amount: row.publisherAmount,
      fee_amount: row.feeAmount,
      received_at: row.receivedAt,
      country: row.country,
      device: row.device,
      note: row.note,
      charges_root: row.chargesRoot === null ? null : Buffer.from(row.chargesRoot, 'hex'),
      hash: Buffer.from(hash, 'hex'),
      postings: row.items === null ? null : JSON.stringify(row.postings),
      items: row.items,
    })
    for (const { account, amountMicros } of row.postings) {
      this.db
        .query(
          `INSERT INTO account (account, currency, partition, balance) VALUES (?, ?, ?, ?)
           ON CONFLICT (account, currency, partition) DO UPDATE SET balance = balance + excluded.balance`,
        )
        .run(account, row.currency, partition, amountMicros)
    }
    return number
  }

  charge(partition: number, at: number, event: { id: string; second: number }): number {
    return this.entry(partition, {
      ...CHARGED,
      kind: EntryKind.charge,
      at,
      event: event.id,
      eventSecond: event.second,
    })
  }

  /** A block of charged impressions that closed at `at`. */
  block(partition: number, at: number, items: readonly BlockItem[]): number {
    const bytes = packed(items)
    return this.entry(partition, {
      kind: EntryKind.impressions,
      at,
      receivedAt: Math.floor(items[0]!.at / 1000) * 1000,
      amount: items.reduce((sum, item) => sum + item.amount, 0),
      publisherAmount: items.reduce((sum, item) => sum + item.publisherAmount, 0),
      feeAmount: items.reduce((sum, item) => sum + item.feeAmount, 0),
      chargesRoot: merkleRoot(readItems(bytes).map(itemJcs)),
      items: bytes,
      postings: blockPostings(items),
    })
  }

  openBlock(partition: number, items: readonly BlockItem[]): void {
    const second = Math.floor(items[0]!.at / 1000)
    this.insert('open_block', { partition, currency: 'USD', second, items: packed(items) })
  }

  transition(
    number: number,
    event: { id: string; second: number },
    said: { kind: number; at: number; state: string; reason: number },
  ): void {
    const of = { campaign: CAMPAIGN, ad: AD, advertiser: ADVERTISER }
    this.insert('transition', { number, event: event.id, event_second: event.second, ...said, ...of })
  }

  rollup(minute: number, figures: Record<string, number>): void {
    const of = {
      ad: AD,
      placement: PLACEMENT,
      country: 0,
      device: 0,
      campaign: CAMPAIGN,
      advertiser: ADVERTISER,
    }
    const none = { impressions: 0, clicks: 0, charges: 0, spend: 0, rejected: 0 }
    this.insert('rollup', { minute, ...of, publisher: PUBLISHER, ...none, ...figures })
  }
}

const CHARGED = {
  advertiser: ADVERTISER,
  campaign: CAMPAIGN,
  ad: AD,
  publisher: PUBLISHER,
  placement: PLACEMENT,
  amount: 250_000,
  publisherAmount: 200_000,
  feeAmount: 50_000,
}

const BLANK: EntryRow = {
  number: 0,
  at: 0,
  kind: 0,
  event: null,
  eventSecond: null,
  advertiser: 0,
  campaign: 0,
  ad: 0,
  publisher: 0,
  placement: 0,
  currency: 'USD',
  amount: 0,
  publisherAmount: 0,
  feeAmount: 0,
  receivedAt: 0,
  country: 0,
  device: 0,
  note: null,
  items: null,
  chargesRoot: null,
  hash: ZERO_HASH,
  postings: [],
}

function packed(items: readonly BlockItem[]): Uint8Array {
  const block = new BlockItems()
  for (const item of items) block.add(item)
  return block.view().slice()
}

export interface TestImpression {
  readonly id: string
  readonly bytes: Uint8Array
  readonly second: number
}

export function impression(chosenAt: number, serial = 0, partition = 0): TestImpression {
  const bytes = new Uint8Array(16)
  writeImpressionId(new DataView(bytes.buffer), 0, chosenAt, 1, partition, serial)
  return { id: formatUuid(bytes, 0), bytes, second: Math.floor(chosenAt / 1000) }
}

export function shownItem(shown: TestImpression, at: number): BlockItem {
  return {
    impressionId: shown.bytes,
    at,
    ...CHARGED,
    amount: 1000,
    publisherAmount: 800,
    feeAmount: 200,
    country: 0,
    device: 1,
  }
}
