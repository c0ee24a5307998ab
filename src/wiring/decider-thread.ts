/**
 * The decider's thread: the one writer of the store. It sleeps until the log has something or a turn is due, decides
 * batches until the log is drained, and tells the thread that serves after each commit.
 */
import { createHash } from 'node:crypto'
import { FollowingClock } from '../adapters/clock.ts'
import { LogPort } from '../adapters/sqlite/log-port.ts'
import { isPassing } from '../adapters/sqlite/passing-fault.ts'
import { SqliteStore } from '../adapters/sqlite/store.ts'
import { type Decided, NOTHING_DECIDED } from '../billing/decided.ts'
import { Decider } from '../billing/decider.ts'
import { DRAIN_MS } from '../budgets/lease-time.ts'
import type { CatalogChange } from '../campaigns/campaign.ts'
import { BooksRefused } from '../ports/store.ts'
import type { FromDecider, ToBuilder, ToDecider } from './decider-messages.ts'
import { Rests } from './rests.ts'
import { yieldToServing } from './yield-to-serving.ts'

declare const self: {
  onmessage: (event: MessageEvent<ToDecider>) => void
  postMessage(message: FromDecider): void
}

/** Leases are looked at this often. */
const TURN_MS = 25
/** A store that could not be written is tried again after this. */
const RETRY_MS = 500
/** Entities told to the builder in one message at start. */
const CATALOG_CHUNK = 2000

let decider: Decider | null = null
let store: SqliteStore | null = null
let log: LogPort | null = null
let scheduled = false
const rests = new Rests()
let resting: Timer | null = null
let storeIsAway = false
let triedAt = 0
let closing = false

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      open(data).catch(stop)
      return
    case 'ask':
      for (const ask of data.asks) decider?.onAsk(ask)
      return
    case 'hurry':
      hurry()
      return
    case 'close':
      closing = true
  }
}

async function open(options: Extract<ToDecider, { kind: 'open' }>): Promise<void> {
  yieldToServing()
  store = new SqliteStore(options.storePath, options.partitions)
  log = new LogPort(options.log, options.logPath)
  const told = (changes: readonly CatalogChange[]) =>
    options.builder.postMessage({ kind: 'changes', changes } satisfies ToBuilder)
  const terms = {
    log,
    store,
    clock: new FollowingClock(options.time),
    timer: { now: () => performance.now() },
    holdMs: options.holdMs,
    hashOf: (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex'),
    tell: (decided: Decided) => {
      if (decided.catalog.length > 0) told(decided.catalog)
      self.postMessage({ kind: 'decided', decided })
    },
    warn: (message: string, cause: unknown) =>
      self.postMessage({ kind: 'warning', message, cause: String(cause) }),
  }
  const first = new Decider(terms)
  let chunk: CatalogChange[] = []
  for (const change of first.catalog()) {
    chunk.push(change)
    if (chunk.length < CATALOG_CHUNK) continue
    told(chunk)
    chunk = []
  }
  told(chunk)
  options.builder.postMessage({ kind: 'loaded' } satisfies ToBuilder)
  // Keys, publishers and placements are looked up by the thread that serves, too.
  const served = [...first.catalog()].filter(change => change.kind !== 'campaign')
  self.postMessage({
    kind: 'decided',
    decided: { ...NOTHING_DECIDED, catalog: served },
  })
  await first.start()
  decider = first
  log.onAppend(() => drain())
  self.postMessage({ kind: 'ready' })
  await turns(() => new Decider(terms))
}

function drain(): void {
  if (scheduled || decider === null || storeIsAway || decider.isBackedUp) return
  scheduled = true
  // A batch after the messages that have arrived: one commit for all that came in one go.
  setImmediate(decideBatch)
}

function decideBatch(): void {
  scheduled = false
  if (decider === null || storeIsAway) return
  try {
    const startedAt = performance.now()
    if (decider.batch() > 0) rest(performance.now() - startedAt)
  } catch (error) {
    stop(error)
  }
}

/** 8.7 us a click of one partition where each commit of the log had a batch of its own; 7.4 in batches of 800. */
function rest(batchMs: number): void {
  const restMs = rests.behind(batchMs, performance.now())
  if (restMs === 0) {
    drain()
    return
  }
  scheduled = true
  resting = setTimeout(endRest, restMs)
}

function endRest(): void {
  resting = null
  scheduled = false
  drain()
}

/** A command is in the log: a rest ends now. */
function hurry(): void {
  rests.hurry(performance.now())
  if (resting === null) return
  clearTimeout(resting)
  endRest()
}

async function turns(renew: () => Decider): Promise<void> {
  while (!closing) {
    await decider?.turn().catch(stop)
    drain()
    await new Promise(resolve => setTimeout(resolve, TURN_MS))
    if (storeIsAway && performance.now() - triedAt >= RETRY_MS) await resume(renew)
  }
  try {
    while (decider !== null && !storeIsAway && decider.batch() > 0) await Promise.resolve()
  } catch (error) {
    // The log has it, and the next start decides it.
    stop(error)
  }
  // A batch that is due would read from a log that is closed.
  decider = null
  await log!.close()
  store!.close()
  self.postMessage({ kind: 'closed' })
}

/**
 * A store that cannot be written is tried again: the disk may have room again, another program may let it go. Until
 * then nothing is decided, and the treasury goes on from memory with what it has leased. A bug of ours ends both.
 * The log keeps all either way.
 */
function stop(error: unknown): void {
  const message = error instanceof BooksRefused ? error.message : stackOf(error)
  storeIsAway = isPassing(error)
  if (!storeIsAway) decider = null
  triedAt = performance.now()
  self.postMessage({ kind: storeIsAway ? 'paused' : 'failed', message })
}

/** All state is dropped and read again, under a new epoch: what the failed batch had decided never was. */
async function resume(renew: () => Decider): Promise<void> {
  triedAt = performance.now()
  try {
    const renewed = renew()
    await renewed.start(DRAIN_MS)
    decider = renewed
    storeIsAway = false
    self.postMessage({ kind: 'resumed' })
  } catch (error) {
    if (!isPassing(error)) stop(error)
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
