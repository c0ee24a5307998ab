import { expect, test } from 'bun:test'
import { capturedRequests } from '../../test/captured-requests.ts'
import {
  ADVERTISER_DOMAINS,
  CATEGORIES,
  CREATED_AT,
  PLACEMENTS,
  pick,
  placesOf,
  plainAd,
  type Random,
  randomCampaign,
  randomFrom,
  regionOf,
  SEGMENTS,
  SIZES,
  someOf,
} from '../../test/random-campaigns.ts'
import type { Ad, Campaign, CampaignMoney, CatalogChange } from '../campaigns/campaign.ts'
import { CatalogBuilder } from '../campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns } from '../campaigns/catalog-columns.ts'
import { AD_WORDS, AdWord } from '../campaigns/catalog-layout.ts'
import { CatalogReader } from '../campaigns/catalog-reader.ts'
import { rowOf } from '../campaigns/catalog-table.ts'
import { formatId, parseId } from '../core/ids.ts'
import type { BidRequest } from '../openrtb/types.ts'
import { deviceAt } from '../records/device.ts'
import { ClickRates } from './click-rate.ts'
import { FrequencyCaps } from './frequency.ts'
import { evaluateFully, type FullCampaign, type FullRequest } from './full-evaluation.ts'
import { readImp, readRequest } from './read-request.ts'
import { RequestView } from './request-view.ts'
import { Choice, Serving } from './serve.ts'

const SEED = Number(process.env['SEED'] ?? 20261124)
const NOW = CREATED_AT + 40 * 86_400_000

/** The serving path and its oracle over the same campaigns, kept in step. */
class World {
  readonly shared = newSharedColumns()
  readonly edge = newEdgeColumns()
  /** Bounds so low that bases are built all the time, in portions, beside the deltas. */
  readonly builder = new CatalogBuilder(this.shared, {
    deltaCampaignsMax: 30,
    stoppedListedMax: 10,
    portionCampaigns: 25,
  })
  readonly reader = new CatalogReader()
  readonly rates = new ClickRates(this.shared)
  readonly frequency = new FrequencyCaps(1 << 12)
  readonly serving = new Serving(this.reader, this.shared, this.edge, this.rates, this.frequency)
  readonly campaigns = new Map<string, { campaign: Campaign; money: CampaignMoney }>()

  apply(changes: readonly CatalogChange[], now: number): void {
    for (const change of changes) {
      if (change.kind === 'campaign') this.campaigns.set(change.campaign.id, change)
      if (change.kind === 'money') this.campaigns.get(change.campaignId)!.money = change.money
    }
    this.builder.apply(changes, now)
    this.publish(now)
  }

  publish(now: number): string | null {
    this.builder.refresh(now)
    const snapshot = this.builder.build(now)
    if (snapshot !== null) expect(this.reader.install(structuredClone(snapshot))).toBe(true)
    return snapshot?.kind ?? null
  }

  fund(campaign: string, allowance: number, pacing = 1): void {
    const slot = this.reader.slotOf(parseId('campaign', campaign)!)
    expect(slot).toBeGreaterThanOrEqual(0)
    this.edge.allowanceThousandths[slot] = allowance
    this.edge.pacing[slot] = pacing
  }

  full(view: RequestView): FullCampaign[] {
    return Array.from(this.campaigns.values(), ({ campaign, money }) => {
      const number = parseId('campaign', campaign.id)!
      const slot = this.reader.slotOf(number)
      const cap = campaign.frequencyCap
      return {
        campaign,
        number,
        slot,
        money,
        allowanceThousandths: this.edge.allowanceThousandths[slot]!,
        pacing: this.edge.pacing[slot]!,
        allowedByFrequency:
          cap === null ||
          this.frequency.allowed(view.person, slot, cap.impressions, cap.perSeconds, view.now),
        clickRatePpb: ad => this.clickRatePpb(ad, view.placement),
      }
    })
  }

  private clickRatePpb(ad: Ad, placement: number): number {
    for (const snapshot of [this.reader.delta, this.reader.base]) {
      const row = snapshot === null ? -1 : rowOf(snapshot.ads, parseId('ad', ad.id)!)
      if (row < 0) continue
      const at = row * AD_WORDS
      const adSlot = snapshot!.adWords[at + AdWord.adSlot]!
      return Math.min(this.rates.predictPpb(adSlot, placement), snapshot!.adWords[at + AdWord.boundPpb]!)
    }
    throw new Error(`${ad.id} is in no snapshot`)
  }
}

interface Extra {
  readonly placement: string | null
  readonly device: number
  readonly person: number
  readonly random: number
  readonly currency?: string
}

function readBoth(view: RequestView, request: BidRequest, now: number, extra: Extra): FullRequest {
  const imp = request.imp[0]!
  readRequest(view, request, now, extra.random)
  const country = request.device?.geo?.country ?? null
  view.setCurrency(extra.currency ?? 'USD')
  view.setCountry(country)
  view.setRegion(regionOf(request))
  view.device = extra.device
  view.person = extra.person
  readImp(view, imp, extra.placement === null ? 0 : parseId('placement', extra.placement)!)
  return {
    now,
    random: extra.random,
    currency: extra.currency ?? 'USD',
    country,
    region: regionOf(request),
    device: deviceAt(extra.device),
    placement: extra.placement,
    hosts: [request.site?.domain || new URL(request.site?.page || 'http://none.invalid').hostname],
    bundle: null,
    categories: request.site?.cat ?? [],
    segments: request.user?.data?.flatMap(from => from.segment?.map(segment => segment.id ?? '') ?? []) ?? [],
    badv: request.badv ?? [],
    bcat: request.bcat ?? [],
    acat: request.acat ?? [],
    battr: imp.banner?.battr ?? [],
    sizes: (imp.banner?.format ?? []) as { w: number; h: number }[],
    floorCpmMicros: Math.round((imp.bidfloor ?? 0) * 1e6),
    secure: imp.secure === 1,
  }
}

/** What captured requests seldom or never have, drawn at random. */
function embellish(random: Random, request: BidRequest): BidRequest {
  const imp = request.imp[0]!
  const format = random() < 0.3 ? someOf(random, SIZES, 3).map(([w, h]) => ({ w, h })) : imp.banner!.format!
  return {
    ...request,
    at: random() < 0.5 ? 1 : 2,
    badv: [...(request.badv ?? []), ...(random() < 0.3 ? someOf(random, ADVERTISER_DOMAINS, 2) : [])],
    bcat: random() < 0.3 ? someOf(random, CATEGORIES, 2) : [],
    acat: random() < 0.1 ? someOf(random, CATEGORIES, 3) : [],
    site: { ...request.site, cat: random() < 0.5 ? someOf(random, CATEGORIES, 2) : [] },
    user: {
      ...request.user,
      data: [{ segment: random() < 0.4 ? someOf(random, SEGMENTS, 2).map(id => ({ id })) : [] }],
    },
    imp: [
      {
        ...imp,
        secure: random() < 0.5 ? 1 : 0,
        bidfloor: random() < 0.5 ? 0 : Math.round(random() * 3e6) / 1e6,
        banner: { ...imp.banner, format, battr: random() < 0.3 ? [1, 2, 3, 4, 5] : [] },
      },
    ],
  }
}

function compare(
  world: World,
  view: RequestView,
  full: FullRequest,
  choice: Choice,
  context: string,
): boolean {
  const expected = evaluateFully(full, world.full(view))
  const found = world.serving.findForImp(view, choice)
  const about = `SEED=${SEED} ${context}`
  expect(found ? formatId('campaign', choice.campaign) : null, about).toBe(
    expected.winner?.of.campaign.id ?? null,
  )
  if (!found) return false
  expect(choice.score, about).toBe(expected.winner!.score)
  expect(choice.runnerUp, about).toBe(expected.runnerUpScore)
  const size = { w: choice.w, h: choice.h }
  expect(full.sizes, about).toContainEqual(size)
  return true
}

function learn(world: World, random: Random, ads: number): void {
  for (let i = 0; i < ads; i++) {
    const impressions = Math.floor(random() * 20_000)
    world.rates.observe({
      adSlot: Math.floor(random() * ads),
      placement: random() < 0.5 ? 0 : parseId('placement', pick(random, PLACEMENTS))!,
      impressions,
      clicks: Math.floor(impressions * random() * 0.004),
    })
  }
}

test('the index and the full evaluation choose the same on captured requests', () => {
  const random = randomFrom(SEED)
  const requests = capturedRequests(2000)
  const places = placesOf(requests)
  const world = new World()
  const changes = Array.from({ length: 600 }, (_, i): CatalogChange => {
    return { kind: 'campaign', campaign: randomCampaign(random, i + 1, places), money: { stopped: null } }
  })
  world.apply(changes, NOW)
  for (const id of world.campaigns.keys())
    world.fund(id, random() < 0.95 ? 1e12 : random() * 2e6, random() < 0.8 ? 1 : random())
  learn(world, random, 600)
  const view = new RequestView()
  const choice = new Choice()
  let served = 0
  requests.forEach((request, i) => {
    const extra = {
      placement: random() < 0.5 ? pick(random, PLACEMENTS) : null,
      device: Math.floor(random() * 5),
      person: 1 + Math.floor(random() * 50),
      random: Math.floor(random() * 2 ** 32),
    }
    const now = NOW + i * 1000
    const full = readBoth(view, random() < 0.5 ? request : embellish(random, request), now, extra)
    if (!compare(world, view, full, choice, `request ${i}`)) return
    served++
    world.serving.take(view, choice)
  })
  expect(served).toBeGreaterThan(1500)
}, 120_000)

test('they choose the same while campaigns are edited, stopped, resumed and their rates move', () => {
  const requests = capturedRequests(300)
  const places = placesOf(requests)
  const kinds = new Set<string>()
  for (let round = 0; round < 6; round++) {
    const random = randomFrom(SEED + 1 + round)
    const world = new World()
    const view = new RequestView()
    const choice = new Choice()
    let sequence = 0
    const fresh = (): CatalogChange => {
      const campaign = randomCampaign(random, ++sequence, places)
      // Equal prices by the dozen: ties go by age, within and between base and delta.
      const bid =
        random() < 0.7 ? { model: 'cpm' as const, amountMicros: pick(random, [1e6, 2e6]) } : campaign.bid
      const createdAt = new Date(CREATED_AT + Math.floor(random() * 20)).toISOString()
      const hours = () => `${String(Math.floor(random() * 24)).padStart(2, '0')}:00`
      const dayparts = random() < 0.3 ? [{ days: [1, 2, 3, 4, 5, 6, 7], from: hours(), to: hours() }] : []
      const startAt = random() < 0.1 ? new Date(NOW + random() * 1e8).toISOString() : null
      const endAt = random() < 0.1 ? new Date(NOW + random() * 1e8).toISOString() : null
      const schedule = {
        startAt,
        endAt,
        timeZone: pick(random, ['UTC', 'Europe/Berlin', 'Asia/Kathmandu']),
        dayparts,
      }
      return {
        kind: 'campaign',
        campaign: { ...campaign, bid, createdAt, schedule },
        money: { stopped: null },
      }
    }
    world.apply(Array.from({ length: 80 }, fresh), NOW)
    for (const id of world.campaigns.keys()) world.fund(id, 1e12)
    for (let step = 0; step < 60; step++) {
      const now = NOW + step * 1_700_000
      const changes = Array.from({ length: 4 }, () => randomEdit(random, world, fresh))
      world.apply(changes, now)
      for (const id of world.campaigns.keys()) world.fund(id, 1e12)
      learn(world, random, 40)
      kinds.add(world.publish(now) ?? 'none')
      for (let i = 0; i < 8; i++) {
        const extra = {
          placement: pick(random, [...PLACEMENTS, null]),
          device: Math.floor(random() * 5),
          person: 1,
          random: 7,
          currency: pick(random, ['USD', 'USD', 'EUR']),
        }
        const full = readBoth(view, embellish(random, pick(random, requests)), now, extra)
        if (compare(world, view, full, choice, `round ${round} step ${step} request ${i}`))
          world.serving.take(view, choice)
      }
    }
  }
  expect([...kinds].sort()).toEqual(expect.arrayContaining(['base', 'delta']))
}, 120_000)

function randomEdit(random: Random, world: World, fresh: () => CatalogChange): CatalogChange {
  const { campaign, money } = pick(random, [...world.campaigns.values()])
  const edited = (change: Partial<Campaign>): CatalogChange => {
    return { kind: 'campaign', campaign: { ...campaign, ...change, version: campaign.version + 1 }, money }
  }
  const draw = Math.floor(random() * 8)
  if (draw === 0) return fresh()
  if (draw === 1) return edited({ paused: !campaign.paused })
  if (draw === 2) return edited({ archived: true })
  if (draw === 3)
    return {
      kind: 'money',
      campaignId: campaign.id,
      money: { stopped: pick(random, [null, 'unfunded', 'exhausted', null]) },
    }
  if (draw === 4) return edited({ bid: { ...campaign.bid, amountMicros: pick(random, [1e6, 2e6]) } })
  if (draw === 5)
    return edited({
      ads: campaign.ads.map(ad => ({ ...ad, status: pick(random, ['active', 'paused', 'active'] as const) })),
    })
  if (draw === 6 && campaign.ads.length < 8) {
    const sequence = parseId('campaign', campaign.id)! / 256
    return edited({ ads: [...campaign.ads, plainAd(sequence, campaign.ads.length)] })
  }
  return edited({ targeting: { ...campaign.targeting, domains: [], regions: [] } })
}
