import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { openBoots } from '../adapters/boot-number.ts'
import { machineClocks } from '../adapters/clock.ts'
import { openCountryTable } from '../adapters/geo/country.ts'
import { noteAdminShown, openKeys } from '../adapters/signing-keys.ts'
import { nativeMac } from '../adapters/signing-mac.ts'
import { openDataFolder } from '../adapters/sqlite/data-folder.ts'
import { AdTexts } from '../campaigns/ad-texts.ts'
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
import { RecordKind } from '../records/record.ts'
import { AgentClassifier } from '../screening/agent.ts'
import { ClickRate } from '../screening/rate.ts'
import { ClickRates } from '../serving/click-rate.ts'
import { FrequencyCaps } from '../serving/frequency.ts'
import { Leases } from '../serving/leases.ts'
import { Serving } from '../serving/serve.ts'
import { ImpressionIds } from '../tracking/impression-ids.ts'
import { ownImpressions } from '../tracking/own-ids.ts'
import { TokenSigner } from '../tracking/token.ts'
import { BuilderClient } from './builder-client.ts'
import { CommandsClient } from './commands-client.ts'
import { DeciderClient } from './decider-client.ts'
import { EdgeNews } from './edge-news.ts'
import { keepTime } from './keep-time.ts'
import { LogWatch } from './log-watch.ts'
import { openLog } from './open-log.ts'
import { openReaders } from './readers.ts'
import { readDataCentres, readRanges } from './screening-tables.ts'

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
 * the readers on threads of their own, so that neither a commit nor an edit stalls a request.
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
  const boots = openBoots(folder.path, clock.now())
  const boot = boots.at(-1)!
  const leases = new Leases(boot, PARTITIONS, catalog, edge)
  const rates = new ClickRates(shared)

  const serving = new Serving(catalog, shared, edge, rates, new FrequencyCaps())
  const firstSnapshot = Promise.withResolvers<void>()
  firstSnapshot.promise.catch(() => {})
  const line = new MessageChannel()
  const builder = new BuilderClient(
    { columns: shared, edge, time: clock.shared, decider: line.port2 },
    {
      onSnapshot: snapshot => {
        if (!catalog.install(snapshot)) return
        leases.settle(timer())
        adTexts.forget()
        firstSnapshot.resolve()
      },
      onFault: message => {
        status.ready = false
        status.problem = message.split('\n')[0]!
        logger.error({ cause: message }, 'the builder failed')
        firstSnapshot.reject(new Error(message))
      },
    },
  )
  const commands = new CommandsClient(
    log,
    () => clock.now(),
    () => decider.hurry(),
  )
  const news = new EdgeNews({
    clock,
    timer,
    catalog,
    directory,
    adTexts,
    commands,
    leases,
    serving,
    rates,
    status,
  })
  const decider = new DeciderClient(
    {
      storePath: folder.storePath,
      logPath: folder.logPath,
      partitions: PARTITIONS,
      holdMs: options.holdMs,
      time: clock.shared,
      log: log.connect(),
      builder: line.port1,
    },
    { onDecided: decided => news.onDecided(decided), status, logger },
  )
  await decider.ready
  await firstSnapshot.promise
  const readers = openReaders({ storePath: folder.storePath, time: clock.shared })

  const requestCounts = new RequestCounts()
  let server: RunningServer | null = null
  const dependencies = edgeDependencies(options, {
    clock,
    log,
    counters,
    adTexts,
    directory,
    // Where none is given it is the server's own, which is known once that listens.
    publicUrl: () => options.publicUrl ?? server?.url ?? '',
    signer: new TokenSigner(keys.signing, nativeMac),
    isOwnImpression: ownImpressions(boots, PARTITIONS),
  })
  const control = controlApp({
    commands,
    queries: readers.queries,
    authenticate: authorization => directory.authenticate(authorization),
    campaignOfAd: async ad => adTexts.of(ad)?.campaign ?? null,
    explain: campaignId => builder.explain(parseId('campaign', campaignId) ?? 0),
    newKeySecret,
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
    sample: request => builder.sample(request),
    control,
    status,
    logger,
  })

  const watch = new LogWatch({ log, clock, counters, status, decider })
  const asking = setInterval(() => {
    news.recordChosen()
    const asks = leases.turn(timer())
    if (asks.length > 0) decider.ask(asks)
  }, ASK_MS)
  const counting = setInterval(() => {
    watch.look()
    const minutes = requestCounts.take()
    if (minutes.length === 0) return
    log.buffer.json(RecordKind.requests, 0, clock.now(), { minutes })
    log.flushed().catch(() => counters.add('lost'))
  }, COUNTS_MS)
  // The treasury hears of this node before its first choice, and grants to it.
  decider.ask(leases.turn(timer()))
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
      await decider.close()
      await log.close()
      builder.close()
      readers.close()
      decider.terminate()
      stopClock()
      folder.close()
    },
  }
}

/** What the handlers of serving and tracking work with. */
function edgeDependencies(
  options: ServeOptions,
  parts: Pick<EdgeDependencies, 'clock' | 'log' | 'signer' | 'counters' | 'isOwnImpression'> & {
    readonly adTexts: AdTexts
    readonly directory: Directory
    readonly publicUrl: () => string
  },
): EdgeDependencies {
  const { adTexts, directory, publicUrl, ...given } = parts
  const country = openCountryTable(options.geo ?? undefined)
  return {
    ...given,
    partitions: PARTITIONS,
    get publicUrl() {
      return publicUrl()
    },
    agents: new AgentClassifier(),
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
}

/** A key as its owner has it, and what is kept of it. */
function newKeySecret(): { secret: string; hash: string } {
  const secret = `fk_${randomBytes(24).toString('base64url')}`
  return { secret, hash: createHash('sha256').update(secret).digest('hex') }
}
