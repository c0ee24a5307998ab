import type { ShardGrant, ShardReport } from '../../../src/budgets/shard-messages.ts'
import type { AdvertiserFacts, CampaignFacts } from '../market.ts'
import type { Node, TrackedEvent } from '../node.ts'
import type { Worker } from '../worker.ts'
import { Breach, ofCampaign } from './breach.ts'

/** A charge, or a part of one, that was given back: micros of a day's charge under a fence. */
export interface GivenBack {
  readonly serial: number
  readonly fence: number
  readonly start: number
  readonly amount: number
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
  /** Of the home's grants, the greatest sent and the greatest that arrived. */
  granted: number
  arrived: number
  /** What came back: as the worker sent it, and as the home heard it. */
  returned: number
  heardReturned: number
}

interface DayBook {
  readonly start: number
  /** By shard and fence. */
  readonly slips: Map<number, Slip>
  /** The largest cap that was in force: money out before a cut comes back as it is returned. */
  capMost: number
  exhaustedAt: number | null
  servedAfterMs: number
  capChanged: boolean
  /** Granted to workers and not heard to have come back. */
  out: number
}

interface Book {
  readonly facts: CampaignFacts
  readonly days: Map<number, DayBook>
  chosenValue: number
  givenAway: number
  pausedAt: number | null
  servedPausedMs: number
}

const FENCES_MAX = 2 ** 20
const WORKERS_MAX = 1024
/** After a stop, and after midnight, leases are released before every node has heard of it. */
const RELEASED_MS = 10_000

/** The auditor's book of charges: money, caps, balances and days, from what workers charged and messages said. */
export class ChargeBook {
  readonly books = new Map<number, Book>()
  private readonly advertisers = new Map<number, AdvertiserFacts>()
  /** By the serial of the impression: what was charged, and what of it was given back. */
  private readonly chargesBySerial = new Map<number, { facts: CampaignFacts; amount: number; back: number }>()
  private readonly billedBy = new Map<number, number>()
  private readonly outBy = new Map<number, number>()
  /** By worker and campaign: the newest fence that arrived, and when it was told to stop last. */
  private readonly fences = new Map<number, number>()
  private readonly stoppedAt = new Map<number, number>()
  /** Of the home, by worker and campaign: the newest that arrived there, and the newest that came back from there. */
  private readonly incarnations = new Map<number, number>()
  private readonly echoes = new Map<number, number>()
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

  /** A node chose: how long after a stop. */
  chosen(node: Node, campaign: number, cost: number): void {
    const book = this.books.get(campaign)!
    book.chosenValue += cost
    const day = this.dayHolding(book, this.now())
    const since = this.connectedSince(node)
    if (since === null) return
    if (book.pausedAt !== null) book.servedPausedMs = this.now() - Math.max(since, book.pausedAt)
    if (day !== null && day.exhaustedAt !== null) {
      day.servedAfterMs = Math.max(day.servedAfterMs, this.now() - Math.max(since, day.exhaustedAt))
    }
  }

  /** The home grants: what is out with workers stays within the cap of the day and the advertiser's money. */
  told(worker: Worker, grants: readonly ShardGrant[]): void {
    for (const grant of grants) {
      const book = this.books.get(grant.campaign)!
      for (const said of grant.days) {
        if (said.granted === 0) continue
        const day = this.dayOf(book, said.start)
        const slip = this.slipOf(day, worker, grant.fence)
        if (slip.fenced && !grant.undecided) this.takenUp(book, day, slip)
        if (said.granted <= slip.granted) continue
        slip.granted = said.granted
        this.restateOut(book, day)
        const { deposit } = this.advertisers.get(book.facts.advertiser)!
        const all = this.outBy.get(book.facts.advertiser)!
        if (day.out > day.capMost || all > deposit) {
          throw new Breach(
            `campaign ${grant.campaign} has ${day.out} of ${day.capMost} out on a day, its advertiser ${all} of ${deposit}`,
            { campaign: grant.campaign, node: null },
          )
        }
      }
    }
  }

  /** A restored home goes on with a link that it had given up and forgotten: what is charged there is billed. */
  private takenUp(book: Book, day: DayBook, slip: Slip): void {
    const before = this.billedOn(day)
    slip.fenced = false
    slip.honoured = null
    this.note(book, day, before)
    this.restateOut(book, day)
  }

  /** Grants reached a worker. What a home before a restore says is refused once the new one was heard. */
  arrived(worker: Worker, grants: readonly ShardGrant[]): void {
    for (const grant of grants) {
      const line = grant.campaign * WORKERS_MAX + worker.shardNumber
      if (grant.incarnation < (this.incarnations.get(line) ?? 0)) continue
      this.incarnations.set(line, grant.incarnation)
      this.fences.set(line, Math.max(this.fences.get(line) ?? 0, grant.fence))
      if (grant.stopped) this.stoppedAt.set(line, this.now())
      for (const said of grant.days) {
        if (said.granted === 0) continue
        const slip = this.slipOf(this.dayOf(this.books.get(grant.campaign)!, said.start), worker, grant.fence)
        slip.arrived = Math.max(slip.arrived, said.granted)
      }
    }
  }

  /** A worker tells the home: what it gives back is not its own from here on. */
  said(worker: Worker, reports: readonly ShardReport[]): void {
    for (const report of reports) {
      for (const said of report.days) {
        if (said.returned === 0) continue
        const slip = this.slipOf(
          this.dayOf(this.books.get(report.campaign)!, said.start),
          worker,
          report.fence,
        )
        slip.returned = Math.max(slip.returned, said.returned)
      }
    }
  }

  /**
   * A worker leases more to its treasury: with what nodes may still choose, under this epoch and older ones whose leases
   * have not ended, that is within what the worker has and has not charged.
   */
  checkLeased(worker: Worker, campaign: number, leased: number, inHandOf: () => number): void {
    const key = campaign * WORKERS_MAX + worker.shardNumber
    const day = this.dayHolding(this.books.get(campaign)!, this.now())
    if (day === null || this.now() - day.start < RELEASED_MS) return
    if (this.now() - (this.stoppedAt.get(key) ?? Number.NEGATIVE_INFINITY) < RELEASED_MS) return
    // After a fence nodes have money in hand that is no more their worker's: too much may be chosen, not billed.
    const fence = this.fences.get(key) ?? 0
    if (fence > 0) return
    const slip = this.slipOf(day, worker, fence)
    const own = slip.arrived - slip.returned - slip.local + slip.refunded
    const inHand = inHandOf()
    if (inHand + leased > own + 1) {
      throw new Breach(
        `worker ${worker.shardNumber} leased ${leased} of campaign ${campaign} while its nodes have ${inHand} in hand, of ${own}`,
        { campaign, node: null },
      )
    }
  }

  /** A worker charged: once, to the day of the impression, and within every cap. */
  charged(
    worker: Worker,
    event: TrackedEvent,
    charge: { readonly fence: number; readonly dayStart: number; readonly amount: number },
  ): void {
    const { impression } = event
    const { campaign, chosenAt } = impression
    if (this.chargesBySerial.has(impression.serial)) {
      throw new Breach(`impression ${impression.serial} was charged twice`, ofCampaign(campaign))
    }
    this.chargesBySerial.set(impression.serial, { facts: campaign, amount: charge.amount, back: 0 })
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

  refunded(worker: Worker, back: GivenBack): void {
    this.giveBack(worker, back)
  }

  /** What the home did not honour is given back to the advertiser: shown for nothing. */
  reversed(worker: Worker, back: GivenBack): void {
    const { number } = this.giveBack(worker, back)
    this.reversedMicros += back.amount
    this.books.get(number)!.givenAway += back.amount
  }

  campaignOf({ serial }: GivenBack): number {
    return this.chargesBySerial.get(serial)?.facts.number ?? 0
  }

  /** A charge is given back once at most. */
  private giveBack(worker: Worker, { serial, fence, start, amount }: GivenBack): CampaignFacts {
    const charge = this.chargesBySerial.get(serial)
    if (charge === undefined) {
      throw new Breach(`impression ${serial} was given back and never charged`, {
        campaign: null,
        node: null,
      })
    }
    const { facts } = charge
    charge.back += amount
    if (charge.back > charge.amount) {
      throw new Breach(
        `of impression ${serial} ${charge.back} were given back, ${charge.amount} charged`,
        ofCampaign(facts),
      )
    }
    const book = this.books.get(facts.number)!
    const day = this.dayOf(book, start)
    const before = this.billedOn(day)
    this.slipOf(day, worker, fence).refunded += amount
    this.note(book, day, before)
    return facts
  }

  /** A report reached the home. */
  reported(worker: Worker, report: ShardReport): void {
    const book = this.books.get(report.campaign)!
    this.hearEcho(book, worker, report)
    for (const said of report.days) {
      const slip = this.slipOf(this.dayOf(book, said.start), worker, report.fence)
      if (slip.fenced) continue
      slip.toldCharged = Math.max(slip.toldCharged, said.charged)
      slip.toldRefunded = Math.max(slip.toldRefunded, said.refunded)
      slip.heardReturned = Math.max(slip.heardReturned, said.returned)
      this.restateOut(book, this.dayOf(book, said.start))
    }
  }

  /** What was granted before a restore and has not arrived is nobody's. */
  private hearEcho(book: Book, worker: Worker, report: ShardReport): void {
    const line = report.campaign * WORKERS_MAX + worker.shardNumber
    if (report.echoed <= (this.echoes.get(line) ?? 0)) return
    this.echoes.set(line, report.echoed)
    for (const day of book.days.values()) {
      for (const [key, slip] of day.slips) if (isOf(worker, key)) slip.granted = slip.arrived
      this.restateOut(book, day)
    }
  }

  /** The home has given a worker up: what it charged and has not told of is not billed, unless it is honoured. */
  fenced(worker: Worker, campaign: number): void {
    for (const day of this.books.get(campaign)!.days.values()) {
      for (const [key, slip] of day.slips) {
        if (!isOf(worker, key) || slip.fenced) continue
        const before = this.billedOn(day)
        slip.fenced = true
        this.note(this.books.get(campaign)!, day, before)
        this.restateOut(this.books.get(campaign)!, day)
      }
    }
  }

  honoured(
    report: { readonly campaign: number; readonly shard: number },
    said: { readonly fence: number; readonly start: number; readonly charged: number },
  ): void {
    const book = this.books.get(report.campaign)!
    const day = this.dayOf(book, said.start)
    const slip = day.slips.get(report.shard * FENCES_MAX + said.fence)
    if (slip === undefined) return
    const before = this.billedOn(day)
    slip.fenced = true
    slip.honoured = said.charged
    this.note(book, day, before)
    this.restateOut(book, day)
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

  private restateOut(book: Book, day: DayBook): void {
    let out = 0
    for (const slip of day.slips.values()) {
      out += slip.fenced
        ? (slip.honoured ?? slip.toldCharged - slip.toldRefunded)
        : slip.granted - slip.heardReturned
    }
    const { advertiser } = book.facts
    this.outBy.set(advertiser, (this.outBy.get(advertiser) ?? 0) + out - day.out)
    day.out = out
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
        out: 0,
      }
      book.days.set(start, day)
    }
    return day
  }

  private slipOf(day: DayBook, worker: Worker, fence: number): Slip {
    const key = worker.shardNumber * FENCES_MAX + fence
    let slip = day.slips.get(key)
    if (slip === undefined) {
      slip = {
        local: 0,
        refunded: 0,
        toldCharged: 0,
        toldRefunded: 0,
        fenced: false,
        honoured: null,
        granted: 0,
        arrived: 0,
        returned: 0,
        heardReturned: 0,
      }
      day.slips.set(key, slip)
    }
    return slip
  }
}

function isOf(worker: Worker, slip: number): boolean {
  return Math.floor(slip / FENCES_MAX) === worker.shardNumber
}

function priceOf(facts: CampaignFacts): number {
  return facts.model === 'cpc' ? facts.amount : Math.ceil(facts.amount / 1000)
}

const QUARTER_MS = 900_000
const calendars = new Map<
  string,
  { readonly format: Intl.DateTimeFormat; readonly names: Map<number, string> }
>()

/**
 * The day in a zone, by the platform's own calendar. Zones are whole quarters of an hour from UTC, so that no day begins
 * within one: each is asked for once.
 */
function dayName(timeZone: string, at: number): string {
  let calendar = calendars.get(timeZone)
  if (calendar === undefined) {
    const format = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
    calendar = { format, names: new Map() }
    calendars.set(timeZone, calendar)
  }
  const quarter = Math.floor(at / QUARTER_MS)
  let name = calendar.names.get(quarter)
  if (name === undefined) {
    name = calendar.format.format(at)
    calendar.names.set(quarter, name)
  }
  return name
}
