import { HOUR_MS, MINUTE_MS } from '../../../src/core/time.ts'
import { Random } from '../../random.ts'
import { Events } from '../events.ts'
import { noFaults } from '../faults.ts'
import { type CampaignFacts, clickDelayMs, KIND_WEIGHTS, makeMarket, RENDER_SHARE } from '../market.ts'
import { HOME_REGION, Network } from '../network.ts'
import type { Place } from '../places.ts'
import type { Scenario } from '../scenarios.ts'
import { weekCurve } from '../traffic.ts'
import { type Bid, type Budgeting, type Exposure, priceOf, type Server } from './budgeting.ts'

/** The first day of the World beside it. */
const EPOCH = Date.parse('2026-11-01T00:00:00.000Z')
const BIDS_MAX = 3
const RESEND_MS = 2000
const STEP_MS = 1000
const RENDER_LIFE_MS = 10 * MINUTE_MS
/** Clicks still to come: 70% come within minutes, the rest within hours. */
const SOON_SHARE = 0.7
const SOON_MS = 2 * MINUTE_MS
const LATE_MS = 1.5 * HOUR_MS

/**
 * The market, traffic, network and faults of World, around another way of keeping budgets. The log of events is the same
 * for all: durable in the region, forwarded home until it arrives, each event once.
 */
export class OthersWorld {
  readonly events: Events
  readonly random: Random
  readonly network: Network
  readonly campaigns: readonly CampaignFacts[]
  readonly home: Place = { kind: 'home', region: HOME_REGION }
  readonly servers: Server[] = []
  readonly slots: number
  readonly start: number
  readonly end: number
  /** Between nodes and centre, and among nodes, for the budget only. */
  messages = 0
  charges = 0
  givenAwayMicros = 0
  readonly waitsMs: number[] = []
  readonly billed = new Map<number, number>()
  private readonly budgeting: Budgeting
  private readonly byKind: CampaignFacts[][][]
  private boots = 0

  constructor(
    private readonly scenario: Scenario,
    seed: number,
    make: (world: OthersWorld) => Budgeting,
  ) {
    this.random = new Random(seed)
    this.start = EPOCH + scenario.startHour * HOUR_MS
    this.end = this.start + scenario.hours * HOUR_MS
    this.events = new Events(this.start)
    this.network = new Network(this.events, this.random, scenario.faults, noFaults())
    this.campaigns = makeMarket(scenario, this.random).campaigns
    this.slots = scenario.nodes
    this.byKind = Array.from({ length: scenario.regions }, (_, region) =>
      KIND_WEIGHTS.map((_, kind) =>
        this.campaigns.filter(({ kinds, regions }) => kinds.includes(kind) && regions.includes(region)),
      ),
    )
    this.budgeting = make(this)
    for (let slot = 0; slot < this.slots; slot++) this.addServer(slot)
    this.traffic()
    this.faults()
  }

  get isOver(): boolean {
    return this.events.now > this.end + MINUTE_MS
  }

  run(): void {
    this.events.runUntil(this.end + 30 * HOUR_MS)
  }

  /** A message of the budget's protocol, that may be lost. */
  say(from: Place, to: Place, hear: () => void): void {
    this.messages++
    this.network.send(from, to, hear)
  }

  /** One that is sent again until it has arrived. */
  tell(from: Place, to: Place, hear: () => void): void {
    this.messages++
    this.untilHeard(from, to, hear)
  }

  /** Counts what was chosen as pending for as long as it may yet be charged. */
  hold(exposure: Exposure, bid: Bid): void {
    exposure.pending += bid.cost
    const variance = bid.campaign.model === 'cpc' ? bid.cost * bid.campaign.amount : 0
    exposure.variance += variance
    if (bid.campaign.model === 'cpm') {
      bid.held = exposure
      this.events.after(RENDER_LIFE_MS, () => release(bid))
      return
    }
    for (const [ms, share] of [
      [SOON_MS, SOON_SHARE],
      [LATE_MS, 1 - SOON_SHARE],
    ] as const) {
      this.events.after(ms, () => {
        exposure.pending -= share * bid.cost
        exposure.variance -= share * variance
      })
    }
  }

  /** Billed past the cap of the day, by campaigns. */
  overMicros(): number {
    let over = 0
    for (const { number, dailyCap } of this.campaigns) {
      over += Math.max(0, (this.billed.get(number) ?? 0) - dailyCap)
    }
    return over
  }

  /** Billed, within caps. */
  deliveredMicros(): number {
    let sum = 0
    for (const { number, dailyCap } of this.campaigns) sum += Math.min(dailyCap, this.billed.get(number) ?? 0)
    return sum
  }

  private request(): void {
    if (this.servers.length === 0) return
    const { random } = this
    const dice = random.below(KIND_WEIGHT)
    let kind = 0
    for (let upTo = KIND_WEIGHTS[0]!; dice >= upTo; upTo += KIND_WEIGHTS[kind]!) kind++
    const server = random.pick(this.servers)
    const among = this.byKind[server.region]![kind]!
    const bids: Bid[] = []
    const from = random.below(Math.max(1, among.length))
    for (let look = 0; look < among.length && bids.length < BIDS_MAX; look++) {
      const campaign = among[(from + look) % among.length]!
      const price = priceOf(campaign)
      const bid = {
        campaign,
        cost: campaign.model === 'cpc' ? price * campaign.predictedRate : price,
        held: null,
      }
      if (this.budgeting.eligible(server, bid)) bids.push(bid)
    }
    if (bids.length === 0) return
    bids.sort((a, b) => b.cost - a.cost)
    const asked = this.events.now
    this.budgeting.take(server, bids, bid => {
      this.waitsMs.push(this.events.now - asked)
      if (bid !== null) this.live(server, bid)
    })
  }

  /** What becomes of a chosen impression: as in World. */
  private live(server: Server, bid: Bid): void {
    const { random, events } = this
    if (!random.chance(RENDER_SHARE)) return
    const { campaign } = bid
    const shownAfter = 100 + random.below(1500)
    if (campaign.model === 'cpm') events.after(shownAfter, () => this.happened(server, bid))
    else if (random.chance(campaign.trueRate)) {
      const after = shownAfter + clickDelayMs(random)
      if (after < 24 * HOUR_MS) events.after(after, () => this.happened(server, bid))
    }
  }

  private happened(server: Server, bid: Bid): void {
    const { campaign } = bid
    const amount = priceOf(campaign)
    release(bid)
    this.budgeting.noticed(server, campaign, amount)
    let decided = false
    this.untilHeard(server, this.home, () => {
      if (decided) return
      decided = true
      if (this.budgeting.charge(server, campaign, amount)) {
        this.charges++
        this.billed.set(campaign.number, (this.billed.get(campaign.number) ?? 0) + amount)
      } else this.givenAwayMicros += amount
    })
  }

  private untilHeard(from: Place, to: Place, hear: () => void): void {
    let heard = false
    const send = () => {
      if (heard) return
      this.network.send(from, to, () => {
        heard = true
        hear()
      })
      this.events.after(RESEND_MS, send)
    }
    send()
  }

  private addServer(slot: number): void {
    const server: Server = {
      kind: 'node',
      slot,
      boot: ++this.boots,
      region: slot % this.scenario.regions,
      alive: true,
    }
    this.servers.push(server)
    this.budgeting.started(server)
  }

  private traffic(): void {
    const curve = weekCurve()
    const { events, random, scenario } = this
    const { spike } = scenario.faults
    const step = () => {
      if (events.now >= this.end) return
      const since = spike === null ? -1 : events.now - this.start - spike.at * HOUR_MS
      const times = spike !== null && since >= 0 && since < MINUTE_MS ? spike.times : 1
      const expected =
        (scenario.requestsPerSecond * curve(events.now) * times * this.servers.length * STEP_MS) / 1000
      const count = Math.floor(expected) + (random.chance(expected % 1) ? 1 : 0)
      for (let i = 0; i < count; i++) events.after(random.next() * STEP_MS, () => this.request())
      events.after(STEP_MS, step)
    }
    step()
  }

  private faults(): void {
    const { events, random, network } = this
    const { cut, nodesKilledPerMinute } = this.scenario.faults
    for (const { from, to, oneWay } of cut) {
      events.after(from * HOUR_MS, () => {
        network.cutOut = true
        network.cutIn = oneWay !== true
      })
      events.after(to * HOUR_MS, () => {
        network.cutOut = false
        network.cutIn = false
      })
    }
    if (nodesKilledPerMinute === 0) return
    const turn = () => {
      if (events.now >= this.end) return
      for (const server of [...this.servers]) {
        if (!random.chance(nodesKilledPerMinute)) continue
        server.alive = false
        this.servers.splice(this.servers.indexOf(server), 1)
        events.after(2000 + random.below(10_000), () => this.addServer(server.slot))
      }
      events.after(MINUTE_MS, turn)
    }
    events.after(MINUTE_MS, turn)
  }
}

const KIND_WEIGHT = KIND_WEIGHTS.reduce((sum, weight) => sum + weight, 0)

/** A render came, or cannot come any more. */
function release(bid: Bid): void {
  if (bid.held === null) return
  bid.held.pending -= bid.cost
  bid.held = null
}
