import type { ShardGrant, ShardReport } from '../../src/budgets/shard-messages.ts'
import type { LeaseAsk, LeaseGrant } from '../../src/ports/treasury-link.ts'
import type { AdvertiserFacts, CampaignFacts } from './market.ts'
import type { Node, TrackedEvent } from './node.ts'
import type { Worker } from './worker.ts'

/** A breach of what must hold. */
export class Breach extends Error {
  override name = 'Breach'

  constructor(
    message: string,
    readonly of: { readonly campaign: number | null; readonly node: number | null },
  ) {
    super(message)
  }
}

/** What one worker says it charged of a day, under one fence: micros. */
interface Slip {
  local: number
  refunded: number
  /** As told to the home, before it gave the worker up. */
  toldCharged: number
  toldRefunded: number
  fenced: boolean
  honoured: number | null
}

interface DayBook {
  readonly start: number
  readonly slips: Map<string, Slip>
  /** The largest cap that was in force: money out before a cut comes back as it is returned. */
  capMost: number
  exhaustedAt: number | null
  servedAfterMs: number
  capChanged: boolean
}

interface Book {
  readonly facts: CampaignFacts
  readonly days: Map<number, DayBook>
  chosenValue: number
  givenAway: number
  pausedAt: number | null
  servedPausedMs: number
}

interface Handed {
  granted: number
  returned: number
  chosen: number
  /** What the node says that it chose and did not choose under this epoch: an older one's, held back again. */
  carried: number
}

const LEASE_MS = 5000
/** Timers that drift by a hundredth, and the way of the message that told the time. */
const LEASE_TOLERANCE = 1.02

/**
 * Recomputes all money by itself: from what nodes chose, what workers charged and what messages said. It shares no code
 * with the protocol and reads none of its state. It stops at the first breach.
 */
export class Auditor {
  readonly books = new Map<number, Book>()
  private readonly advertisers = new Map<number, AdvertiserFacts>()
  private readonly chargedEvents = new Set<number>()
  /** By node, partition, epoch and campaign. */
  private readonly handed = new Map<string, Handed>()
  private readonly leasedBy = new Map<string, number>()
  private readonly handedBy = new Map<string, number>()
  /** By node and partition: the epoch heard, and the true time at which the ask was sent that was answered last. */
  private readonly heardEpoch = new Map<string, number>()
  private readonly answeredAt = new Map<string, number>()
  private readonly billedBy = new Map<number, number>()
  /** True times at which asks were sent, by node and the time on them. */
  private readonly sentAt = new Map<string, number>()
  charges = 0
  repeats = 0
  overbilledMicros = 0
  reversedMicros = 0
  /** Spend by slot of fifteen minutes of the impression, of even campaigns. */
  readonly slots = new Map<number, Map<number, number>>()
  /** Of campaigns that were paused, how long each was served after that. */
  readonly stops: number[] = []

  constructor(
    advertisers: readonly AdvertiserFacts[],
    private readonly now: () => number,
    private readonly exactDays: boolean,
    /** Since when a node and its region have been in touch with the others; null where they are not. */
    private readonly connectedSince: (node: Node) => number | null,
  ) {
    for (const advertiser of advertisers) {
      this.advertisers.set(advertiser.number, advertiser)
      for (const facts of advertiser.campaigns) {
        this.books.set(facts.number, {
          facts,
          days: new Map(),
          chosenValue: 0,
          givenAway: 0,
          pausedAt: null,
          servedPausedMs: 0,
        })
      }
    }
  }

  /** A node chose: it must have been granted what it chose with, within the time of its lease. */
  chosen(node: Node, lease: { campaign: number; partition: number }, cost: number): void {
    const line = `${node.boot}:${lease.partition}`
    const epoch = this.heardEpoch.get(line) ?? 0
    const handed = this.handed.get(`${line}:${epoch}:${lease.campaign}`)
    const of = { campaign: lease.campaign, node: node.boot }
    if (handed === undefined)
      throw new Breach(`node ${node.boot} chose ${lease.campaign} with nothing granted`, of)
    handed.chosen += cost
    if (handed.chosen + handed.carried > handed.granted - handed.returned + 1e-3) {
      throw new Breach(
        `node ${node.boot} chose ${handed.chosen} of campaign ${lease.campaign}, was granted ${handed.granted} and gave ${handed.returned} back`,
        of,
      )
    }
    const silent = this.now() - (this.answeredAt.get(line) ?? Number.NEGATIVE_INFINITY)
    if (silent > LEASE_MS * LEASE_TOLERANCE) {
      throw new Breach(`node ${node.boot} chose ${silent} ms after its lease began`, of)
    }
    const book = this.books.get(lease.campaign)!
    book.chosenValue += cost
    const day = this.dayHolding(book, this.now())
    const since = this.connectedSince(node)
    if (since === null) return
    if (book.pausedAt !== null) book.servedPausedMs = this.now() - Math.max(since, book.pausedAt)
    if (day !== null && day.exhaustedAt !== null) {
      day.servedAfterMs = Math.max(day.servedAfterMs, this.now() - Math.max(since, day.exhaustedAt))
    }
  }

  /** A node sends an ask. */
  sent(ask: LeaseAsk): void {
    this.sentAt.set(`${ask.node}:${ask.partition}:${ask.sentAt}`, this.now())
    for (const said of ask.shards) {
      const handed = this.handedOf(`${ask.node}:${ask.partition}:${ask.epoch}:${said.campaign}`)
      const carried = Math.max(0, said.chosenThousandths - handed.chosen)
      const key = this.treasuryOf(ask, said.campaign)
      this.handedBy.set(key, (this.handedBy.get(key) ?? 0) - (carried - handed.carried))
      handed.carried = carried
    }
  }

  /** An ask reached a treasury. */
  asked(ask: LeaseAsk): void {
    for (const said of ask.shards) {
      const handed = this.handedOf(`${ask.node}:${ask.partition}:${ask.epoch}:${said.campaign}`)
      if (said.returnedThousandths <= handed.returned) continue
      const key = this.treasuryOf(ask, said.campaign)
      this.handedBy.set(key, (this.handedBy.get(key) ?? 0) - (said.returnedThousandths - handed.returned))
      handed.returned = said.returnedThousandths
    }
  }

  /** A treasury hands out: never more than was decided for its epoch. */
  granted(worker: Worker, epoch: number, grant: LeaseGrant): void {
    for (const said of grant.shards) {
      const handed = this.handedOf(`${grant.node}:${grant.partition}:${epoch}:${said.campaign}`)
      const more = said.grantedThousandths - handed.granted
      if (more <= 0) continue
      handed.granted = said.grantedThousandths
      const key = `${grant.partition}:${epoch}:${said.campaign}:${worker.region}`
      const out = (this.handedBy.get(key) ?? 0) + more
      this.handedBy.set(key, out)
      const leased = this.leasedBy.get(key) ?? 0
      if (out > leased * 1000 + 1e-3) {
        throw new Breach(`treasury ${key} handed out ${out}, ${leased * 1000} were leased`, {
          campaign: said.campaign,
          node: null,
        })
      }
    }
  }

  heard(node: Node, grant: LeaseGrant): void {
    const line = `${node.boot}:${grant.partition}`
    if (grant.epoch < (this.heardEpoch.get(line) ?? 0)) return
    this.heardEpoch.set(line, grant.epoch)
    if (grant.askSentAt === null) return
    const at = this.sentAt.get(`${line}:${grant.askSentAt}`)
    if (at !== undefined) this.answeredAt.set(line, Math.max(this.answeredAt.get(line) ?? 0, at))
  }

  leased(worker: Worker, epoch: number, campaign: number, amountMicros: number): void {
    const key = `${worker.index}:${epoch}:${campaign}:${worker.region}`
    this.leasedBy.set(key, (this.leasedBy.get(key) ?? 0) + Math.max(0, amountMicros))
  }

  /** A worker charged: once, to the day of the impression, and within every cap. */
  charged(
    worker: Worker,
    event: TrackedEvent,
    charge: { readonly fence: number; readonly dayStart: number; readonly amount: number },
  ): void {
    const { impression } = event
    const { campaign, chosenAt } = impression
    if (this.chargedEvents.has(impression.serial)) {
      throw new Breach(`impression ${impression.serial} was charged twice`, ofCampaign(campaign))
    }
    this.chargedEvents.add(impression.serial)
    this.charges++
    if (
      this.exactDays &&
      dayName(campaign.timeZone, chosenAt) !== dayName(campaign.timeZone, charge.dayStart)
    ) {
      throw new Breach(
        `an impression of ${new Date(chosenAt).toISOString()} was charged to another day`,
        ofCampaign(campaign),
      )
    }
    const book = this.books.get(campaign.number)!
    const day = this.dayOf(book, charge.dayStart)
    const slip = this.slipOf(day, worker, charge.fence)
    const before = this.billedOn(day)
    slip.local += charge.amount
    this.note(book, day, before)
    if (campaign.pacing === 'even') this.noteSlot(campaign, impression.chosenAt, charge.amount)
  }

  refunded(worker: Worker, facts: CampaignFacts, dayStart: number, amount: number): void {
    const day = this.dayOf(this.books.get(facts.number)!, dayStart)
    const slip = [...day.slips].filter(([key]) => key.startsWith(`${worker.shardNumber}:`)).at(-1)?.[1]
    if (slip === undefined) throw new Breach('a refund of what was never charged', ofCampaign(facts))
    const before = this.billedOn(day)
    slip.refunded += amount
    this.note(this.books.get(facts.number)!, day, before)
  }

  /** A report reached the home. */
  reported(worker: Worker, report: ShardReport): void {
    const book = this.books.get(report.campaign)!
    for (const said of report.days) {
      const slip = this.slipOf(this.dayOf(book, said.start), worker, report.fence)
      if (slip.fenced) continue
      slip.toldCharged = Math.max(slip.toldCharged, said.charged)
      slip.toldRefunded = Math.max(slip.toldRefunded, said.refunded)
    }
  }

  /** The home answers, or tells a worker unasked. */
  answered(_worker: Worker, _grant: ShardGrant): void {}

  /** The latest that concerned what is watched. */
  history(): readonly string[] {
    return []
  }

  /** The home has given a worker up: what it charged and has not told of is not billed, unless it is honoured. */
  fenced(worker: Worker, campaign: number): void {
    for (const day of this.books.get(campaign)!.days.values()) {
      for (const [key, slip] of day.slips) {
        if (!key.startsWith(`${worker.shardNumber}:`) || slip.fenced) continue
        const before = this.billedOn(day)
        slip.fenced = true
        this.note(this.books.get(campaign)!, day, before)
      }
    }
  }

  honoured(
    report: { readonly campaign: number; readonly shard: number },
    said: { readonly fence: number; readonly start: number; readonly charged: number },
  ): void {
    const book = this.books.get(report.campaign)!
    const day = this.dayOf(book, said.start)
    const slip = day.slips.get(`${report.shard}:${said.fence}`)
    if (slip === undefined) return
    const before = this.billedOn(day)
    slip.fenced = true
    slip.honoured = said.charged
    this.note(book, day, before)
  }

  reversed(_worker: Worker, facts: CampaignFacts, amount: number): void {
    this.reversedMicros += amount
    this.books.get(facts.number)!.givenAway += amount
  }

  gaveAway(facts: CampaignFacts, amount: number): void {
    this.books.get(facts.number)!.givenAway += amount
  }

  repeated(_event: TrackedEvent): void {
    this.repeats++
  }

  /** Paused by hand, or resumed: how long it was served after that. */
  paused(campaign: number, is: boolean): void {
    const book = this.books.get(campaign)!
    if (book.pausedAt !== null && !is) this.stops.push(book.servedPausedMs)
    book.pausedAt = is ? this.now() : null
    book.servedPausedMs = 0
  }

  capChanged(facts: CampaignFacts, cap: number): void {
    for (const day of this.books.get(facts.number)!.days.values()) {
      day.capMost = Math.max(day.capMost, cap)
      day.capChanged = true
      day.exhaustedAt = null
    }
  }

  /** What was billed of a day in the end. */
  billedOn(day: DayBook): number {
    let billed = 0
    for (const slip of day.slips.values()) {
      billed += slip.fenced
        ? (slip.honoured ?? slip.toldCharged - slip.toldRefunded)
        : slip.local - slip.refunded
    }
    return billed
  }

  givenAway(): number {
    let sum = 0
    for (const { givenAway } of this.books.values()) sum += givenAway
    return sum
  }

  private note(book: Book, day: DayBook, before: number): void {
    const billed = this.billedOn(day)
    const { facts } = book
    const more = billed - before
    const advertiser = this.advertisers.get(facts.advertiser)!
    const all = (this.billedBy.get(facts.advertiser) ?? 0) + more
    this.billedBy.set(facts.advertiser, all)
    if (billed <= day.capMost - priceOf(facts)) {
      // Reopened: by a refund, or because a region was given up and what it had not told of is not billed.
      day.exhaustedAt = null
      day.servedAfterMs = 0
    }
    if (more <= 0) return
    const over = Math.max(billed - day.capMost, all - advertiser.deposit)
    if (over > 0) {
      this.overbilledMicros = Math.max(this.overbilledMicros, over)
      throw new Breach(
        `campaign ${facts.number} was billed ${billed} of ${day.capMost} on a day, its advertiser ${all} of ${advertiser.deposit}`,
        ofCampaign(facts),
      )
    }
    if (!day.capChanged && day.exhaustedAt === null && billed > day.capMost - priceOf(facts)) {
      day.exhaustedAt = this.now()
    }
  }

  private noteSlot(facts: CampaignFacts, at: number, amount: number): void {
    let slots = this.slots.get(facts.number)
    if (slots === undefined) {
      slots = new Map()
      this.slots.set(facts.number, slots)
    }
    const slot = Math.floor(at / 900_000)
    slots.set(slot, (slots.get(slot) ?? 0) + amount)
  }

  private dayHolding(book: Book, at: number): DayBook | null {
    for (const day of book.days.values()) {
      if (at >= day.start && at < day.start + 82_800_000) return day
    }
    return null
  }

  private dayOf(book: Book, start: number): DayBook {
    let day = book.days.get(start)
    if (day === undefined) {
      day = {
        start,
        slips: new Map(),
        capMost: book.facts.dailyCap,
        exhaustedAt: null,
        servedAfterMs: 0,
        capChanged: false,
      }
      book.days.set(start, day)
    }
    return day
  }

  private slipOf(day: DayBook, worker: Worker, fence: number): Slip {
    const key = `${worker.shardNumber}:${fence}`
    let slip = day.slips.get(key)
    if (slip === undefined) {
      slip = { local: 0, refunded: 0, toldCharged: 0, toldRefunded: 0, fenced: false, honoured: null }
      day.slips.set(key, slip)
    }
    return slip
  }

  private handedOf(key: string): Handed {
    let handed = this.handed.get(key)
    if (handed === undefined) {
      handed = { granted: 0, returned: 0, chosen: 0, carried: 0 }
      this.handed.set(key, handed)
    }
    return handed
  }

  /** Nodes are numbered so that a number tells its region. */
  private treasuryOf(ask: LeaseAsk, campaign: number): string {
    return `${ask.partition}:${ask.epoch}:${campaign}:${ask.node % 64}`
  }
}

function ofCampaign({ number }: CampaignFacts): Breach['of'] {
  return { campaign: number, node: null }
}

function priceOf(facts: CampaignFacts): number {
  return facts.model === 'cpc' ? facts.amount : Math.ceil(facts.amount / 1000)
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** The day in a zone, by the platform's own calendar. */
function dayName(timeZone: string, at: number): string {
  let format = formats.get(timeZone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
    formats.set(timeZone, format)
  }
  return format.format(at)
}
