import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { nextBootNumber } from '../adapters/boot-number.ts'
import { machineClocks } from '../adapters/clock.ts'
import { openCountryTable } from '../adapters/geo/country.ts'
import { noteAdminShown, openKeys } from '../adapters/signing-keys.ts'
import { nativeMac } from '../adapters/signing-mac.ts'
import { openDataFolder } from '../adapters/sqlite/data-folder.ts'
import type { Decided } from '../billing/decider.ts'
import { AdTexts } from '../campaigns/ad-texts.ts'
import { stopBits } from '../campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns } from '../campaigns/catalog-columns.ts'
import { CatalogReader } from '../campaigns/catalog-reader.ts'
import type { Environment, ServeOptions } from '../config.ts'
import { parseId } from '../core/ids.ts'
import type { ClockReading } from '../core/steady-time.ts'
import { controlApp } from '../http/control/app.ts'
import { Directory } from '../http/directory.ts'
import { Counters } from '../http/edge/counters.ts'
import type { EdgeDependencies } from '../http/edge/dependencies.ts'
import { RequestCounts } from '../http/edge/request-counts.ts'
import { type RunningServer, startServer } from '../http/server.ts'
import { newStatus, type Status } from '../http/status.ts'
import { reasonName } from '../records/reasons.ts'
import { RecordKind } from '../records/record.ts'
import { AddressRanges, parseCidr } from '../screening/address-ranges.ts'
import { AgentClassifier } from '../screening/agent.ts'
import { DataCentres } from '../screening/data-centre.ts'
import { ClickRate } from '../screening/rate.ts'
import { ClickRates } from '../serving/click-rate.ts'
import { FrequencyCaps } from '../serving/frequency.ts'
import { Leases } from '../serving/leases.ts'
import { Serving } from '../serving/serve.ts'
import { ImpressionIds } from '../tracking/impression-ids.ts'
import { TokenSigner } from '../tracking/token.ts'
import type { Explanation, ForBuilder, FromBuilder } from './builder-thread.ts'
import { CommandsClient } from './commands-client.ts'
import type { FromDecider, ToDecider } from './decider-messages.ts'
import { keepTime } from './keep-time.ts'
import { openLog } from './open-log.ts'
import { readerClient } from './reader-client.ts'

/** On one machine; fixed for life. */
export const PARTITIONS = 16
/** Leases end by a timer that is never set, in ms. */
const timer = () => Math.floor(performance.now())
/** How often the edge tells the treasury what it chose. */
const ASK_MS = 50
/** How often requests that were answered are written into the log. */
const COUNTS_MS = 1000

export interface Installation {
  readonly url: string
  readonly adminKey: string
  /** Whether the admin key was made at this start, and has to be shown. */
  readonly adminKeyIsNew: boolean
  readonly status: Status
  readonly counters: Counters
  close(): Promise<void>
}

/**
 * Everything in one process on embedded engines. HTTP on this thread; the log, the decider, the catalog's builder and
 * the reader on threads of their own, so that neither a commit nor an edit stalls a request.
 */
export async function startEmbedded(
  options: ServeOptions,
  environment: Environment,
  clocks: () => ClockReading = machineClocks(environment.clockOffsetMs),
): Promise<Installation> {
  const logger = pino({ base: null }, pino.destination(2))
  const folder = openDataFolder(options.data)
  const keys = openKeys(folder.path)
  const { clock, stop: stopClock } = keepTime(clocks, logger)
  const adminKey = environment.adminKey ?? keys.admin
  const directory = new Directory(adminKey)
  const log = await openLog({ path: folder.logPath, partitions: PARTITIONS, time: clock.shared })
  clock.notBefore(log.lastAppendedAt)
  const counters = new Counters()
  const status = newStatus()

  const shared = newSharedColumns()
  const edge = newEdgeColumns()
  const catalog = new CatalogReader()
  const adTexts = new AdTexts(catalog)
  const boot = nextBootNumber(folder.path, clock.now())
  const leases = new Leases(boot, PARTITIONS, catalog, edge)
  const rates = new ClickRates(shared)

  const line = new MessageChannel()
  const builder = new Worker(new URL('./builder-thread.ts', import.meta.url))
  const explaining = new Map<number, (explanation: Explanation | null) => void>()
  let explained = 0
  const firstSnapshot = Promise.withResolvers<void>()
  builder.onmessage = ({ data }: MessageEvent<FromBuilder>) => {
    if (data.kind === 'snapshot') {
      if (catalog.install(data.snapshot)) {
        leases.settle(timer())
        adTexts.forget()
        firstSnapshot.resolve()
      }
      return
    }
    explaining.get(data.id)?.(data.explanation)
    explaining.delete(data.id)
  }
  builder.postMessage(
    {
      kind: 'open',
      columns: shared,
      edge,
      time: clock.shared,
      decider: line.port2,
    } satisfies ForBuilder,
    [line.port2],
  )

  const reader = new Worker(new URL('./reader-thread.ts', import.meta.url))
  const commands = new CommandsClient(log, () => clock.now())
  const decider = new Worker(new URL('./decider-thread.ts', import.meta.url))
  const ready = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()

  let deciderStopped = false

  function onDecided(decided: Decided): void {
    for (const change of decided.catalog) {
      directory.apply(change)
      if (change.kind === 'campaign') adTexts.add(change.campaign)
      if (change.kind !== 'campaign' || catalog.slotOf(campaignNumber(change.campaign.id)) < 0) continue
      // Before the answer goes out: a paused campaign is chosen no more, whenever the builder comes to it.
      if (stopBits(change.campaign, change.money, clock.now()) !== 0) {
        catalog.hold(campaignNumber(change.campaign.id), change.campaign.version)
      }
    }
    for (const { requestId, outcome } of decided.outcomes) commands.settle(requestId, outcome)
    if (decided.grants.length > 0) recordChosen()
    for (const grant of decided.grants) leases.onGrant(grant, timer())
    observe(decided.observed)
    if (decided.decided === 0) return
    status.lagMs = decided.lagMs
    status.decided += decided.decided
    status.charged += decided.charged
    status.repeated += decided.repeated
    for (let reason = 0; reason < decided.refused.length; reason++) {
      const name = reasonName(reason)
      const refused = decided.refused[reason]!
      if (name !== null && refused > 0) status.refused[name] = (status.refused[name] ?? 0) + refused
    }
  }

  function observe(observed: readonly number[]): void {
    for (let i = 0; i < observed.length; i += 4) {
      const adSlot = catalog.adSlotOf(observed[i]!)
      if (adSlot < 0) continue
      rates.observe({
        adSlot,
        placement: observed[i + 1]!,
        impressions: observed[i + 2]!,
        clicks: observed[i + 3]!,
      })
    }
  }

  decider.onmessage = ({ data }: MessageEvent<FromDecider>) => {
    switch (data.kind) {
      case 'decided':
        onDecided(data.decided)
        return
      case 'ready':
        ready.resolve()
        return
      case 'warning':
        logger.warn({ cause: data.cause }, data.message)
        return
      case 'paused':
      case 'failed':
        deciderStopped = true
        status.recording = false
        status.problem = data.message.split('\n')[0]!
        ready.reject(new Error(data.message))
        logger.error({ cause: data.message }, `the decider ${data.kind}`)
        return
      case 'resumed':
        // Ready again once the log has taken a record, too.
        deciderStopped = false
        logger.warn('the decider goes on')
        return
      case 'closed':
        closed.resolve()
    }
  }
  const deciderLine = log.connect()
  decider.postMessage(
    {
      kind: 'open',
      storePath: folder.storePath,
      logPath: folder.logPath,
      partitions: PARTITIONS,
      holdMs: options.holdMs,
      time: clock.shared,
      log: deciderLine,
      builder: line.port1,
    } satisfies ToDecider,
    [deciderLine, line.port1],
  )
  await ready.promise
  await firstSnapshot.promise
  reader.postMessage({ kind: 'open', storePath: folder.storePath, time: clock.shared })
  const queries = readerClient(reader)

  const serving = new Serving(catalog, shared, edge, rates, new FrequencyCaps())
  const requestCounts = new RequestCounts()
  const agents = new AgentClassifier()
  const country = openCountryTable(options.geo ?? undefined)
  const signer = new TokenSigner(keys.signing, nativeMac)

  let server: RunningServer | null = null
  const dependencies: EdgeDependencies = {
    clock,
    partitions: PARTITIONS,
    get publicUrl() {
      return options.publicUrl ?? server?.url ?? ''
    },
    log,
    signer,
    counters,
    agents,
    clickRate: new ClickRate({ seed: randomBytes(4).readUInt32BE() }),
    dataCentres: readDataCentres(options.dataCentres),
    trustedProxies: readRanges(options.trustedProxies),
    countryOf: address => country.countryOf(address),
    ad: number => adTexts.of(number),
    placement: number => directory.placement(number),
    publisher: number => directory.publisher(number),
    publisherByDomain: domain => directory.publisherByDomain(domain),
    advertiser: number => directory.advertiser(number),
    authenticate: authorization => directory.authenticate(authorization),
  }
  const control = controlApp({
    commands,
    queries,
    authenticate: authorization => directory.authenticate(authorization),
    campaignOfAd: async ad => adTexts.of(ad)?.campaign ?? null,
    explain: campaignId =>
      new Promise(resolve => {
        explaining.set(++explained, resolve)
        const campaign = campaignNumber(campaignId)
        builder.postMessage({ kind: 'explain', id: explained, campaign } satisfies ForBuilder)
      }),
    newKeySecret: () => {
      const secret = `fk_${randomBytes(24).toString('base64url')}`
      return { secret, hash: createHash('sha256').update(secret).digest('hex') }
    },
    randomId: () => randomUUID(),
    now: () => clock.now(),
  })
  server = startServer({
    host: options.host,
    port: options.port,
    edge: dependencies,
    serving,
    ids: new ImpressionIds(boot, PARTITIONS),
    requestCounts,
    sample: request => builder.postMessage({ kind: 'sample', request } satisfies ForBuilder),
    control,
    status,
    logger,
  })

  /** Readiness fails with the first event that could not be kept, and is back once the log takes a record again. */
  function watchLog(): void {
    const { lost } = counters.values
    if (lost > lostBefore) {
      status.recording = false
      status.problem = 'The log does not take records: is the disk full?'
    }
    lostBefore = lost
    if (status.recording || deciderStopped) return
    log.buffer.json(RecordKind.tick, 0, clock.now(), {})
    log.flushed().then(
      () => {
        status.recording = true
        status.problem = null
      },
      () => {},
    )
  }

  /** So that the allowances are what is left, before anything changes them. */
  function recordChosen(): void {
    const now = timer()
    serving.drainChosen((_slot, campaign, impressions, thousandths, variance) =>
      // The variance comes in micros squared.
      leases.record(campaign, impressions, thousandths, variance * 1e6, now),
    )
  }

  const asking = setInterval(() => {
    recordChosen()
    const asks = leases.turn(timer())
    if (asks.length > 0) decider.postMessage({ kind: 'ask', asks } satisfies ToDecider)
  }, ASK_MS)
  let lostBefore = 0
  const counting = setInterval(() => {
    watchLog()
    const minutes = requestCounts.take()
    if (minutes.length === 0) return
    log.buffer.json(RecordKind.requests, 0, clock.now(), { minutes })
    log.flushed().catch(() => counters.add('lost'))
  }, COUNTS_MS)
  // The treasury hears of this node before its first choice, and grants to it.
  decider.postMessage({ kind: 'ask', asks: leases.turn(timer()) } satisfies ToDecider)
  const adminKeyIsNew = keys.adminIsNew && environment.adminKey === null
  if (adminKeyIsNew) noteAdminShown(folder.path)
  status.ready = true

  return {
    url: server.url,
    adminKey,
    adminKeyIsNew,
    status,
    counters,
    close: async () => {
      status.ready = false
      clearInterval(asking)
      clearInterval(counting)
      await server.stop()
      decider.postMessage({ kind: 'close' } satisfies ToDecider)
      await Promise.race([closed.promise, Bun.sleep(5000)])
      await log.close()
      for (const thread of [builder, reader, decider]) thread.terminate()
      stopClock()
      folder.close()
    },
  }
}

function campaignNumber(id: string): number {
  return parseId('campaign', id) ?? 0
}

function readDataCentres(path: string | null): DataCentres {
  if (path === null) return DataCentres.none
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`--data-centres: ${path} cannot be read. It takes a file with a CIDR a line.`, { cause })
  }
  const parsed = DataCentres.parse(text)
  if (parsed.ok) return parsed.value
  throw new Error(`${path}: ${parsed.errors.map(error => `${error.path} ${error.message}`).join('; ')}`)
}

function readRanges(text: string): AddressRanges {
  const blocks = text.split('\n').map(line => {
    const block = parseCidr(line.trim())
    if (block === null)
      throw new Error(`--trusted-proxies: ${line} is no block of addresses, such as 10.0.0.0/8.`)
    return block
  })
  return new AddressRanges(blocks)
}
