import { NodeLeases, timeOfChoice } from '../../src/budgets/node-leases.ts'
import type { LeaseAsk, LeaseGrant } from '../../src/ports/treasury-link.ts'
import { heardCarelessly } from './breakages.ts'
import { type Candidate, Candidates, isSpent } from './candidates.ts'
import { type Impression, keyOf, type TrackedEvent } from './impression.ts'
import type { CampaignFacts } from './market.ts'
import type { ServingNode, Surroundings } from './surroundings.ts'

interface Spooled {
  readonly event: TrackedEvent
  readonly sentAt: number
}

/** A node of a fleet tells each treasury once a second what changed until then. */
const TURN_MS = 1020
/** Where nothing did, it asks all the same: one of two may be lost, and the leases go on. By its own timer, which may run slow. */
const HEARTBEAT_MS = 2000
/** After the last request. */
const LAST_WORDS_MS = 15_000
/** A node that had no ad for a request tells so soon what it has chosen. */
const DRY_MS = 100
/** An event that was not acknowledged is sent again. */
const RESEND_MS = 2000
/** Campaigns that bid on a request: those that people see are not always the same. */
const BIDS_MAX = 3

/** A serving node: the production leases, around them a market of the barest kind. */
export class Node implements ServingNode {
  readonly kind = 'node'
  readonly leases: NodeLeases
  alive = true
  /** No message passes, in or out. */
  cutOff = false
  private readonly candidates = new Candidates()
  private telling = false
  /** Events that no log has acknowledged, by their key; those that were sent last come last. */
  readonly spool = new Map<number, Spooled>()
  private resending = false

  constructor(
    private readonly world: Surroundings,
    readonly region: number,
    readonly boot: number,
    private readonly skewMs: number,
    private readonly drift: number,
    private readonly timerStart: number,
  ) {
    this.leases = new NodeLeases(boot, world.workersPerRegion, HEARTBEAT_MS)
    world.events.after(world.random.next() * TURN_MS, this.turn)
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
    for (const lease of this.leases.onGrant(heard, this.timer())) {
      if (lease.granted > 0) this.candidates.add(lease, this.factsOf)
    }
    this.leases.returnIdle(this.timer())
  }

  /** A request comes: an ad is chosen, or none. */
  serve(kind: number): void {
    const { world } = this
    const among = this.candidates.ofKind(kind)
    if (among.length === 0) return
    const now = this.timer()
    let best: Candidate | null = null
    let bids = 0
    let place = world.random.below(among.length)
    for (let looks = among.length; looks > 0 && bids < BIDS_MAX; looks--) {
      if (place >= among.length) place = 0
      const candidate = among[place]!
      if (isSpent(candidate)) {
        this.candidates.leave(kind, place)
        continue
      }
      place++
      const { lease, cost } = candidate
      if (this.leases.left(lease, now) < cost || (lease.pacing < 1 && world.random.next() >= lease.pacing)) {
        continue
      }
      bids++
      if (best === null || cost > best.cost) best = candidate
    }
    if (best === null) {
      this.tellDry()
      return
    }
    this.choose(best, now)
  }

  private choose({ lease, facts: campaign, cost }: Candidate, now: number): void {
    const { world } = this
    const full = campaign.amount * 1000
    const variance = campaign.model === 'cpc' ? full * full * campaign.predictedRate : 0
    this.leases.record(lease, 1, cost, variance, now)
    const worker = world.workerOf(this.region, lease.partition)
    const impression: Impression = {
      serial: world.nextSerial(),
      campaign,
      worker,
      chosenAt: timeOfChoice(lease, this.wallClock()),
    }
    world.auditor.chosen(this, lease, impression, cost)
    world.live(this, impression)
  }

  /** An event of one of its impressions comes in: it is the log's once that has acknowledged it. */
  track(event: TrackedEvent): void {
    if (this.alive) this.forward(keyOf(event), event)
  }

  die(): void {
    this.alive = false
  }

  private readonly factsOf = (campaign: number): CampaignFacts => this.world.campaigns.get(campaign)!

  /** Sends what changed to the treasuries of the region, or that it is there. */
  private readonly turn = (): void => {
    // With the last request there is nothing more to be granted: what was chosen has been told a dozen times.
    if (!this.alive || this.world.events.now > this.world.end + LAST_WORDS_MS) return
    this.askAll()
    this.world.events.after(TURN_MS, this.turn)
  }

  private tellDry(): void {
    if (this.telling) return
    this.telling = true
    this.world.events.after(DRY_MS, () => {
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

  private forward(key: number, event: TrackedEvent): void {
    const { world } = this
    const { region, index } = event.impression.worker
    const worker = world.workerOf(region, index)
    this.spool.delete(key)
    this.spool.set(key, { event, sentAt: world.events.now })
    if (!this.cutOff) {
      world.network.send(this, worker, () =>
        worker.append(event, () => world.network.send(worker, this, () => this.spool.delete(key))),
      )
    }
    this.resendLater(RESEND_MS)
  }

  /** One timer for the node: most events are acknowledged long before. */
  private resendLater(ms: number): void {
    if (this.resending) return
    this.resending = true
    const { events } = this.world
    events.after(ms, () => {
      this.resending = false
      for (const [key, { event, sentAt }] of this.spool) {
        const ageMs = events.now - sentAt
        if (ageMs < RESEND_MS) {
          this.resendLater(RESEND_MS - ageMs)
          return
        }
        this.forward(key, event)
      }
    })
  }
}
