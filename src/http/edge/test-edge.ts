import type { Campaign, Placement, Publisher } from '../../campaigns/campaign.ts'
import { CatalogBuilder } from '../../campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns } from '../../campaigns/catalog-columns.ts'
import { CatalogReader } from '../../campaigns/catalog-reader.ts'
import { LandingPage } from '../../campaigns/landing-page.ts'
import { utf8Text } from '../../core/bytes.ts'
import { formatId, parseId } from '../../core/ids.ts'
import type { EventLog } from '../../ports/event-log.ts'
import { CONTENT_AT, IngestedReader, KEY_AT } from '../../records/ingested.ts'
import { HEADER_BYTES, RecordKind, readHeader } from '../../records/record.ts'
import { RecordBuffer } from '../../records/record-buffer.ts'
import { AddressRanges } from '../../screening/address-ranges.ts'
import { AgentClassifier } from '../../screening/agent.ts'
import { DataCentres } from '../../screening/data-centre.ts'
import { ClickRate } from '../../screening/rate.ts'
import { ClickRates } from '../../serving/click-rate.ts'
import { FrequencyCaps } from '../../serving/frequency.ts'
import { Serving } from '../../serving/serve.ts'
import { ImpressionIds } from '../../tracking/impression-ids.ts'
import { ownImpressions } from '../../tracking/own-ids.ts'
import { TokenSigner } from '../../tracking/token.ts'
import { newAnswers } from './ad-forms.ts'
import type { AuctionDependencies } from './auction-handler.ts'
import { Counters } from './counters.ts'
import type { EdgeDependencies, EdgeRequest } from './dependencies.ts'
import { RequestCounts } from './request-counts.ts'
import { Sampler } from './sampler.ts'

export const NOW = Date.UTC(2026, 10, 1, 12)
export const BROWSER =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36'
export const PUBLIC_URL = 'https://ads.example'
export const PARTITIONS = 4
const BOOT = 1

export const PUBLISHER: Publisher = {
  id: formatId('publisher', 256),
  name: 'News',
  domain: 'news.example',
  email: null,
  revenueShare: 0.7,
  badv: [],
  bcat: [],
  monthlyTraffic: null,
  verified: true,
  createdAt: '2026-01-01T00:00:00.000Z',
  version: 1,
}

export const PLACEMENT: Placement = {
  id: formatId('placement', 256),
  publisherId: PUBLISHER.id,
  name: 'Top',
  format: { w: 300, h: 250 },
  position: null,
  categories: [],
  floorCpmMicros: 0,
  badv: [],
  bcat: [],
  audience: null,
  estimatedMonthlyImpressions: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  version: 1,
}

/** An edge over campaigns in memory, and over a log that the test gives: everything real but the disk and the clock. */
export class TestEdge<Log extends EventLog> {
  now = NOW
  overloaded = false
  principal: { readonly role: string; readonly accountId: string | null } | null = {
    role: 'ingest',
    accountId: null,
  }
  readonly placements = new Map([[256, PLACEMENT]])
  readonly publishers = new Map([[256, PUBLISHER]])
  readonly reader = new CatalogReader()
  readonly columns = newEdgeColumns()
  readonly edge: EdgeDependencies
  readonly auction: AuctionDependencies
  readonly requestCounts = new RequestCounts()

  constructor(
    readonly campaigns: readonly Campaign[],
    readonly log: Log,
  ) {
    const shared = newSharedColumns()
    const { columns } = this
    const builder = new CatalogBuilder(shared)
    builder.apply(
      campaigns.map(campaign => ({ kind: 'campaign' as const, campaign, money: { stopped: null } })),
      NOW,
    )
    builder.refresh(NOW)
    const snapshot = builder.build(NOW)
    if (snapshot !== null) this.reader.install(snapshot)
    for (const { id } of campaigns) {
      const slot = this.reader.slotOf(parseId('campaign', id)!)
      columns.allowanceThousandths[slot] = 1e12
      columns.pacing[slot] = 1
    }
    const rates = new ClickRates(shared)
    const buffer = new RecordBuffer()
    const isOverloaded = () => this.overloaded
    this.edge = {
      clock: { now: () => this.now },
      partitions: PARTITIONS,
      publicUrl: PUBLIC_URL,
      log: {
        buffer,
        get overloaded() {
          return isOverloaded()
        },
        flushed: () => this.log.append(buffer.take()),
      },
      signer: new TokenSigner([{ number: 0, secret: new Uint8Array(32).fill(7) }]),
      counters: new Counters(),
      agents: new AgentClassifier(),
      clickRate: new ClickRate({ seed: 1 }),
      dataCentres: DataCentres.none,
      trustedProxies: AddressRanges.of('127.0.0.0/8'),
      countryOf: address => (address === '203.0.113.9' ? 'DEU' : null),
      isOwnImpression: ownImpressions([BOOT], PARTITIONS),
      ad: number => {
        const detail = this.reader.detailOf(number)
        const landingUrl = this.reader.landingUrlOf(number)
        if (detail === null || landingUrl === null) return null
        return {
          campaign: parseId('campaign', detail.campaignId)!,
          advertiser: parseId('advertiser', detail.advertiserId)!,
          landing: new LandingPage(landingUrl),
        }
      },
      placement: number => this.placements.get(number) ?? null,
      publisher: number => this.publishers.get(number) ?? null,
      publisherByDomain: domain =>
        [...this.publishers.values()].find(publisher => publisher.domain === domain.replace(/^www\./, '')) ??
        null,
      advertiser: () => null,
      authenticate: () => this.principal,
    }
    this.auction = {
      edge: this.edge,
      serving: new Serving(this.reader, shared, columns, rates, new FrequencyCaps(1 << 10)),
      ids: new ImpressionIds(BOOT, PARTITIONS),
      requestCounts: this.requestCounts,
      sampler: new Sampler(() => {}),
      answers: newAnswers(this.edge),
    }
  }

  /** What the log has, header and payload apart. */
  records(): { kind: number; partition: number; payload: Uint8Array }[] {
    return this.log.read(new Array(PARTITIONS).fill(0), Number.MAX_SAFE_INTEGER).map(({ bytes }) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const { kind, partition } = readHeader(view, 0)
      return { kind, partition, payload: bytes.subarray(HEADER_BYTES) }
    })
  }

  jsonRecords(): Record<string, unknown>[] {
    return this.records().map(({ payload }) => JSON.parse(utf8Text(payload)) as Record<string, unknown>)
  }

  /** The events of the records of ingestion, one after the other. */
  ingested() {
    return this.records().flatMap(({ kind, payload }) => {
      if (kind !== RecordKind.ingestedEvents) return []
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
      const events = []
      const reader = new IngestedReader(payload, view)
      for (let at = 0; at < payload.length; ) {
        const next = reader.read(at)
        const hash = (from: number, bytes: number) =>
          Buffer.from(payload.subarray(at + from, at + from + bytes)).toString('hex')
        const { eventId, kept } = reader
        events.push({ ...reader, eventId, kept, key: hash(KEY_AT, 16), contentHash: hash(CONTENT_AT, 8) })
        at = next
      }
      return events
    })
  }

  counter(name: keyof Counters['values']): number {
    return this.edge.counters.values[name]
  }
}

export function get(url: string, headers: Record<string, string> = {}, method = 'GET'): EdgeRequest {
  return {
    request: new Request(url, { method, headers: { 'user-agent': BROWSER, ...headers } }),
    peer: '203.0.113.9',
  }
}
