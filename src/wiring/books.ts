import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rotateKeys } from '../adapters/signing-keys.ts'
import { openDataFolder } from '../adapters/sqlite/data-folder.ts'
import { LogReader } from '../adapters/sqlite/log-reader.ts'
import { verify } from '../adapters/sqlite/queries-ledger.ts'
import { ReadStore } from '../adapters/sqlite/read-store.ts'
import { SqliteStore } from '../adapters/sqlite/store.ts'
import { Decider } from '../billing/decider.ts'
import { checkSameLog } from '../billing/same-log.ts'
import { readFlags, UsageError } from '../config.ts'
import type { EventLog } from '../ports/event-log.ts'
import { BooksRefused } from '../ports/store.ts'
import { PARTITIONS } from './embedded.ts'

/** `farthing verify`: goes through the whole ledger of a stopped installation. */
export function verifyBooks(args: readonly string[]): number {
  const { folder, close } = openStopped(args)
  try {
    const result = verify(new ReadStore(folder.storePath))
    console.log(JSON.stringify(result, null, 2))
    return result.ok ? 0 : 1
  } finally {
    close()
  }
}

/** `farthing rebuild`: decides the whole log again into new tables, and compares them with those that are kept. */
export function rebuildBooks(args: readonly string[]): number {
  const { folder, close } = openStopped(args)
  const scratch = mkdtempSync(join(tmpdir(), 'farthing-rebuild-'))
  try {
    const path = join(scratch, 'store.sqlite')
    const reader = LogReader.open(folder.logPath)
    const log: EventLog = {
      partitions: reader.partitions,
      append: () => Promise.reject(new Error('a rebuild appends nothing')),
      read: (from, bytesMax) => reader.read(from, bytesMax),
      onAppend: () => () => {},
      close: async () => {},
    }
    const store = new SqliteStore(path, PARTITIONS)
    let decided = 0
    const decider = new Decider({
      log,
      store,
      clock: { now: () => Date.now() },
      // How long clicks waited is in the log; no epoch is opened here.
      holdMs: 0,
      hashOf,
      tell: told => {
        decided += told.decided
        if (told.decided > 0 && process.stderr.isTTY) process.stderr.write(`\r${decided} records`)
      },
      warn: () => {},
    })
    while (decider.batch() > 0) decider.dropOutgoing()
    store.close()
    const kept = new ReadStore(folder.storePath)
    const differences = [...otherLog(kept, log), ...compare(kept, new ReadStore(path))]
    reader.close()
    console.log(JSON.stringify({ ok: differences.length === 0, records: decided, differences }, null, 2))
    return differences.length === 0 ? 0 : 1
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    close()
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** That the log is another than the books' own; nothing where it is not. */
function otherLog(kept: ReadStore, log: EventLog): string[] {
  try {
    checkSameLog(log, kept.positions(), hashOf)
    return []
  } catch (error) {
    if (!(error instanceof BooksRefused)) throw error
    return [error.message]
  }
}

/** `farthing keys rotate`. */
export function keys(args: readonly string[]): number {
  if (args[0] !== 'rotate') throw new UsageError('Say what to do with the keys: rotate.')
  const { folder, close } = openStopped(args.slice(1))
  try {
    console.log(
      `Tokens are signed with key ${rotateKeys(folder.path)} from the next start on. Older links go on working.`,
    )
    return 0
  } finally {
    close()
  }
}

/** Tables that must come out the same, to the byte. */
const COMPARED: Record<string, string> = {
  // Not the documents: what a later version adds to them is in those alone that were edited since.
  entity: `SELECT kind, number, owner, doc ->> '$.version' AS version FROM entity ORDER BY kind, number`,
  history: 'SELECT * FROM history ORDER BY kind, number, version',
  money: `SELECT kind, number, state ->> '$.spentTotalMicros' AS spent, state ->> '$.balanceMicros' AS balance,
    state ->> '$.heldMicros' AS held, state ->> '$.stopped' AS stopped FROM money ORDER BY kind, number`,
  claim: 'SELECT name, body_hash FROM claim ORDER BY name',
  requests: 'SELECT * FROM requests ORDER BY minute, placement, publisher, country, device',
  entry: 'SELECT * FROM entry ORDER BY number',
  account: 'SELECT * FROM account WHERE balance <> 0 ORDER BY account, currency, partition',
  transition: 'SELECT * FROM transition ORDER BY number',
  rollup: 'SELECT * FROM rollup ORDER BY minute, ad, placement, publisher, country, device',
  bits: 'SELECT * FROM bits ORDER BY boot, partition, kind, page',
  repeat: `SELECT event, kind, sum(count) AS count FROM (
    SELECT event, kind, count FROM repeat UNION ALL SELECT event, kind, count FROM token_repeat)
    GROUP BY event, kind ORDER BY event, kind`,
}

function compare(kept: ReadStore, rebuilt: ReadStore): string[] {
  const differences: string[] = []
  for (const [table, sql] of Object.entries(COMPARED)) {
    if (digest(kept, sql) !== digest(rebuilt, sql)) differences.push(`table ${table} differs`)
  }
  return differences
}

function digest(store: ReadStore, sql: string): string {
  const hash = createHash('sha256')
  for (const row of store.each<Record<string, unknown>>(sql)) {
    hash.update(
      JSON.stringify(row, (_key, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ),
    )
  }
  return hash.digest('hex')
}

function openStopped(args: readonly string[]) {
  const { data: path } = readFlags(args, { data: '' })
  if (path === '') throw new UsageError('Say whose books: --data DIR.')
  if (!existsSync(join(path, 'store.sqlite'))) {
    throw new UsageError(`${path} holds no books of Farthing. Give the folder that 'serve' has as --data.`)
  }
  const folder = openDataFolder(path)
  return { folder, close: () => folder.close() }
}
