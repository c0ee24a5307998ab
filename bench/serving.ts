/** What a decision takes: reading the captured requests into the view, and choosing among many campaigns. */
import type { CatalogChange } from '../src/campaigns/campaign.ts'
import { CatalogBuilder } from '../src/campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns, Stop } from '../src/campaigns/catalog-columns.ts'
import { CatalogReader } from '../src/campaigns/catalog-reader.ts'
import { hash53 } from '../src/campaigns/targeting.ts'
import { ClickRates } from '../src/serving/click-rate.ts'
import { FrequencyCaps } from '../src/serving/frequency.ts'
import { readImp, readRequest } from '../src/serving/read-request.ts'
import { RequestView } from '../src/serving/request-view.ts'
import { Choice, Serving } from '../src/serving/serve.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { type Places, placesOf, randomCampaign, randomFrom, regionOf } from '../test/random-campaigns.ts'

const SEED = 20261124
const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const PLENTY = 1e15

export interface ServingFigures {
  readonly campaigns: number
  readonly name: string
  readonly served: number
  readonly readNs: Percentiles
  readonly decideNs: Percentiles
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

export async function benchServing(options: { short: boolean }): Promise<ServingFigures[]> {
  const requests = capturedRequests(10_000)
  const places = placesOf(requests)
  const figures: ServingFigures[] = []
  for (const campaigns of [100, 10_000, 100_000]) {
    const market = openMarket(campaigns, places)
    const rounds = options.short ? 3 : 10
    figures.push(measure(market, requests, rounds, 'all open'))
    if (campaigns < 100_000) continue
    learnRates(market)
    figures.push(measure(market, requests, rounds, 'rates learned'))
    market.grantFew()
    figures.push(measure(market, requests, rounds, 'one in a hundred granted to this edge'))
    market.grantAll()
    stopMost(market)
    figures.push(measure(market, requests, rounds, '90% stopped, still in the lists'))
    market.rebuild()
    figures.push(measure(market, requests, rounds, '90% stopped, lists built anew'))
  }
  for (const { campaigns, name, served, readNs, decideNs } of figures) {
    console.log(
      `serving, ${campaigns.toLocaleString('en')} campaigns, ${name}: decision ${written(decideNs)}; ` +
        `reading the request ${written(readNs)}; ${(served * 100).toFixed(0)}% served`,
    )
  }
  return figures
}

function openMarket(count: number, places: Places) {
  const random = randomFrom(SEED)
  const shared = newSharedColumns()
  const edge = newEdgeColumns()
  const builder = new CatalogBuilder(shared)
  const catalog = new CatalogReader()
  const rates = new ClickRates(shared)
  const serving = new Serving(catalog, shared, edge, rates, new FrequencyCaps())
  const change = (sequence: number): CatalogChange => ({
    kind: 'campaign',
    campaign: randomCampaign(random, sequence, places),
    money: { stopped: null },
  })
  const changes = Array.from({ length: count }, (_, i) => change(i + 1))
  builder.apply(changes, NOW)
  const built = timed(() => catalog.install(builder.build(NOW)!))
  builder.apply(
    Array.from({ length: 100 }, (_, i) => change(count + 1 + i)),
    NOW,
  )
  const delta = timed(() => catalog.install(builder.build(NOW)!))
  const grantAll = () => edge.allowanceThousandths.fill(PLENTY)
  const grantFew = () =>
    edge.allowanceThousandths.forEach((_, slot, all) => {
      all[slot] = slot % 100 === 0 ? PLENTY : 0
    })
  grantAll()
  edge.pacing.fill(1)
  if (count >= 100_000) {
    console.log(
      `catalog, ${count} campaigns: base ${built.toFixed(0)} ms, a delta of 100 ${delta.toFixed(1)} ms`,
    )
  }
  const build = () => {
    for (;;) {
      const snapshot = builder.build(NOW)
      if (snapshot === null) continue
      catalog.install(snapshot)
      if (snapshot.kind === 'base') return
    }
  }
  const rebuild = () => {
    for (const { campaign } of changes as { campaign: { id: string } }[]) {
      const number = Number.parseInt(campaign.id.slice(4), 36)
      const stopped = (shared.stopped[catalog.slotOf(number)]! & Stop.money) !== 0
      if (stopped)
        builder.apply([{ kind: 'money', campaignId: campaign.id, money: { stopped: 'exhausted' } }], NOW)
    }
    build()
  }
  return { count, random, shared, rates, serving, grantAll, grantFew, rebuild }
}
type Market = ReturnType<typeof openMarket>

function learnRates(market: Market): void {
  for (let adSlot = 0; adSlot < market.count * 2; adSlot++) {
    // Within the headroom: the builder lays out anew what leaves it.
    const clicks = Math.round(20 * (0.9 + market.random() * 0.2))
    market.rates.observe({ adSlot, placement: 0, impressions: 20_000, clicks })
  }
}

function stopMost(market: Market): void {
  for (let slot = 0; slot < market.count; slot++)
    if (slot % 10 !== 0) market.shared.stopped[slot] = Stop.money
}

function measure(
  market: Market,
  requests: ReturnType<typeof capturedRequests>,
  rounds: number,
  name: string,
): ServingFigures {
  const view = new RequestView()
  const choice = new Choice()
  const places = requests.map(request => ({
    country: request.device?.geo?.country ?? null,
    region: regionOf(request),
  }))
  const read = new Float64Array(rounds * requests.length)
  const decide = new Float64Array(rounds * requests.length)
  let served = 0
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < requests.length; i++) {
      const request = requests[i]!
      const start = Bun.nanoseconds()
      readRequest(view, request, NOW + i, (i * 2_654_435_761) >>> 0)
      view.setCountry(places[i]!.country)
      view.setRegion(places[i]!.region)
      view.device = 1
      view.person = hash53(`person ${i}`)
      readImp(view, request.imp[0]!, 0)
      const ready = Bun.nanoseconds()
      const found = market.serving.chooseForImp(view, choice)
      const end = Bun.nanoseconds()
      // The first round warms up.
      if (round < 0) continue
      if (found) served++
      read[round * requests.length + i] = ready - start
      decide[round * requests.length + i] = end - ready
    }
  }
  market.serving.drainChosen(() => {})
  return {
    campaigns: market.count,
    name,
    served: served / decide.length,
    readNs: percentiles(read),
    decideNs: percentiles(decide),
  }
}

function percentiles(values: Float64Array): Percentiles {
  values.sort()
  const at = (share: number) => values[Math.floor((values.length - 1) * share)]!
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}

function timed(work: () => void): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

function written({ p50, p99, p999 }: Percentiles): string {
  const us = (ns: number) => (ns / 1000).toFixed(2)
  return `p50 ${us(p50)} us, p99 ${us(p99)} us, p99.9 ${us(p999)} us`
}

if (import.meta.main) await benchServing({ short: process.argv.includes('--short') })
