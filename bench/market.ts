/** A market of synthetic campaigns with money, wired for the auction's handler without threads or a log. */

import { openCountryTable } from '../src/adapters/geo/country.ts'
import { nativeMac } from '../src/adapters/signing-mac.ts'
import { CatalogBuilder } from '../src/campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns } from '../src/campaigns/catalog-columns.ts'
import { CatalogReader } from '../src/campaigns/catalog-reader.ts'
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
import { Serving } from '../src/serving/serve.ts'
import { ImpressionIds } from '../src/tracking/impression-ids.ts'
import { TokenSigner } from '../src/tracking/token.ts'
import { placesOf, randomCampaign, randomFrom } from '../test/random-campaigns.ts'

const SEED = 20261124
const PARTITIONS = 16
const PLENTY = 1e15

export async function openMarket(campaigns: number, requests: readonly BidRequest[]) {
  const random = randomFrom(SEED)
  const places = placesOf(requests)
  const shared = newSharedColumns()
  const columns = newEdgeColumns()
  const builder = new CatalogBuilder(shared)
  const catalog = new CatalogReader()
  const now = Date.now()
  for (let i = 1; i <= campaigns; i++) {
    const campaign = randomCampaign(random, i, places)
    builder.apply([{ kind: 'campaign', campaign, money: { stopped: null } }], now)
  }
  catalog.install(builder.build(now)!)
  columns.allowanceThousandths.fill(PLENTY)
  columns.pacing.fill(1)
  const serving = new Serving(catalog, shared, columns, new ClickRates(shared), new FrequencyCaps())
  const country = openCountryTable(undefined)
  const edge: EdgeDependencies = {
    clock: { now: () => Date.now() },
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
    ad: () => null,
    placement: () => null,
    publisher: () => null,
    publisherByDomain: () => null,
    advertiser: () => null,
    authenticate: () => null,
  }
  const deps: AuctionDependencies = {
    edge,
    serving,
    ids: new ImpressionIds(1, PARTITIONS),
    requestCounts: new RequestCounts(),
    sampler: new Sampler(() => {}),
    answers: newAnswers(edge),
  }
  return { deps, serving, columns }
}
