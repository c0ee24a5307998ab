/**
 * The decider's thread: the one writer of the store. It sleeps until the log has something or a turn is due, decides
 * batches until the log is drained, and tells the thread that serves after each commit.
 */
import { createHash } from 'node:crypto'
import { FollowingClock } from '../adapters/clock.ts'
import { LogPort } from '../adapters/sqlite/log-port.ts'
import { SqliteStore } from '../adapters/sqlite/store.ts'
import { Decider, NOTHING_DECIDED } from '../billing/decider.ts'
import type { CatalogChange } from '../campaigns/campaign.ts'
import type { FromDecider, ToBuilder, ToDecider } from './decider-messages.ts'

declare const self: {
  onmessage: (event: MessageEvent<ToDecider>) => void
  postMessage(message: FromDecider): void
}

/** Leases are looked at this often. */
const TURN_MS = 25
/** Entities told to the builder in one message at start. */
const CATALOG_CHUNK = 2000

let decider: Decider | null = null
let store: SqliteStore | null = null
let log: LogPort | null = null
let running = false
let closing = false

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      open(data).catch(fail)
      return
    case 'ask':
      for (const ask of data.asks) decider?.onAsk(ask)
      return
    case 'close':
      closing = true
  }
}

async function open(options: Extract<ToDecider, { kind: 'open' }>): Promise<void> {
  store = new SqliteStore(options.storePath, options.partitions)
  log = new LogPort(options.log, options.logPath)
  const told = (changes: readonly CatalogChange[]) =>
    options.builder.postMessage({ kind: 'changes', changes } satisfies ToBuilder)
  decider = new Decider({
    log,
    store,
    clock: new FollowingClock(options.time),
    holdMs: options.holdMs,
    hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
    tell: decided => {
      if (decided.catalog.length > 0) told(decided.catalog)
      self.postMessage({ kind: 'decided', decided })
    },
    warn: (message, cause) => self.postMessage({ kind: 'warning', message, cause: String(cause) }),
  })
  let chunk: CatalogChange[] = []
  for (const change of decider.catalog()) {
    chunk.push(change)
    if (chunk.length < CATALOG_CHUNK) continue
    told(chunk)
    chunk = []
  }
  told(chunk)
  options.builder.postMessage({ kind: 'loaded' } satisfies ToBuilder)
  // Keys, publishers and placements are looked up by the thread that serves, too.
  const served = [...decider.catalog()].filter(change => change.kind !== 'campaign')
  self.postMessage({
    kind: 'decided',
    decided: { ...NOTHING_DECIDED, catalog: served },
  })
  await decider.start()
  log.onAppend(() => drain())
  self.postMessage({ kind: 'ready' })
  await turns(decider)
}

function drain(): void {
  if (running || decider === null) return
  running = true
  // A batch after the messages that have arrived: one commit for all that came in one go.
  setImmediate(() => {
    try {
      const taken = decider!.batch()
      running = false
      if (taken > 0) drain()
    } catch (error) {
      fail(error)
    }
  })
}

async function turns(of: Decider): Promise<void> {
  while (!closing) {
    await of.turn()
    drain()
    await new Promise(resolve => setTimeout(resolve, TURN_MS))
  }
  while (of.batch() > 0) await Promise.resolve()
  await log!.close()
  store!.close()
  self.postMessage({ kind: 'closed' })
}

/** A bug of ours, or a store that cannot be written: nothing is decided any more, the log keeps all. */
function fail(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  self.postMessage({ kind: 'failed', message })
  running = true
  decider = null
}
