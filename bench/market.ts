/**
 * A market for the auction's handler: synthetic campaigns with money, among placements and publishers. The catalog's
 * builder runs on its thread as in production; the decider is stood for by bench/market-world.ts; there is no log.
 */
import { pino } from 'pino'
import { machineClocks } from '../src/adapters/clock.ts'
import { openCountryTable } from '../src/adapters/geo/country.ts'
import { nativeMac } from '../src/adapters/signing-mac.ts'
import { AdTexts } from '../src/campaigns/ad-texts.ts'
import type { Placement, Publisher } from '../src/campaigns/campaign.ts'
import { type EdgeColumns, newEdgeColumns, newSharedColumns } from '../src/campaigns/catalog-columns.ts'
import { CatalogReader } from '../src/campaigns/catalog-reader.ts'
import { formatId } from '../src/core/ids.ts'
import { Directory } from '../src/http/directory.ts'
import { newAnswers } from '../src/http/edge/ad-forms.ts'
import type { AuctionDependencies } from '../src/http/edge/auction-handler.ts'
import { Counters } from '../src/http/edge/counters.ts'
import type { EdgeDependencies } from '../src/http/edge/dependencies.ts'
import { RequestCounts } from '../src/http/edge/request-counts.ts'
import { Sampler } from '../src/http/edge/sampler.ts'
import type { BidRequest } from '../src/openrtb/types.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { AddressRanges } from '../src/screening/address-ranges.ts'
import { AgentClassifier } from '../src/screening/agent.ts'
import { DataCentres } from '../src/screening/data-centre.ts'
import { ClickRate } from '../src/screening/rate.ts'
import { ClickRates } from '../src/serving/click-rate.ts'
import { FrequencyCaps } from '../src/serving/frequency.ts'
import type { FullRequest } from '../src/serving/full-evaluation.ts'
import { Leases } from '../src/serving/leases.ts'
import { Serving } from '../src/serving/serve.ts'
import { ImpressionIds } from '../src/tracking/impression-ids.ts'
import { TokenSigner } from '../src/tracking/token.ts'
import type { ForBuilder, FromBuilder } from '../src/wiring/builder-thread.ts'
import { keepTime } from '../src/wiring/keep-time.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { CATEGORIES, placesOf } from '../test/random-campaigns.ts'
import { type FromWorld, PLENTY_THOUSANDTHS, pacingOf, type ToWorld } from './market-world.ts'

const PARTITIONS = 16
const PLACEMENTS = 256
const PUBLISHERS = 32
/** As wiring/embedded.ts has them. */
const ASK_MS = 50
const COUNTS_MS = 1000

export interface Market {
  readonly deps: AuctionDependencies
  readonly columns: EdgeColumns
  /** Takes a request that is to be explained. */
  readonly sample: (request: FullRequest) => void
  /** Snapshots of the catalog that were put in place. */
  readonly installed: () => number
  edit(perSecond: number): void
  close(): void
}

/** The captured requests, every other one from a placement of ours: the rest are known by their domain or not at all. */
export function marketRequests(most: number): BidRequest[] {
  return capturedRequests(most).map((request, i) => {
    if (i % 2 === 0) return request
    const tagid = formatId('placement', (1 + (i % PLACEMENTS)) * 256)
    return { ...request, imp: request.imp.map(imp => ({ ...imp, tagid })) }
  })
}

export async function openMarket(campaigns: number, requests: readonly BidRequest[]): Promise<Market> {
  const { clock, stop: stopClock } = keepTime(machineClocks(0), pino({ level: 'silent' }))
  const shared = newSharedColumns()
  const columns = newEdgeColumns()
  const catalog = new CatalogReader()
  const adTexts = new AdTexts(catalog)
  const leases = new Leases(1, PARTITIONS, catalog, columns)
  const line = new MessageChannel()
  const builder = new Worker(new URL('../src/wiring/builder-thread.ts', import.meta.url))
  const world = new Worker(new URL('./market-world.ts', import.meta.url))
  const places = placesOf(requests)
  let installed = 0
  const complete = Promise.withResolvers<void>()
  builder.onmessage = ({ data }: MessageEvent<FromBuilder>) => {
    if (data.kind !== 'snapshot' || !catalog.install(data.snapshot)) return
    leases.settle(clock.now())
    adTexts.forget()
    installed++
    complete.resolve()
  }
  world.onmessage = ({ data }: MessageEvent<FromWorld>) => {
    recordChosen()
    for (const grant of data.grants) leases.onGrant(grant, clock.now())
  }
  builder.postMessage(
    {
      kind: 'open',
      columns: shared,
      edge: columns,
      time: clock.shared,
      decider: line.port2,
    } satisfies ForBuilder,
    [line.port2],
  )
  world.postMessage({ kind: 'open', builder: line.port1, campaigns, places } satisfies ToWorld, [line.port1])
  await complete.promise
  columns.allowanceThousandths.fill(PLENTY_THOUSANDTHS)
  for (let slot = 0; slot < campaigns; slot++)
    columns.pacing[slot] = pacingOf(shared.campaignNumbers[slot]!, campaigns)

  const serving = new Serving(catalog, shared, columns, new ClickRates(shared), new FrequencyCaps())
  const edge = edgeOf({ clock, adTexts, directory: inventory(places.domains) })
  const sample = (request: FullRequest) =>
    builder.postMessage({ kind: 'sample', request } satisfies ForBuilder)
  const deps: AuctionDependencies = {
    edge,
    serving,
    ids: new ImpressionIds(1, PARTITIONS),
    requestCounts: new RequestCounts(),
    sampler: new Sampler(sample),
    answers: newAnswers(edge),
  }
  function recordChosen(): void {
    const now = clock.now()
    serving.drainChosen((_slot, campaign, impressions, thousandths, variance) =>
      leases.record(campaign, impressions, thousandths, variance * 1e6, now),
    )
  }
  const asking = setInterval(() => {
    recordChosen()
    const asks = leases.turn(clock.now())
    if (asks.length > 0) world.postMessage({ kind: 'ask', asks } satisfies ToWorld)
  }, ASK_MS)
  const counting = setInterval(() => deps.requestCounts.take(), COUNTS_MS)
  return {
    deps,
    columns,
    sample,
    installed: () => installed,
    edit: perSecond => world.postMessage({ kind: 'edit', perSecond } satisfies ToWorld),
    close: () => {
      clearInterval(asking)
      clearInterval(counting)
      stopClock()
      builder.terminate()
      world.terminate()
    },
  }
}

function edgeOf(world: {
  readonly clock: EdgeDependencies['clock']
  readonly adTexts: AdTexts
  readonly directory: Directory
}): EdgeDependencies {
  const { clock, adTexts, directory } = world
  const country = openCountryTable(undefined)
  return {
    clock,
    partitions: PARTITIONS,
    publicUrl: 'http://127.0.0.1:8080',
    log: { buffer: new RecordBuffer(), flushed: () => Promise.resolve() },
    signer: new TokenSigner([{ number: 1, secret: new Uint8Array(32).fill(7) }], nativeMac),
    counters: new Counters(),
    agents: new AgentClassifier(),
    clickRate: new ClickRate({ seed: 1 }),
    dataCentres: DataCentres.none,
    trustedProxies: AddressRanges.of('127.0.0.0/8'),
    countryOf: address => country.countryOf(address),
    isOwnImpression: () => false,
    ad: number => adTexts.of(number),
    placement: number => directory.placement(number),
    publisher: number => directory.publisher(number),
    publisherByDomain: domain => directory.publisherByDomain(domain),
    advertiser: number => directory.advertiser(number),
    authenticate: authorization => directory.authenticate(authorization),
  }
}

/** Publishers with placements; each has one of the domains of the requests as its own. */
function inventory(domains: readonly string[]): Directory {
  const directory = new Directory('no admin')
  const made = { createdAt: '2026-01-01T00:00:00.000Z', version: 1 }
  for (let i = 1; i <= PUBLISHERS; i++) {
    const publisher: Publisher = {
      id: formatId('publisher', i * 256),
      name: `Publisher ${i}`,
      domain: domains[i] ?? null,
      email: null,
      revenueShare: 0.7,
      badv: ['casino.example'],
      bcat: ['IAB25-3'],
      monthlyTraffic: null,
      verified: true,
      ...made,
    }
    directory.apply({ kind: 'publisher', publisher })
  }
  for (let i = 1; i <= PLACEMENTS; i++) {
    const placement: Placement = {
      id: formatId('placement', i * 256),
      publisherId: formatId('publisher', (1 + (i % PUBLISHERS)) * 256),
      name: `Placement ${i}`,
      format: { w: 300, h: 250 },
      position: null,
      categories: [CATEGORIES[i % CATEGORIES.length]!],
      floorCpmMicros: (i % 4) * 50_000,
      badv: [],
      bcat: i % 8 === 0 ? ['IAB9-30'] : [],
      audience: null,
      estimatedMonthlyImpressions: null,
      ...made,
    }
    directory.apply({ kind: 'placement', placement })
  }
  return directory
}
