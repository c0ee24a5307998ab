import type { Database } from 'bun:sqlite'
import { BooksRefused } from '../../ports/store.ts'

/**
 * The tables of the store. Written in the one transaction of a batch, with the offset that the batch came from.
 * Numbers of rows that belong to a chain are `partition * 2^40 + sequence`: each partition appends at one place of the
 * b-tree, and an entry's number tells its chain. Times are ms; amounts are micros; hashes are bytes.
 * The SQL stays within what SQLite and PostgreSQL share, but for types.
 */
const SCHEMA_VERSION = 4

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

-- One row a partition: where its reader is, who owns it, and the small state that is written whole with each batch.
CREATE TABLE IF NOT EXISTS position (
  partition INTEGER PRIMARY KEY,
  next INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  last_hash BLOB NOT NULL,
  state TEXT NOT NULL
) STRICT;

-- Advertisers, campaigns (with their ads), publishers, placements, keys: the document as the API has it.
CREATE TABLE IF NOT EXISTS entity (
  kind TEXT NOT NULL, number INTEGER NOT NULL, owner INTEGER NOT NULL, doc TEXT NOT NULL,
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entity_owner ON entity (kind, owner, number);

CREATE TABLE IF NOT EXISTS history (
  kind TEXT NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL,
  at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, patch TEXT NOT NULL,
  PRIMARY KEY (kind, number, version)
) STRICT, WITHOUT ROWID;

-- Budgets: the state of a balance (kind 'advertiser') or of a campaign with its shard (kind 'campaign'), JSON.
CREATE TABLE IF NOT EXISTS money (
  kind TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;

-- The unique key of an event is one bit: (boot, partition, kind of bit, serial / 32768) holds 4 KiB.
CREATE TABLE IF NOT EXISTS bits (
  boot INTEGER NOT NULL, partition INTEGER NOT NULL, kind INTEGER NOT NULL, page INTEGER NOT NULL,
  bytes BLOB NOT NULL, issued_until INTEGER NOT NULL,
  PRIMARY KEY (boot, partition, kind, page)
) STRICT;
CREATE INDEX IF NOT EXISTS bits_issued ON bits (partition, issued_until);

-- The ledger. kind: 1 charge of a click, 2 block of charged impressions, 3 refund, 4 deposit. event: an impression id
-- or an ingested click id, as text; event_second: the second to look it up by (of the UUIDv7; hash for ingested ids).
CREATE TABLE IF NOT EXISTS entry (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL, kind INTEGER NOT NULL,
  event TEXT, event_second INTEGER,
  advertiser INTEGER NOT NULL, campaign INTEGER NOT NULL, ad INTEGER NOT NULL,
  publisher INTEGER NOT NULL, placement INTEGER NOT NULL, currency TEXT NOT NULL,
  amount INTEGER NOT NULL, publisher_amount INTEGER NOT NULL, fee_amount INTEGER NOT NULL,
  received_at INTEGER NOT NULL, country INTEGER NOT NULL, device INTEGER NOT NULL,
  note TEXT, charges_root BLOB, hash BLOB NOT NULL,
  -- Of a block: what its items add up to, as JSON, and the items, binary rows (billing/block.ts). Last: they are long.
  postings TEXT, items BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS entry_event ON entry (event_second) WHERE event_second IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_deposit ON entry (advertiser, number) WHERE kind = 4;

-- Charged impressions that are no entry yet: reserved until the block closes.
CREATE TABLE IF NOT EXISTS open_block (
  partition INTEGER NOT NULL, currency TEXT NOT NULL, second INTEGER NOT NULL, items BLOB NOT NULL,
  PRIMARY KEY (partition, currency)
) STRICT, WITHOUT ROWID;

-- Every state of a charge that is not one settled ledger entry: pending, rejected, given away. Append-only.
CREATE TABLE IF NOT EXISTS transition (
  number INTEGER PRIMARY KEY,
  event TEXT NOT NULL, event_second INTEGER NOT NULL, kind INTEGER NOT NULL,
  at INTEGER NOT NULL, state TEXT NOT NULL, reason INTEGER NOT NULL,
  campaign INTEGER NOT NULL, ad INTEGER NOT NULL, advertiser INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS transition_event ON transition (event_second);

-- Clicks that wait for their impression or for money.
CREATE TABLE IF NOT EXISTS held (
  event TEXT PRIMARY KEY, partition INTEGER NOT NULL, deadline INTEGER NOT NULL, record BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Repeats, counted; kind as in transition. Of reported events and unsigned clicks:
CREATE TABLE IF NOT EXISTS repeat (
  event TEXT NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (event, kind)
) STRICT, WITHOUT ROWID;
-- Of impressions and their clicks. Ids are in the order of their times: what is below the floor is deleted by it.
CREATE TABLE IF NOT EXISTS token_repeat (
  partition INTEGER NOT NULL, event TEXT NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (partition, event, kind)
) STRICT, WITHOUT ROWID;

-- Balances of the ledger's accounts, by partition: a shared account is the sum of its parts.
CREATE TABLE IF NOT EXISTS account (
  account TEXT NOT NULL, currency TEXT NOT NULL, partition INTEGER NOT NULL, balance INTEGER NOT NULL,
  PRIMARY KEY (account, currency, partition)
) STRICT, WITHOUT ROWID;

-- Rollups, by the minute of the event's own time (ms). Written with the charges that they summarise. A placement has
-- one publisher; where there is no placement (0), requests name any.
CREATE TABLE IF NOT EXISTS rollup (
  minute INTEGER NOT NULL, ad INTEGER NOT NULL, placement INTEGER NOT NULL,
  country INTEGER NOT NULL, device INTEGER NOT NULL,
  campaign INTEGER NOT NULL, advertiser INTEGER NOT NULL, publisher INTEGER NOT NULL,
  impressions INTEGER NOT NULL, clicks INTEGER NOT NULL, charges INTEGER NOT NULL,
  spend INTEGER NOT NULL, rejected INTEGER NOT NULL,
  PRIMARY KEY (minute, ad, placement, publisher, country, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
  minute INTEGER NOT NULL, placement INTEGER NOT NULL, publisher INTEGER NOT NULL,
  country INTEGER NOT NULL, device INTEGER NOT NULL, requests INTEGER NOT NULL,
  PRIMARY KEY (minute, placement, publisher, country, device)
) STRICT, WITHOUT ROWID;

-- Effects that leave after the commit, and the last of each source that a target has applied.
CREATE TABLE IF NOT EXISTS outbox (
  source INTEGER NOT NULL, target INTEGER NOT NULL, sequence INTEGER NOT NULL, effect TEXT NOT NULL,
  PRIMARY KEY (source, target, sequence)
) STRICT, WITHOUT ROWID;

-- The same for ingested events, many in a row: numbered from sequence to last.
CREATE TABLE IF NOT EXISTS outbox_events (
  source INTEGER NOT NULL, target INTEGER NOT NULL, sequence INTEGER NOT NULL,
  last INTEGER NOT NULL, events BLOB NOT NULL,
  PRIMARY KEY (source, target, sequence)
) STRICT;

-- Idempotency keys and the first answer to each.
CREATE TABLE IF NOT EXISTS claim (
  name TEXT PRIMARY KEY, body_hash TEXT NOT NULL, outcome TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS dead_letter (
  partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, reason TEXT NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (partition, "offset")
) STRICT, WITHOUT ROWID;

-- Runs of ingested ids (tracking/ingested-ids.ts).
CREATE TABLE IF NOT EXISTS ingested_run (
  partition INTEGER NOT NULL, run INTEGER NOT NULL, meta TEXT NOT NULL,
  filter BLOB NOT NULL, first_keys BLOB NOT NULL, PRIMARY KEY (partition, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ingested_chunk (
  partition INTEGER NOT NULL, run INTEGER NOT NULL, chunk INTEGER NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (partition, run, chunk)
) STRICT;
CREATE TABLE IF NOT EXISTS ingested_pending (
  partition INTEGER NOT NULL, sequence INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (partition, sequence)
) STRICT, WITHOUT ROWID;
`

/** Rows of Position (ports/store.ts). */
export const POSITIONS =
  'SELECT partition, next, epoch, lower(hex(last_hash)) AS lastHash FROM position ORDER BY partition'

/** By the version that they start from. Tables and indexes that are new need none. */
const MIGRATIONS: readonly (string | null)[] = [
  null,
  // The items of a block had a table of their own: a second row for each block.
  `ALTER TABLE entry ADD COLUMN postings TEXT;
   ALTER TABLE entry ADD COLUMN items BLOB;
   UPDATE entry SET
     postings = (SELECT postings FROM block WHERE block.number = entry.number),
     items = (SELECT items FROM block WHERE block.number = entry.number)
   WHERE kind = 2;
   DROP TABLE block`,
  // Repeats of impressions had no table of their own. Those of older ones stay where they are.
  null,
  // What several publishers without a placement showed was the first one's. What is counted already stays so.
  `CREATE TABLE rollup_by_publisher (
     minute INTEGER NOT NULL, ad INTEGER NOT NULL, placement INTEGER NOT NULL,
     country INTEGER NOT NULL, device INTEGER NOT NULL,
     campaign INTEGER NOT NULL, advertiser INTEGER NOT NULL, publisher INTEGER NOT NULL,
     impressions INTEGER NOT NULL, clicks INTEGER NOT NULL, charges INTEGER NOT NULL,
     spend INTEGER NOT NULL, rejected INTEGER NOT NULL,
     PRIMARY KEY (minute, ad, placement, publisher, country, device)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO rollup_by_publisher SELECT * FROM rollup;
   DROP TABLE rollup;
   ALTER TABLE rollup_by_publisher RENAME TO rollup`,
]

/** Makes the tables, or brings those of an earlier version up to date. Call it in a transaction. */
export function makeTables(db: Database): void {
  const version = versionOf(db)
  if (version > SCHEMA_VERSION) throw new BooksRefused(NEWER)
  for (let from = version; from > 0 && from < SCHEMA_VERSION; from++) {
    const changes = MIGRATIONS[from]!
    if (changes !== null) db.run(changes)
  }
  db.run(SCHEMA)
  const put =
    'INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value'
  db.query(put).run('schema', String(SCHEMA_VERSION))
}

/** For who only reads. Throws where the tables are of another version. */
export function checkTables(db: Database): void {
  const version = versionOf(db)
  if (version === SCHEMA_VERSION) return
  throw new BooksRefused(version > SCHEMA_VERSION ? NEWER : OLDER)
}

const NEWER = 'This data folder was written by a newer version of Farthing. Start that version.'
const OLDER =
  'This data folder was written by an earlier version of Farthing. `farthing serve` brings it up to date when it starts.'

/** 0 where there are no tables yet. */
function versionOf(db: Database): number {
  const table = db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get()
  if (table === null) return 0
  const row = db.query<{ value: string }, []>("SELECT value FROM meta WHERE name = 'schema'").get()
  return Number(row?.value ?? 0)
}
