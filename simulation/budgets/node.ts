import { type NodeLease, NodeLeases, timeOfChoice } from '../../src/budgets/node-leases.ts'
import type { LeaseAsk, LeaseGrant } from '../../src/ports/treasury-link.ts'
import { heardCarelessly } from './breakages.ts'
import type { CampaignFacts } from './market.ts'
import type { Place } from './network.ts'
import type { Worker } from './worker.ts'
import type { World } from './world.ts'

/** A choice, as it travels in the token. */
export interface Impression {
  readonly serial: number
  readonly campaign: CampaignFacts
  /** The worker whose shard decides its events. */
  readonly worker: Worker
  /** By the wall clock of the node: tells the day. */
  readonly chosenAt: number
}

export interface TrackedEvent {
  readonly kind: 'render' | 'click'
  readonly impression: Impression
}

/** A fleet asks each treasury once a second where it has nothing to tell. */
const HEARTBEAT_MS = 1000
/** What changed is told so soon. */
const TELL_MS = 100
/** An event that was not acknowledged is sent again. */
const RESEND_MS = 2000
/** Campaigns that bid on a request: those that people see are not always the same. */
const BIDS_MAX = 3

/** A serving node: the production leases, around them a market of the barest kind. */
export class Node implements Place {
  readonly kind = 'node'
  readonly leases: NodeLeases
  alive = true
  /** No message passes, in or out. */
  cutOff = false
  private readonly candidates: NodeLease[][] = []
  private readonly known = new Set<NodeLease>()
  private readonly facts = new Map<NodeLease, CampaignFacts>()
  private telling = false
  /** Events that no log has acknowledged, by their key. */
  readonly spool = new Map<string, TrackedEvent>()

  constructor(
    private readonly world: World,
    readonly region: number,
    readonly boot: number,
    private readonly skewMs: number,
    private readonly drift: number,
    private readonly timerStart: number,
  ) {
    this.leases = new NodeLeases(boot, world.workersPerRegion, HEARTBEAT_MS)
    world.events.after(world.random.next() * HEARTBEAT_MS, () => this.heartbeat())
  }

  /** Its own timer: starts anywhere, runs a little fast or slow, never jumps. */
  timer(): number {
    if (this.world.breakage === 'node-clock') return this.wallClock()
    return (this.world.events.now - this.timerStart) * (1 + this.drift)
  }

  wallClock(): number {
    return Math.floor(this.world.events.now + this.skewMs)
  }

  onGrant(grant: LeaseGrant): void {
    if (!this.alive || this.cutOff) return
    const heard =
      this.world.breakage === 'node-clock'
        ? { ...grant, askSentAt: this.world.events.now }
        : heardCarelessly(grant, this.leases, this.world.breakage)
    for (const lease of this.leases.onGrant(heard, this.timer())) this.know(lease)
    this.leases.returnIdle(this.timer())
  }

  /** A request comes: an ad is chosen, or none. */
  serve(kind: number): void {
    const { world } = this
    const among = this.candidates[kind]
    if (among === undefined || among.length === 0) return
    const now = this.timer()
    let best: NodeLease | null = null
    let bestScore = 0
    let bids = 0
    const from = world.random.below(among.length)
    for (let look = 0; look < among.length && bids < BIDS_MAX; look++) {
      const lease = among[(from + look) % among.length]!
      const score = costOf(this.facts.get(lease)!)
      if (this.leases.left(lease, now) < score || world.random.next() >= lease.pacing) continue
      bids++
      if (score <= bestScore) continue
      best = lease
      bestScore = score
    }
    if (best === null) return
    const campaign = this.facts.get(best)!
    const full = campaign.amount * 1000
    const variance = campaign.model === 'cpc' ? full * full * campaign.predictedRate : 0
    this.leases.record(best, 1, bestScore, variance, now)
    this.tell()
    const worker = world.workerOf(this.region, best.partition)
    const impression = {
      serial: world.nextSerial(),
      campaign,
      worker,
      chosenAt: timeOfChoice(best, this.wallClock()),
    }
    world.auditor.chosen(this, best, impression, bestScore)
    world.live(this, impression)
  }

  /** An event of one of its impressions comes in: it is the log's once that has acknowledged it. */
  track(event: TrackedEvent): void {
    if (!this.alive) return
    this.spool.set(keyOf(event), event)
    this.forward(event)
  }

  die(): void {
    this.alive = false
  }

  /** Sends what changed to the treasuries of the region. */
  private heartbeat(): void {
    // With the last request there is nothing more to be granted.
    if (!this.alive || this.world.events.now > this.world.end + 60_000) return
    this.askAll()
    this.world.events.after(HEARTBEAT_MS * (0.9 + 0.2 * this.world.random.next()), () => this.heartbeat())
  }

  private tell(): void {
    if (this.telling) return
    this.telling = true
    this.world.events.after(TELL_MS, () => {
      this.telling = false
      if (this.alive) this.askAll()
    })
  }

  private askAll(): void {
    const now = this.timer()
    this.leases.returnIdle(now)
    for (const ask of this.leases.asks(now)) this.ask(ask)
  }

  private ask(ask: LeaseAsk): void {
    const { world } = this
    const worker = world.workerOf(this.region, ask.partition)
    if (this.cutOff) return
    world.auditor.sent(ask)
    world.leaseMessages++
    world.network.send(this, worker, () => worker.onAsk(ask))
  }

  private forward(event: TrackedEvent): void {
    const { world } = this
    const { worker } = event.impression
    if (!this.cutOff) {
      world.network.send(this, worker, () =>
        worker.append(event, () => world.network.send(worker, this, () => this.spool.delete(keyOf(event)))),
      )
    }
    world.events.after(RESEND_MS, () => {
      if (this.spool.has(keyOf(event))) this.forward(event)
    })
  }

  private know(lease: NodeLease): void {
    if (this.known.has(lease)) return
    const campaign = this.world.campaigns.get(lease.campaign)!
    this.known.add(lease)
    this.facts.set(lease, campaign)
    for (const kind of campaign.kinds) {
      this.candidates[kind] ??= []
      this.candidates[kind].push(lease)
    }
  }
}

/** What a choice may cost, thousandths of a micro: the price, or the click that is expected. */
function costOf(campaign: CampaignFacts): number {
  return campaign.model === 'cpm'
    ? campaign.amount
    : Math.max(1, Math.round(campaign.amount * 1000 * campaign.predictedRate))
}

function keyOf({ kind, impression }: TrackedEvent): string {
  return `${impression.serial}${kind === 'click' ? 'c' : 'r'}`
}
