import { HOUR_MS, MINUTE_MS } from '../../src/core/time.ts'
import { Random } from '../random.ts'
import { Auditor } from './audit/auditor.ts'
import type { Reach } from './audit/days.ts'
import { type Watch, WatchingAuditor } from './audit/watching-auditor.ts'
import { AddingGrants, type Breakage, keepGrants } from './breakages.ts'
import { Events } from './events.ts'
import { CRASH_STEPS, noFaults } from './faults.ts'
import { Home } from './home.ts'
import type { Impression } from './impression.ts'
import {
  type CampaignFacts,
  clickDelayMs,
  KIND_WEIGHTS,
  type Market,
  makeMarket,
  RENDER_SHARE,
} from './market.ts'
import type { FromHome, FromWorker } from './messages.ts'
import { CUT_REGION, Network } from './network.ts'
import { Node } from './node.ts'
import type { NodePlace, WorkerPlace } from './places.ts'
import type { Scenario } from './scenarios.ts'
import type { ServingNode, Surroundings } from './surroundings.ts'
import { type Curve, weekCurve } from './traffic.ts'
import { Worker } from './worker.ts'

/** A Sunday: daylight saving ends in New York on it, and ended in Europe a week before. */
const EPOCH = Date.parse('2026-11-01T00:00:00.000Z')
const WORKERS_PER_REGION = 2
/** After the last request: clicks come for a day, holds lapse, everything is told. */
const DRAIN_HOURS = 30
const TRAFFIC_STEP_MS = 1000
const TRACK_MS_MAX = 400
/** Of their time, that timers of ordinary machines are within. */
const DRIFT_SHARE = 0.001
const BOOTS_PER_REGION = 64
/** Many leases long. */
const CUT_OFF_MS = 30_000

/** Everything around the protocol: regions, nodes, people, and what goes wrong. One seed, one run, the same to the byte. */
export class World implements Surroundings {
  readonly events: Events
  readonly random: Random
  readonly network: Network
  readonly market: Market
  readonly campaigns = new Map<number, CampaignFacts>()
  readonly auditor: Auditor
  readonly home: Home
  readonly workers: Worker[] = []
  readonly nodes: Node[] = []
  readonly workersPerRegion = WORKERS_PER_REGION
  readonly start: number
  readonly end: number
  readonly curve: Curve
  /** Asks and grants between nodes and treasuries. */
  leaseMessages = 0
  /** Reports and grants between shards and their campaigns. */
  shardMessages = 0
  requests = 0
  readonly faults = noFaults()
  private readonly adding = new AddingGrants()
  private serials = 0
  private boots = 0
  private readonly byBoot = new Map<number, Node>()
  /** Campaigns that were given a shard on every worker of a region. */
  private readonly spread = new Set<number>()
  /** Of impressions that are told again. */
  private readonly clicked = new Set<number>()
  private readonly kindsUpTo: number[]
  private healedAt = Number.NEGATIVE_INFINITY
  /** When the home was up again after it was down last. */
  homeUpSince = Number.NEGATIVE_INFINITY

  constructor(
    readonly scenario: Scenario,
    seed: number,
    watch: Watch | null = null,
    readonly breakage: Breakage | null = null,
  ) {
    this.random = new Random(seed)
    this.start = EPOCH + scenario.startHour * HOUR_MS
    this.end = this.start + scenario.hours * HOUR_MS
    this.events = new Events(this.start)
    this.network = new Network(this.events, this.random, scenario.faults, this.faults)
    this.curve = weekCurve()
    this.market = makeMarket(scenario, this.random)
    for (const facts of this.market.campaigns) this.campaigns.set(facts.number, facts)
    let sum = 0
    this.kindsUpTo = KIND_WEIGHTS.map(weight => (sum += weight))
    const audited = [
      this.market.advertisers,
      () => this.events.now,
      scenario.faults.clockSkewMs < MINUTE_MS,
      (node: NodePlace) => this.reachOf(node),
    ] as const
    this.auditor =
      watch === null
        ? new Auditor(...audited)
        : new WatchingAuditor(watch, () => new Date(this.events.now).toISOString().slice(0, 23), ...audited)
    for (let region = 0; region < scenario.regions; region++) {
      for (let index = 0; index < WORKERS_PER_REGION; index++) {
        this.workers.push(new Worker(this, region, index, this.workers.length + 1))
      }
    }
    this.home = new Home(this, this.market.advertisers)
    this.learnCurve()
    for (let i = 0; i < scenario.nodes; i++) this.addNode(i % scenario.regions)
    for (const facts of this.market.campaigns) {
      for (const worker of this.workersFor(facts)) this.home.announce(worker, facts.number)
    }
    this.traffic()
    this.plan()
  }

  get isDraining(): boolean {
    return this.events.now > this.end + 2 * MINUTE_MS
  }

  /** When everything has been told and every hold has lapsed. */
  get drained(): number {
    return this.end + DRAIN_HOURS * HOUR_MS
  }

  /** Returns how many things happened. */
  runUntil(at: number): number {
    return this.events.runUntil(at)
  }

  workerOf(region: number, index: number): Worker {
    return this.workers[region * WORKERS_PER_REGION + index]!
  }

  /** Where a campaign has shards: one worker in each of its regions, all of them where it is hot. */
  workersFor(facts: CampaignFacts): Worker[] {
    return this.workers.filter(worker => this.serves(worker, facts))
  }

  /** Whether a campaign has a shard on a worker. */
  serves({ region, index }: WorkerPlace, facts: CampaignFacts): boolean {
    const isIts = this.spread.has(facts.number) || (facts.number / 256) % WORKERS_PER_REGION === index
    return isIts && facts.regions.includes(region)
  }

  nodeOf(boot: number): Node | undefined {
    return this.byBoot.get(boot)
  }

  nextSerial(): number {
    return this.serials++
  }

  toHome(from: WorkerPlace, message: FromWorker): void {
    this.shardMessages++
    this.auditor.said(from, message.reports)
    this.network.send(from, this.home, () => this.home.onReports(from, message))
  }

  toWorker({ region, index }: WorkerPlace, message: FromHome): void {
    const { grants } = message
    const to = this.workerOf(region, index)
    this.shardMessages++
    this.auditor.told(to, grants)
    if (this.breakage === 'merge-by-adding') {
      const differences = this.adding.differences(to, grants)
      this.network.send(this.home, to, () =>
        to.onGrants({ ...message, grants: this.adding.added(to, differences) }),
      )
      return
    }
    this.network.send(this.home, to, () => to.onGrants(message))
  }

  /** What becomes of a chosen impression: it is shown, and maybe clicked. */
  live(node: ServingNode, impression: Impression): void {
    const { random, events } = this
    const worker = this.workerOf(impression.worker.region, impression.worker.index)
    if (!random.chance(RENDER_SHARE)) return
    const through = () => this.reporting(node)
    const shownAfter = 100 + random.below(1500)
    this.happen(shownAfter, () => through().track({ kind: 'render', impression }))
    const { campaign } = impression
    if (random.chance(campaign.trueRate)) {
      const after = shownAfter + clickDelayMs(random)
      if (after < 24 * HOUR_MS) {
        this.happen(after, () => through().track({ kind: 'click', impression }))
        if (this.scenario.faults.replay) this.clicked.add(impression.serial)
      }
    }
    if (this.scenario.faults.replay) {
      events.after(random.below(20) * HOUR_MS, () => {
        for (const kind of ['render', 'click'] as const) {
          if (kind !== 'render' && !this.clicked.has(impression.serial)) continue
          this.faults.eventReplayed++
          through().track({ kind, impression })
        }
      })
    }
    if (random.chance(this.scenario.refundShare)) {
      const after = random.below(4) * HOUR_MS
      events.after(after, () => worker.refund(impression.serial))
      if (this.breakage === 'refund-twice') {
        events.after(after + HOUR_MS, () => worker.refund(impression.serial))
      }
    }
  }

  private happen(ms: number, run: () => void): void {
    this.events.after(ms + this.random.below(TRACK_MS_MAX), run)
  }

  /** The node that a person's pixel reaches: the one that chose, or where that is gone another of its region. */
  private reporting(node: ServingNode): ServingNode {
    if (node.alive) return node
    const others = this.nodes.filter(other => other.region === node.region && other.alive)
    return others.length === 0 ? node : this.random.pick(others)
  }

  private addNode(region: number, spool?: Node): Node {
    const { random, scenario } = this
    const { clockSkewMs, driftShare } = scenario.faults
    const skew = clockSkewMs * (2 * random.next() - 1)
    const drift = driftShare * (2 * random.next() - 1)
    if (Math.abs(skew) >= MINUTE_MS) this.faults.clockSkewed++
    if (Math.abs(skew) >= 12 * HOUR_MS) this.faults.clockSkewedHours++
    if (Math.abs(drift) >= DRIFT_SHARE) this.faults.timerDrifted++
    const boot = ++this.boots * BOOTS_PER_REGION + region
    const node = new Node(this, region, boot, skew, drift, this.events.now - random.below(1_000_000))
    this.nodes.push(node)
    this.byBoot.set(boot, node)
    if (spool !== undefined) for (const { event } of spool.spool.values()) node.track(event)
    return node
  }

  /** A node dies and comes back under another boot number, with its spool or without. */
  private kill(node: Node): void {
    node.die()
    this.nodes.splice(this.nodes.indexOf(node), 1)
    const keepsSpool = !this.random.chance(this.scenario.faults.spoolLostShare)
    if (keepsSpool) this.faults.nodeKilledWithSpool++
    else this.faults.nodeKilled++
    this.events.after(2000 + this.random.below(10_000), () => {
      const next = this.addNode(node.region, keepsSpool ? node : undefined)
      if (this.breakage === 'node-keeps-grant') keepGrants(node, next, WORKERS_PER_REGION)
    })
  }

  /** Neither hears nor says anything for a while. */
  private cutOff(node: Node): void {
    if (node.cutOff) return
    node.cutOff = true
    this.faults.nodeCutOff++
    this.events.after(CUT_OFF_MS, () => {
      node.cutOff = false
    })
  }

  /** The home has seen a week of this traffic before. */
  private learnCurve(): void {
    for (let at = this.start - 8 * 24 * HOUR_MS; at < this.start; at += HOUR_MS) {
      this.home.curve.observe(at, Math.round(1000 * this.curve(at + HOUR_MS / 2)))
    }
  }

  private traffic(): void {
    const step = () => {
      if (this.events.now >= this.end) return
      const rate = this.scenario.requestsPerSecond * this.curve(this.events.now) * this.spikeTimes()
      const expected = (rate * this.nodes.length * TRAFFIC_STEP_MS) / 1000
      // Poisson, by the sum of many small chances.
      let count = Math.floor(expected)
      if (this.random.chance(expected - count)) count++
      for (let i = 0; i < count; i++)
        this.events.after(this.random.next() * TRAFFIC_STEP_MS, () => this.request())
      this.events.after(TRAFFIC_STEP_MS, step)
    }
    step()
  }

  private request(): void {
    if (this.nodes.length === 0) return
    this.requests++
    const dice = this.random.below(this.kindsUpTo.at(-1)!)
    this.random.pick(this.nodes).serve(this.kindsUpTo.findIndex(upTo => dice < upTo))
  }

  private spikeTimes(): number {
    const { spike } = this.scenario.faults
    if (spike === null) return 1
    const since = this.events.now - this.start - spike.at * HOUR_MS
    return since >= 0 && since < MINUTE_MS ? spike.times : 1
  }

  /** Schedules what goes wrong. */
  private plan(): void {
    const { faults, hours } = this.scenario
    const at = (hour: number, run: () => void) => this.events.after(hour * HOUR_MS, run)
    for (const { from, to, oneWay } of faults.cut) {
      at(from, () => this.cut(true, oneWay ?? false))
      at(to, () => this.cut(false, false))
    }
    if (faults.fencedAt !== null) {
      at(faults.fencedAt, () => {
        this.faults.regionGivenUp++
        for (const worker of this.workers) if (worker.region === CUT_REGION) this.home.fence(worker)
      })
    }
    for (const { from, to, backupAgeMinutes } of faults.homeLost) {
      at(from - backupAgeMinutes / 60, () => this.home.takeBackup())
      at(from, () => this.home.lose())
      at(to, () => {
        this.faults.homeRestored++
        this.home.restore()
      })
    }
    if (faults.shardsAdded) {
      for (const facts of this.market.campaigns.slice(0, 5)) at(hours * 0.2, () => this.spreadOut(facts))
    }
    if (faults.nodesCutOffPerMinute > 0) {
      this.everyMinute(() => {
        for (const node of this.nodes) if (this.random.chance(faults.nodesCutOffPerMinute)) this.cutOff(node)
      })
    }
    if (faults.nodesKilledPerMinute > 0) {
      this.everyMinute(() => {
        for (const node of [...this.nodes])
          if (this.random.chance(faults.nodesKilledPerMinute)) this.kill(node)
      })
    }
    const perMinute = (perHour: number) => this.random.chance(perHour / 60)
    this.everyMinute(() => {
      if (perMinute(faults.workerCrashesPerHour)) {
        this.random.pick(this.workers).crash(this.random.pick(CRASH_STEPS), faults.zombies)
      }
      if (perMinute(faults.homeCrashesPerHour)) {
        this.faults.homeCrashed++
        this.home.crash(this.random.below(5000))
      }
      if (faults.pauses && this.random.chance(0.3)) this.pauseSome()
      if (faults.capCuts && this.random.chance(0.05)) this.cutSome()
    })
  }

  /** Who can have heard of a stop: not through a home that is down, nor into a region that is cut off. */
  private reachOf({ cutOff, region }: NodePlace): Reach {
    if (!this.home.isUp) return 'regionCutOff'
    if (region !== CUT_REGION) return { since: this.homeUpSince, nodeCutOff: cutOff }
    if (this.network.cutIn || this.network.cutOut) return 'regionCutOff'
    return { since: Math.max(this.homeUpSince, this.healedAt), nodeCutOff: cutOff }
  }

  private cut(is: boolean, oneWay: boolean): void {
    if (!is) this.healedAt = this.events.now
    this.network.cutOut = is
    this.network.cutIn = is && !oneWay
  }

  private spreadOut(facts: CampaignFacts): void {
    this.spread.add(facts.number)
    for (const worker of this.workersFor(facts)) this.home.announce(worker, facts.number)
  }

  private pauseSome(): void {
    const { number } = this.random.pick(this.market.campaigns)
    this.home.pause(number, true)
    this.events.after(this.random.below(10) * MINUTE_MS, () => this.home.pause(number, false))
  }

  private cutSome(): void {
    const facts = this.random.pick(this.market.campaigns)
    const cap = facts.dailyCap
    this.home.cut(facts.number, Math.floor(cap * this.random.next()))
    this.events.after(this.random.below(10) * MINUTE_MS, () => this.home.cut(facts.number, cap))
  }

  private everyMinute(run: () => void): void {
    const turn = () => {
      if (this.events.now >= this.end) return
      run()
      this.events.after(MINUTE_MS, turn)
    }
    this.events.after(MINUTE_MS, turn)
  }
}
