import { expect, test } from 'bun:test'
import { ALWAYS, plainAd, plainCampaign } from '../../test/random-campaigns.ts'
import type { Ad, Campaign, CampaignMoney, Targeting } from '../campaigns/campaign.ts'
import { CatalogBuilder } from '../campaigns/catalog.ts'
import { newEdgeColumns, newSharedColumns } from '../campaigns/catalog-columns.ts'
import { adDetailAt, CatalogReader, landingUrlAt } from '../campaigns/catalog-reader.ts'
import { formatId, parseId } from '../core/ids.ts'
import { cpmMicros } from '../core/money.ts'
import { deviceNumber } from '../records/device.ts'
import { ClickRates } from './click-rate.ts'
import { FrequencyCaps } from './frequency.ts'
import { evaluateFully, type FullRequest } from './full-evaluation.ts'
import { RequestView } from './request-view.ts'
import { Choice, Serving } from './serve.ts'

const NOW = Date.parse('2026-11-24T12:00:00.000Z')
const PLENTY = 1e12

function open(campaigns: readonly Campaign[], money: CampaignMoney = { stopped: null }) {
  const shared = newSharedColumns()
  const edge = newEdgeColumns()
  const builder = new CatalogBuilder(shared)
  const reader = new CatalogReader()
  const rates = new ClickRates(shared)
  const frequency = new FrequencyCaps(1 << 10)
  const serving = new Serving(reader, shared, edge, rates, frequency)
  const publish = (changed: readonly Campaign[], now = NOW) => {
    builder.apply(
      changed.map(campaign => ({ kind: 'campaign', campaign, money })),
      now,
    )
    const snapshot = builder.build(now)
    if (snapshot !== null) reader.install(snapshot)
    for (const { id } of changed) {
      const slot = reader.slotOf(parseId('campaign', id)!)
      edge.allowanceThousandths[slot] = PLENTY
      edge.pacing[slot] = 1
    }
  }
  publish(campaigns)
  return { shared, edge, builder, reader, rates, serving, publish, choice: new Choice() }
}

const request: FullRequest = {
  now: NOW,
  random: 1,
  currency: 'USD',
  country: 'USA',
  region: 'US-WI',
  device: 'mobile',
  placement: formatId('placement', 256),
  hosts: ['news.shop.example.org'],
  bundle: 'com.example.game',
  categories: ['IAB1-2'],
  segments: ['cars', 'sport'],
  badv: [],
  bcat: [],
  acat: [],
  battr: [],
  sizes: [{ w: 300, h: 250 }],
  floorCpmMicros: 0,
  secure: false,
}

function view(from: FullRequest = request, at = 2): RequestView {
  const filled = new RequestView()
  filled.begin(from.now, from.random)
  filled.at = at
  filled.setCurrency(from.currency)
  filled.setCountry(from.country)
  filled.setRegion(from.region)
  filled.device = deviceNumber(from.device)
  filled.person = 77
  for (const host of from.hosts) filled.addDomain(host)
  if (from.bundle !== null) filled.addBundle(from.bundle)
  for (const category of from.categories) filled.addCategory(category)
  for (const segment of from.segments) filled.addSegment(segment)
  for (const domain of from.badv) filled.blockAdvertiser(domain)
  for (const category of from.bcat) filled.blockCategory(category)
  for (const category of from.acat) filled.allowCategory(category)
  beginImp(filled, from)
  return filled
}

function beginImp(filled: RequestView, from: FullRequest = request): void {
  filled.beginImp(from.placement === null ? 0 : parseId('placement', from.placement)!)
  filled.blockAttributes(from.battr)
  filled.floorCpmMicros = from.floorCpmMicros
  filled.secure = from.secure
  for (const { w, h } of from.sizes) filled.addSize(w, h)
}

const none = plainCampaign(1).targeting
const targeting = (change: Partial<Targeting>): Partial<Campaign> => ({ targeting: { ...none, ...change } })
const ad = (change: Partial<Ad>): Partial<Campaign> => ({ ads: [plainAd(1, 0, change)] })
const html = (text: string) => ad({ creative: { kind: 'html', w: 300, h: 250, html: text } })

test.each<[string, Partial<Campaign>, Partial<FullRequest>, CampaignMoney['stopped'] | null]>([
  ['wins', {}, {}, null],
  ['paused', { paused: true }, {}, null],
  ['paused', { archived: true }, {}, null],
  ['scheduled', { schedule: { ...ALWAYS, startAt: '2026-12-01T00:00:00Z' } }, {}, null],
  ['ended', { schedule: { ...ALWAYS, endAt: '2026-11-01T00:00:00Z' } }, {}, null],
  ['daypart', { schedule: { ...ALWAYS, dayparts: [{ days: [2], from: '13:00', to: '14:00' }] } }, {}, null],
  ['wins', { schedule: { ...ALWAYS, dayparts: [{ days: [2], from: '12:00', to: '14:00' }] } }, {}, null],
  ['unfunded', {}, {}, 'unfunded'],
  ['exhausted', {}, {}, 'exhausted'],
  ['exhausted', {}, {}, 'exhaustedDaily'],
  ['currency', { currency: 'EUR' }, {}, null],
  ['wins', { currency: 'EUR' }, { currency: 'EUR' }, null],
  ['size', {}, { sizes: [{ w: 728, h: 90 }] }, null],
  [
    'wins',
    {},
    {
      sizes: [
        { w: 728, h: 90 },
        { w: 300, h: 250 },
      ],
    },
    null,
  ],
  ['size', ad({ status: 'paused' }), {}, null],
  ['wins', targeting({ countries: ['CAN', 'USA'] }), {}, null],
  ['country', targeting({ countries: ['CAN'] }), {}, null],
  ['country', targeting({ countries: ['CAN'] }), { country: null }, null],
  ['wins', targeting({ regions: ['US-WI'] }), {}, null],
  ['region', targeting({ regions: ['US-MI'] }), {}, null],
  ['region', targeting({ regions: ['US-MI'] }), { region: null }, null],
  ['country', targeting({ regions: ['US-WI'], countries: ['CAN'] }), {}, null],
  ['wins', targeting({ deviceTypes: ['mobile', 'ctv'] }), {}, null],
  ['deviceType', targeting({ deviceTypes: ['desktop'] }), {}, null],
  ['deviceType', targeting({ deviceTypes: ['desktop'] }), { device: 'unknown' }, null],
  ['wins', targeting({ placements: [formatId('placement', 256)] }), {}, null],
  ['placement', targeting({ placements: [formatId('placement', 512)] }), {}, null],
  ['placement', targeting({ placements: [formatId('placement', 512)] }), { placement: null }, null],
  ['wins', targeting({ categories: ['IAB1'] }), {}, null],
  ['wins', targeting({ categories: ['IAB1-2'] }), {}, null],
  ['category', targeting({ categories: ['IAB1-3'] }), {}, null],
  ['wins', targeting({ domains: ['example.org'] }), {}, null],
  ['wins', targeting({ domains: ['News.Shop.Example.org'] }), {}, null],
  ['domain', targeting({ domains: ['ample.org'] }), {}, null],
  ['domain', targeting({ domains: ['a.news.shop.example.org'] }), {}, null],
  ['wins', targeting({ domains: ['com.example.game'] }), {}, null],
  ['domain', targeting({ domains: ['example.game'] }), {}, null],
  ['wins', targeting({ segments: ['sport'] }), {}, null],
  ['segment', targeting({ segments: ['travel'] }), {}, null],
  ['blockedAdvertiser', ad({ adomain: ['Shop.example.com'] }), { badv: ['example.com'] }, null],
  ['blockedAdvertiser', ad({ adomain: ['example.com'] }), { badv: ['EXAMPLE.com'] }, null],
  ['wins', ad({ adomain: ['example.com'] }), { badv: ['shop.example.com'] }, null],
  ['blockedCategory', ad({ cat: ['IAB25-3'] }), { bcat: ['IAB25'] }, null],
  ['wins', ad({ cat: ['IAB25'] }), { bcat: ['IAB25-3'] }, null],
  ['blockedCategory', ad({ cat: ['IAB25'] }), { acat: ['IAB1', 'IAB25-3'] }, null],
  ['blockedCategory', ad({ cat: [] }), { acat: ['IAB25'] }, null],
  ['wins', ad({ cat: ['IAB7', 'IAB25-3'] }), { acat: ['IAB25'] }, null],
  ['blockedAttribute', ad({ attr: [3, 8] }), { battr: [8] }, null],
  ['wins', ad({ attr: [3, 8] }), { battr: [9] }, null],
  [
    'secure',
    ad({ creative: { kind: 'image', w: 300, h: 250, imageUrl: 'http://a.b/c.png' } }),
    { secure: true },
    null,
  ],
  ['wins', ad({ creative: { kind: 'image', w: 300, h: 250, imageUrl: 'http://a.b/c.png' } }), {}, null],
  ['secure', html('<img src="http://a.b/c.png">'), { secure: true }, null],
  ['secure', html('<p style="background:url(http://a.b/c.png)">'), { secure: true }, null],
  ['wins', html('<a href="http://a.b/"><img src="https://a.b/c.png"></a>'), { secure: true }, null],
  ['floor', {}, { floorCpmMicros: 1_000_001 }, null],
  ['wins', {}, { floorCpmMicros: 1_000_000 }, null],
])('a campaign gets "%s" with %j for %j (money: %p)', (code, change, asked, stopped) => {
  const campaign = plainCampaign(1, change)
  const full = { ...request, ...asked }
  const world = open([campaign], { stopped })
  expect(world.serving.findForImp(view(full), world.choice)).toBe(code === 'wins')
  const slot = world.reader.slotOf(256)
  const { verdicts } = evaluateFully(full, [
    {
      campaign,
      number: 256,
      slot,
      money: { stopped },
      allowanceThousandths: PLENTY,
      pacing: 1,
      allowedByFrequency: true,
      clickRatePpb: () => 1_000_000,
    },
  ])
  expect(verdicts[0]!.code).toBe(code as (typeof verdicts)[0]['code'])
})

const cpm = (amountMicros: number) => ({ bid: { model: 'cpm' as const, amountMicros } })
const cpc = (amountMicros: number) => ({ bid: { model: 'cpc' as const, amountMicros } })

test('the best bid wins and pays by the auction; a click price is charged as it is', () => {
  const world = open([
    plainCampaign(1, cpm(1_500_000)),
    plainCampaign(2, cpc(2_000_000)),
    plainCampaign(3, cpm(100_000)),
  ])
  expect(world.serving.chooseForImp(view(), world.choice)).toBe(true)
  // 2.00 a click at one click in a thousand is 2.00 CPM.
  expect(world.choice).toMatchObject({
    campaign: 512,
    cpc: true,
    chargeMicros: 2_000_000,
    clickRatePpb: 1_000_000,
    w: 300,
    h: 250,
  })
  expect<number[]>([world.choice.score, world.choice.runnerUp, world.choice.price]).toEqual([
    2_000_000, 1_500_000, 1_510_000,
  ])
  world.serving.priceAgainst(view(), world.choice, cpmMicros(1_800_000))
  expect<number>(world.choice.price).toBe(1_810_000)
  expect(world.choice.chargeMicros).toBe(2_000_000)
  world.publish([{ ...plainCampaign(2, cpc(2_000_000)), paused: true, version: 2 }])
  expect(world.serving.chooseForImp(view(request, 1), world.choice)).toBe(true)
  expect(world.choice).toMatchObject({ campaign: 256, cpc: false, price: 1_500_000, chargeMicros: 1_500_000 })
})

test('of equal bids the older campaign wins, whatever the order of their numbers', () => {
  const createdAt = (ms: number) => ({ createdAt: new Date(ms).toISOString() })
  const world = open([
    plainCampaign(1, createdAt(2000)),
    plainCampaign(2, createdAt(1000)),
    plainCampaign(3, createdAt(2000)),
  ])
  expect(world.serving.chooseForImp(view(), world.choice)).toBe(true)
  expect(world.choice.campaign).toBe(512)
  world.publish([plainCampaign(4, createdAt(500))])
  expect(world.serving.chooseForImp(view(), world.choice)).toBe(true)
  expect(world.choice.campaign).toBe(4 * 256)
})

test('equal ads of a campaign take turns, and a better one does not give way', () => {
  const ads = [0, 1, 2].map(place => plainAd(1, place))
  const world = open([plainCampaign(1, { ...cpc(2_000_000), ads })])
  const next = () => {
    world.serving.chooseForImp(view(), world.choice)
    return world.choice.ad / 256 - 8
  }
  const turns = Array.from({ length: 6 }, next)
  expect(turns).toEqual([0, 1, 2, 0, 1, 2])
  world.rates.observe({ adSlot: 1, placement: 0, impressions: 10_000, clicks: 12 })
  const better = Array.from({ length: 3 }, next)
  expect(better).toEqual([1, 1, 1])
})

test('an edge chooses with what it was granted, to the thousandth, and reports it once', () => {
  const world = open([plainCampaign(1, cpm(1_000_000)), plainCampaign(2, cpc(500_000))])
  world.edge.allowanceThousandths[0] = 2_500_000
  world.edge.allowanceThousandths[1] = 500_000
  const chosen: number[] = []
  while (world.serving.chooseForImp(view(request, 1), world.choice)) chosen.push(world.choice.campaign / 256)
  expect(chosen).toEqual([1, 1, 2])
  expect(world.edge.allowanceThousandths[0]).toBe(500_000)
  expect(world.edge.allowanceThousandths[1]).toBe(0)
  const drained: number[][] = []
  world.serving.drainChosen((...sums) => drained.push(sums))
  // The variance of a click price: amount squared x rate.
  expect(drained).toEqual([
    [0, 256, 2, 2_000_000, 0],
    [1, 512, 1, 500_000, 500_000 ** 2 / 1000],
  ])
  world.serving.drainChosen(() => expect.unreachable())
})

test.each([
  ['cpm', cpm(2_000_000), 1_010_000],
  ['cpc', cpc(2_000_000), 2_000_000],
])(
  'in a second price auction a choice of %s takes from its grant what it may cost',
  (_model, terms, cost) => {
    const world = open([plainCampaign(1, terms), plainCampaign(2, cpm(1_000_000))])
    expect(world.serving.chooseForImp(view(request, 2), world.choice)).toBe(true)
    expect([world.choice.campaign, world.choice.price, world.choice.chargeMicros]).toEqual([
      256,
      1_010_000,
      cost,
    ])
    expect(world.edge.allowanceThousandths[0]).toBe(PLENTY - cost)
    const drained: number[] = []
    world.serving.drainChosen((_slot, _campaign, _impressions, thousandths) => drained.push(thousandths))
    expect(drained).toEqual([cost])
  },
)

test('finding alone changes nothing', () => {
  const world = open([plainCampaign(1, { frequencyCap: { impressions: 1, perSeconds: 60 } })])
  for (let i = 0; i < 3; i++) expect(world.serving.findForImp(view(), world.choice)).toBe(true)
  expect(world.edge.allowanceThousandths[0]).toBe(PLENTY)
  world.serving.drainChosen(() => expect.unreachable())
})

test('a person sees a capped campaign so often and no more, until the window has passed', () => {
  const world = open([plainCampaign(1, { frequencyCap: { impressions: 2, perSeconds: 60 } })])
  const at = (now: number) => world.serving.chooseForImp(view({ ...request, now }), world.choice)
  expect([at(NOW), at(NOW + 1), at(NOW + 2), at(NOW + 60_000)]).toEqual([true, true, false, true])
})

test('two impressions of one request show two campaigns of two advertisers', () => {
  const same = { adomain: ['example.com'] }
  const world = open([
    plainCampaign(1, { ...cpm(3_000_000), ads: [plainAd(1, 0, same)] }),
    plainCampaign(2, { ...cpm(2_000_000), ads: [plainAd(2, 0, same)] }),
    plainCampaign(3, cpm(1_000_000)),
  ])
  const filled = view()
  const chosen: number[] = []
  while (world.serving.chooseForImp(filled, world.choice)) {
    chosen.push(world.choice.campaign / 256)
    beginImp(filled)
  }
  expect(chosen).toEqual([1, 3])
  expect(world.serving.findForImp(view(), world.choice)).toBe(true)
  expect(world.choice.campaign).toBe(256)
})

test('what one impression blocks or is in does not hold for the next', () => {
  const world = open([plainCampaign(1, targeting({ categories: ['IAB9'] }))])
  const filled = view()
  filled.addCategory('IAB9-30')
  expect(world.serving.findForImp(filled, world.choice)).toBe(true)
  filled.blockAdvertiserHere('shop1.example')
  expect(world.serving.findForImp(filled, world.choice)).toBe(false)
  beginImp(filled)
  expect(world.serving.findForImp(filled, world.choice)).toBe(false)
  filled.addCategory('IAB9-30')
  expect(world.serving.findForImp(filled, world.choice)).toBe(true)
})

test('pacing lets a campaign bid on its share of the requests', () => {
  const world = open([plainCampaign(1)])
  world.edge.pacing[0] = 0.25
  let bids = 0
  for (let random = 0; random < 10_000; random++) {
    if (world.serving.findForImp(view({ ...request, random: random * 429_496 }), world.choice)) bids++
  }
  expect(bids).toBeGreaterThan(2300)
  expect(bids).toBeLessThan(2700)
})

test('a choice leads to the text of the version that was chosen', () => {
  const world = open([plainCampaign(1)])
  world.serving.findForImp(view(), world.choice)
  world.publish([
    plainCampaign(1, { version: 2, ads: [plainAd(1, 0, { landingUrl: 'https://new.example/ü' })] }),
  ])
  expect(landingUrlAt(world.choice.snapshot!, world.choice.adRow)).toContain('https://shop1.example.com/')
  expect(world.reader.landingUrlOf(world.choice.ad)).toBe('https://new.example/ü')
  expect(adDetailAt(world.choice.snapshot!, world.choice.adRow)).toMatchObject({
    campaignId: formatId('campaign', 256),
  })
})
