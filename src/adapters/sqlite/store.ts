import { Database, type Statement } from 'bun:sqlite'
import { Bits } from '../../billing/bits.ts'
import { BlockItems } from '../../billing/block.ts'
import type { Changes } from '../../billing/changes.ts'
import type { Lookups } from '../../billing/decide.ts'
import type { Unsent } from '../../billing/decider.ts'
import { advertiserMoneyView, campaignMoneyView } from '../../billing/money-view.ts'
import { newHead, Partition, type PartitionHead } from '../../billing/partition.ts'
import type { Balance } from '../../budgets/balance.ts'
import type { CampaignBudget } from '../../budgets/budget.ts'
import { isReserving } from '../../budgets/shard.ts'
import type { EntityTable } from '../../ports/control.ts'
import { type Batch, Fenced, type Position } from '../../ports/store.ts'
import { IngestedIds } from '../../tracking/ingested-ids.ts'
import { fillIngestedRows, ROW_WORDS } from '../../tracking/ingested-row.ts'
import { findCharge } from './find-charge.ts'
import { SqliteRunStorage } from './run-storage.ts'
import { SCHEMA, SCHEMA_VERSION } from './schema.ts'

/** Pages of 4 KiB that the page cache may hold: enough for the hot right edges of all trees. */
const CACHE_KIB = 256 * 1024
/** While it waits for a lock the thread does nothing else. */
const BUSY_MS_MAX = 500

/**
 * The store on SQLite: one connection that writes, on the decider's thread. A batch is one transaction: its first
 * statement moves the offsets from what was read, under the owner's epoch.
 */
export class SqliteStore {
  readonly db: Database
  private rows = new Uint32Array(0)
  private seen = new Uint8Array(0)
  private readonly ingested = new Map<number, IngestedIds>()
  private readonly statements = new Map<string, Statement>()

  constructor(
    path: string,
    readonly partitions: number,
  ) {
    this.db = new Database(path, { create: true })
    // Another program may look into the file, and hold it for a moment.
    this.db.run(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`)
    this.db.run('PRAGMA journal_mode = WAL')
    this.db.run('PRAGMA synchronous = FULL')
    this.db.run(`PRAGMA cache_size = -${CACHE_KIB}`)
    this.db.run('PRAGMA wal_autocheckpoint = 4000')
    this.db.transaction(() => {
      this.db.run(SCHEMA)
      this.run('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING', [
        'schema',
        String(SCHEMA_VERSION),
      ])
      this.run('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING', [
        'partitions',
        String(partitions),
      ])
      for (let partition = 0; partition < partitions; partition++) {
        this.run(
          `INSERT INTO position (partition, next, epoch, last_hash, state) VALUES (?, 0, 0, x'', ?) ON CONFLICT DO NOTHING`,
          [partition, JSON.stringify(newHead())],
        )
      }
    })()
    const kept = Number(this.meta('partitions'))
    if (kept !== partitions) {
      throw new Error(
        `This data folder has ${kept} partitions; it cannot be opened with ${partitions}: the count is fixed for life.`,
      )
    }
    if (Number(this.meta('schema')) > SCHEMA_VERSION) {
      throw new Error('This data folder was written by a newer version of Farthing. Start that version.')
    }
  }

  meta(name: string): string | null {
    const row = this.db.query<{ value: string }, [string]>('SELECT value FROM meta WHERE name = ?').get(name)
    return row?.value ?? null
  }

  /** Takes ownership of all partitions: any other owner's commits fail from now on. */
  takeOver(): Position[] {
    this.db.run('UPDATE position SET epoch = epoch + 1')
    return this.positions()
  }

  positions(): Position[] {
    return this.db
      .query<{ partition: number; next: number; epoch: number; hash: string }, []>(
        'SELECT partition, next, epoch, lower(hex(last_hash)) AS hash FROM position ORDER BY partition',
      )
      .all()
      .map(row => ({ partition: row.partition, next: row.next, epoch: row.epoch, lastHash: row.hash }))
  }

  begin(): void {
    this.db.run('BEGIN IMMEDIATE')
  }

  rollback(): void {
    this.ingested.clear()
    if (this.db.inTransaction) this.db.run('ROLLBACK')
  }

  /** Writes the batch and commits the transaction that `begin` opened. Throws Fenced where the offsets moved. */
  commit(batch: Batch): void {
    for (const { from, next, lastHash, partition } of batch.moves) {
      const moved = this.run(
        'UPDATE position SET next = ?, last_hash = ?, state = ? WHERE partition = ? AND next = ? AND epoch = ?',
        [
          next,
          Buffer.from(lastHash, 'hex'),
          JSON.stringify(partition.head),
          from.partition,
          from.next,
          from.epoch,
        ],
      )
      if (moved !== 1) throw new Fenced(`partition ${from.partition} has another owner`)
      this.writeState(partition, batch.changes)
    }
    this.writeRows(batch.changes)
    for (const ids of this.ingested.values()) ids.save()
    this.db.run('COMMIT')
    for (const { partition } of batch.moves) partition.bits.written()
  }

  /** Reads a partition whole. */
  load(number: number): Partition {
    const row = this.db
      .query<{ state: string }, [number]>('SELECT state FROM position WHERE partition = ?')
      .get(number)
    const head = { ...newHead(), ...(JSON.parse(row!.state) as PartitionHead) }
    const bits = new Bits((boot, kind, page) => this.loadPage(boot, number, kind, page))
    const partition = new Partition(number, head, bits)
    this.loadEntities(partition)
    this.loadMoney(partition)
    for (const held of this.all<{ event: string; deadline: number; record: Uint8Array }>(
      'SELECT event, deadline, record FROM held WHERE partition = ? ORDER BY deadline, event',
      [number],
    )) {
      partition.held.set(held.event, { deadline: held.deadline, record: held.record })
    }
    for (const block of this.all<{ currency: string; second: number; items: Uint8Array }>(
      'SELECT currency, second, items FROM open_block WHERE partition = ?',
      [number],
    )) {
      partition.openBlocks.set(block.currency, { second: block.second, items: new BlockItems(block.items) })
    }
    return partition
  }

  /** The claims of all partitions: a claim's owner follows from its name, which only the API knows how to hash. */
  claim(name: string): { bodyHash: string; outcome: { status: number; body: unknown } | null } | null {
    const [row] = this.all<{ body_hash: string; outcome: string | null }>(
      'SELECT body_hash, outcome FROM claim WHERE name = ?',
      [name],
    )
    if (row === undefined) return null
    return { bodyHash: row.body_hash, outcome: row.outcome === null ? null : JSON.parse(row.outcome) }
  }

  /** What decisions read of committed state, and of the batch under way. */
  lookups(partitions: readonly Partition[], changes: Changes): Lookups {
    return {
      findCharge: eventId => findCharge(this, partitions, changes, eventId),
      findClaim: name => this.claim(name),
      claimIngested: (partition, events, from, count, nowSecond) => {
        const ids = this.ingestedIds(partition)
        ids.expire(nowSecond)
        if (count > this.seen.length) {
          this.seen = new Uint8Array(count)
          this.rows = new Uint32Array(count * ROW_WORDS)
        }
        const rows = this.rows.subarray(0, count * ROW_WORDS)
        fillIngestedRows(rows, events, from)
        ids.claim(rows, this.seen)
        return this.seen
      },
    }
  }

  /** Opened when a partition first sees an ingested event; dropped with a failed batch. */
  private ingestedIds(partition: number): IngestedIds {
    let ids = this.ingested.get(partition)
    if (ids === undefined) {
      ids = new IngestedIds(new SqliteRunStorage(this.db, partition))
      this.ingested.set(partition, ids)
    }
    return ids
  }

  unsent(): Unsent[] {
    const effects = this.all<Unsent>(
      'SELECT source, target, sequence, effect, NULL AS events, sequence AS last FROM outbox',
      [],
    )
    const events = this.all<Unsent>(
      'SELECT source, target, sequence, NULL AS effect, events, last FROM outbox_events',
      [],
    )
    return [...effects, ...events].sort(
      (a, b) => a.source - b.source || a.target - b.target || a.sequence - b.sequence,
    )
  }

  all<T>(sql: string, values: (string | number | null)[]): T[] {
    return this.prepared(sql).all(...values) as T[]
  }

  close(): void {
    for (const statement of this.statements.values()) statement.finalize()
    this.db.close()
  }

  private loadEntities(partition: Partition): void {
    const rows = this.all<{ kind: EntityTable; number: number; doc: string }>(
      'SELECT kind, number, doc FROM entity WHERE number % 256 = ?',
      [partition.number],
    )
    for (const row of rows) partition.put(row.kind, row.number, JSON.parse(row.doc))
  }

  private loadMoney(partition: Partition): void {
    const rows = this.all<{ kind: string; number: number; state: string }>(
      'SELECT kind, number, state FROM money WHERE number % 256 = ?',
      [partition.number],
    )
    for (const row of rows) {
      const { state } = JSON.parse(row.state) as { state: unknown }
      if (row.kind === 'advertiser') partition.balances.set(row.number, state as Balance)
      else {
        const budget = state as CampaignBudget
        partition.budgets.set(row.number, budget)
        if (isReserving(budget)) partition.reserving.add(row.number)
      }
    }
  }

  private loadPage(boot: number, partition: number, kind: number, page: number) {
    const [row] = this.all<{ bytes: Uint8Array; issued_until: number }>(
      'SELECT bytes, issued_until FROM bits WHERE boot = ? AND partition = ? AND kind = ? AND page = ?',
      [boot, partition, kind, page],
    )
    return row === undefined ? null : { bytes: row.bytes, issuedUntil: row.issued_until }
  }

  /** What is written whole: budgets, balances, open blocks, pages of bits. */
  private writeState(partition: Partition, changes: Changes): void {
    const money =
      'INSERT INTO money (kind, number, state) VALUES (?, ?, ?) ON CONFLICT (kind, number) DO UPDATE SET state = excluded.state'
    for (const campaign of changes.budgets.get(partition.number) ?? []) {
      const budget = partition.budgets.get(campaign)
      if (budget === undefined) continue
      this.run(money, [
        'campaign',
        campaign,
        JSON.stringify({ ...campaignMoneyView(budget, partition.head.time), state: budget }),
      ])
    }
    for (const advertiser of changes.balances.get(partition.number) ?? []) {
      const balance = partition.balances.get(advertiser)
      if (balance === undefined) continue
      this.run(money, [
        'advertiser',
        advertiser,
        JSON.stringify({ ...advertiserMoneyView(balance), state: balance }),
      ])
    }
    for (const currency of changes.openBlocks.get(partition.number) ?? []) {
      const block = partition.openBlocks.get(currency)
      if (block === undefined)
        this.run('DELETE FROM open_block WHERE partition = ? AND currency = ?', [partition.number, currency])
      else {
        this.run(
          `INSERT INTO open_block (partition, currency, second, items) VALUES (?, ?, ?, ?)
           ON CONFLICT (partition, currency) DO UPDATE SET second = excluded.second, items = excluded.items`,
          [partition.number, currency, block.second, block.items.view()],
        )
      }
    }
    for (const page of partition.bits.dirty) {
      this.run(
        `INSERT INTO bits (boot, partition, kind, page, bytes, issued_until) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (boot, partition, kind, page) DO UPDATE SET bytes = excluded.bytes, issued_until = excluded.issued_until`,
        [page.boot, partition.number, page.kind, page.page, page.bytes, page.issuedUntil],
      )
    }
  }

  private writeRows(changes: Changes): void {
    for (const row of changes.entities) {
      this.run(
        `INSERT INTO entity (kind, number, owner, doc) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, number) DO UPDATE SET owner = excluded.owner, doc = excluded.doc`,
        [row.kind, row.number, row.owner, JSON.stringify(row.doc)],
      )
    }
    for (const row of changes.history) {
      this.run(
        'INSERT INTO history (kind, number, version, at, actor, action, patch) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
        [row.kind, row.number, row.version, row.at, row.actor, row.action, JSON.stringify(row.patch ?? null)],
      )
    }
    for (const row of changes.entries) {
      this.run(
        `INSERT INTO entry (number, at, kind, event, event_second, advertiser, campaign, ad, publisher, placement, currency,
           amount, publisher_amount, fee_amount, received_at, country, device, note, charges_root, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          row.number,
          row.at,
          row.kind,
          row.event,
          row.eventSecond,
          row.advertiser,
          row.campaign,
          row.ad,
          row.publisher,
          row.placement,
          row.currency,
          row.amount,
          row.publisherAmount,
          row.feeAmount,
          row.receivedAt,
          row.country,
          row.device,
          row.note,
          row.chargesRoot === null ? null : Buffer.from(row.chargesRoot, 'hex'),
          Buffer.from(row.hash, 'hex'),
        ],
      )
    }
    for (const row of changes.blocks) {
      this.run('INSERT INTO block (number, items, postings) VALUES (?, ?, ?)', [
        row.number,
        row.items,
        row.postings,
      ])
    }
    for (const row of changes.transitions) {
      this.run(
        `INSERT INTO transition (number, event, event_second, kind, at, state, reason, campaign, ad, advertiser)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          row.number,
          row.event,
          row.eventSecond,
          row.kind,
          row.at,
          row.state,
          row.reason,
          row.campaign,
          row.ad,
          row.advertiser,
        ],
      )
    }
    for (const event of changes.heldGone) this.run('DELETE FROM held WHERE event = ?', [event])
    for (const [event, row] of changes.heldPut) {
      this.run('INSERT OR REPLACE INTO held (event, partition, deadline, record) VALUES (?, ?, ?, ?)', [
        event,
        row.partition,
        row.deadline,
        row.record,
      ])
    }
    for (const [key, count] of changes.repeats) {
      const split = key.lastIndexOf('\n')
      this.run(
        'INSERT INTO repeat (event, kind, count) VALUES (?, ?, ?) ON CONFLICT (event, kind) DO UPDATE SET count = count + excluded.count',
        [key.slice(0, split), Number(key.slice(split + 1)), count],
      )
    }
    this.writeSums(changes)
    for (const row of changes.outbox) {
      const { source, target, sequence } = row
      if ('events' in row) {
        const { events } = row
        this.run(
          'INSERT INTO outbox_events (source, target, sequence, last, events) VALUES (?, ?, ?, ?, ?)',
          [source, target, sequence, sequence + events.count - 1, events.written()],
        )
      } else {
        this.run('INSERT INTO outbox (source, target, sequence, effect) VALUES (?, ?, ?, ?)', [
          source,
          target,
          sequence,
          JSON.stringify(row.effect),
        ])
      }
    }
    for (const { source, target, sequence } of changes.applied.values()) {
      const line = [source, target, sequence]
      this.run('DELETE FROM outbox WHERE source = ? AND target = ? AND sequence <= ?', line)
      this.run('DELETE FROM outbox_events WHERE source = ? AND target = ? AND last <= ?', line)
    }
    for (const row of changes.claims) {
      this.run(
        `INSERT INTO claim (name, body_hash, outcome) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET outcome = excluded.outcome`,
        [row.name, row.bodyHash, row.outcome === null ? null : JSON.stringify(row.outcome)],
      )
    }
    for (const row of changes.deadLetters) {
      this.run('INSERT OR IGNORE INTO dead_letter (partition, "offset", reason, bytes) VALUES (?, ?, ?, ?)', [
        row.partition,
        row.offset,
        row.reason,
        row.bytes,
      ])
    }
  }

  private writeSums(changes: Changes): void {
    for (const [partition, currencies] of changes.accounts) {
      for (const [currency, accounts] of currencies) {
        for (const [account, amount] of accounts) {
          if (amount === 0) continue
          this.run(
            `INSERT INTO account (account, currency, partition, balance) VALUES (?, ?, ?, ?)
             ON CONFLICT (account, currency, partition) DO UPDATE SET balance = balance + excluded.balance`,
            [account, currency, partition, amount],
          )
        }
      }
    }
    for (const row of changes.rollups.values()) {
      this.run(
        `INSERT INTO rollup (minute, ad, placement, country, device, campaign, advertiser, publisher,
           impressions, clicks, charges, spend, rejected)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (minute, ad, placement, country, device) DO UPDATE SET
           impressions = impressions + excluded.impressions, clicks = clicks + excluded.clicks,
           charges = charges + excluded.charges, spend = spend + excluded.spend, rejected = rejected + excluded.rejected`,
        [
          row.minute,
          row.ad,
          row.placement,
          row.country,
          row.device,
          row.campaign,
          row.advertiser,
          row.publisher,
          row.impressions,
          row.clicks,
          row.charges,
          row.spend,
          row.rejected,
        ],
      )
    }
    for (const { row, requests } of changes.requests.values()) {
      this.run(
        `INSERT INTO requests (minute, placement, publisher, country, device, requests) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (minute, placement, publisher, country, device) DO UPDATE SET requests = requests + excluded.requests`,
        [...row, requests],
      )
    }
  }

  private run(sql: string, values: (string | number | null | Uint8Array)[]): number {
    return this.prepared(sql).run(...values).changes
  }

  private prepared(sql: string): Statement {
    let statement = this.statements.get(sql)
    if (statement === undefined) {
      statement = this.db.prepare(sql)
      this.statements.set(sql, statement)
    }
    return statement
  }
}
