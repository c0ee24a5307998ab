import type { ClosedTotals, ShardGrant, ShardReport } from '../../../src/budgets/shard-messages.ts'
import type { Impression, TrackedEvent } from '../impression.ts'
import type { AdvertiserFacts, CampaignFacts } from '../market.ts'
import type { NodePlace, WorkerPlace } from '../places.ts'
import { Breach, ofCampaign } from './breach.ts'
import {
  type Book,
  billedOn,
  countTold,
  type DayBook,
  dayHolding,
  dayOf,
  newBook,
  newStop,
  noteServed,
  noteTold,
  outOn,
  ownOf,
  type Reach,
  type Slip,
  type Stop,
  slipNamed,
  slipOf,
  slipsOf,
} from './days.ts'

/** A charge, or a part of one, that was given back: micros of a day's charge under a fence. */
export interface GivenBack {
  readonly serial: number
  readonly fence: number
  readonly start: number
  readonly amount: number
}

/** Money of a campaign's day that a worker moved to its treasury, or back to the home. */
export interface Moved {
  readonly campaign: number
  readonly dayStart: number
  readonly amountMicros: number
}

const WORKERS_MAX = 1024
/** After a stop, and after midnight, leases are released before every node has heard of it. */
const RELEASED_MS = 10_000
/** What happened is told within this, whatever is lost. */
const TOLD_MS = 3_600_000
/** A day after its end the last click has come. */
const LAPSED_MS = 25 * 3_600_000

/** The auditor's book of charges: money, caps, balances and days, from what workers charged and messages said. */
export class ChargeBook {
  readonly books = new Map<number, Book>()
  private readonly advertisers = new Map<number, AdvertiserFacts>()
  /** By the serial of the impression: what was charged, and what of it was given back. */
  private readonly chargesBySerial = new Map<number, { facts: CampaignFacts; amount: number; back: number }>()
  private readonly billedBy = new Map<number, number>()
  private readonly outBy = new Map<number, number>()
  /** By worker and campaign: the newest fence that arrived, and when; whether it was told to stop. */
  private readonly fences = new Map<number, number>()
  private readonly fencedAt = new Map<number, number>()
  private readonly stopped = new Set<number>()
  /** Of the home, by worker and campaign: the newest that arrived there, and the newest that came back from there. */
  private readonly incarnations = new Map<number, number>()
  private readonly echoes = new Map<number, number>()
  overbilledMicros = 0
  reversedMicros = 0
  /** Spend by slot of fifteen minutes of the impression, of even campaigns. */
  readonly slots = new Map<number, Map<number, number>>()
  /** Of campaigns that were paused, how long each was served after that. */
  readonly stops: Stop[] = []

  constructor(
    advertisers: readonly AdvertiserFacts[],
    private readonly now: () => number,
    private readonly exactDays: boolean,
    private readonly reachOf: (node: NodePlace) => Reach,
  ) {
    for (const advertiser of advertisers) {
      this.advertisers.set(advertiser.number, advertiser)
      for (const facts of advertiser.campaigns) {
        this.books.set(facts.number, newBook(facts))
      }
    }
  }

  /** A node chose, with the money of a day that is not over: how long after a stop. Returns the start of that day. */
  chosen(node: NodePlace, { campaign: { number }, chosenAt }: Impression, cost: number): number {
    const book = this.books.get(number)!
    book.chosenValue += cost
    const of = dayHolding(book, chosenAt)
    if (of === null || this.now() < of.start || this.now() >= (of.end ?? of.start) + RELEASED_MS) {
      throw new Breach(
        `node ${node.boot} chose campaign ${number} for the day of ${new Date(chosenAt).toISOString()} at ${new Date(this.now()).toISOString()}`,
        { campaign: number, node: node.boot },
      )
    }
    this.noteService(node, book)
    return of.start
  }

  private noteService(node: NodePlace, book: Book): void {
    const day = dayHolding(book, this.now())
    const reach = this.reachOf(node)
    if (book.pausedAt !== null) noteServed(book.servedPaused, this.now(), book.pausedAt, reach)
    if (day !== null && day.exhaustedAt !== null) noteServed(day.served, this.now(), day.exhaustedAt, reach)
  }

  /** The home grants: what is out with workers stays within the cap of the day and the advertiser's money. */
  told(worker: WorkerPlace, grants: readonly ShardGrant[]): void {
    for (const grant of grants) {
      const book = this.books.get(grant.campaign)!
      for (const said of grant.days) {
        if (said.granted === 0) continue
        const day = dayOf(book, said.start)
        day.end = said.end
        const slip = slipOf(day, worker, grant.fence)
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

  /**
   * A restored home goes on with a link that it had given up and forgotten: what is charged there is billed, and what was
   * told of it before the home had heard from all shards counts.
   */
  private takenUp(book: Book, day: DayBook, slip: Slip): void {
    const before = billedOn(day)
    slip.fenced = false
    slip.honoured = null
    countTold(slip)
    this.note(book, day, before)
    this.restateOut(book, day)
  }

  /**
   * Grants reached a worker. What a home before a restore says is refused once the new one was heard. Returns the
   * campaigns that stop with it, or were given up: their leases are void.
   */
  arrived(worker: WorkerPlace, grants: readonly ShardGrant[]): number[] {
    const voided: number[] = []
    for (const grant of grants) {
      const line = grant.campaign * WORKERS_MAX + worker.shardNumber
      const fence = this.fences.get(line) ?? 0
      if (grant.incarnation < (this.incarnations.get(line) ?? 0) || grant.fence < fence) continue
      this.incarnations.set(line, grant.incarnation)
      if (grant.fence > fence) {
        this.fences.set(line, grant.fence)
        this.fencedAt.set(line, this.now())
      }
      if (grant.fence > fence || (grant.stopped && !this.stopped.has(line))) voided.push(grant.campaign)
      if (grant.stopped) this.stopped.add(line)
      else this.stopped.delete(line)
      for (const said of grant.days) {
        if (said.granted === 0) continue
        const slip = slipOf(dayOf(this.books.get(grant.campaign)!, said.start), worker, grant.fence)
        slip.arrived = Math.max(slip.arrived, said.granted)
      }
    }
    return voided
  }

  /** A worker tells the home: what it gives back is not its own from here on. Returns the campaigns that did. */
  said(worker: WorkerPlace, reports: readonly ShardReport[]): Moved[] {
    const returned: Moved[] = []
    for (const report of reports) {
      for (const said of report.days) {
        const slip = slipOf(dayOf(this.books.get(report.campaign)!, said.start), worker, report.fence)
        if (said.returned <= slip.returned) continue
        // What is refunded goes back with it, and was not free before.
        const refunded = slip.refunded - slip.returnedRefunds
        slip.returnedRefunds = slip.refunded
        const amountMicros = said.returned - slip.returned - refunded
        if (amountMicros > 0) returned.push({ campaign: report.campaign, dayStart: said.start, amountMicros })
        slip.returned = said.returned
      }
    }
    return returned
  }

  /**
   * A worker moved money of a day to its treasury, or back to the home: what it has and has not charged still covers what
   * nodes may choose with (R), under this epoch and older ones whose leases have not ended, and what is chosen may cost (H).
   */
  checkCovered(
    worker: WorkerPlace,
    { campaign, dayStart, amountMicros }: Moved,
    to: 'home' | 'treasury',
    out: () => { readonly inHand: number; readonly held: number },
  ): void {
    const book = this.books.get(campaign)!
    const day = dayHolding(book, this.now())
    // Around midnight nodes have money in hand of either day.
    if (day === null || day.start !== dayStart || this.now() - day.start < RELEASED_MS) return
    const line = campaign * WORKERS_MAX + worker.shardNumber
    // After a fence nodes have money in hand that is no more their worker's: too much may be chosen, not billed.
    if (this.now() - (this.fencedAt.get(line) ?? Number.NEGATIVE_INFINITY) < RELEASED_MS) return
    const own = ownOf(slipOf(day, worker, this.fences.get(line) ?? 0))
    const price = priceOf(book.facts)
    // Less than pays for an event goes to where all fragments come together, whatever it is held for.
    if (to === 'home' && amountMicros < price) return
    const { inHand, held } = out()
    const left = own - (to === 'treasury' ? amountMicros : 0)
    if (inHand + held <= left + price) return
    throw new Breach(
      `worker ${worker.shardNumber} moved ${amountMicros} of campaign ${campaign} to the ${to} while its nodes have ${inHand} in hand and ${held} may still come of what they chose, of ${own}`,
      { campaign, node: null },
    )
  }

  /** A worker charged: once, to the day of the impression, and within every cap. */
  charged(
    worker: WorkerPlace,
    event: TrackedEvent,
    charge: { readonly fence: number; readonly dayStart: number; readonly amount: number },
  ): void {
    const { impression } = event
    const { campaign, chosenAt } = impression
    this.chargesBySerial.set(impression.serial, { facts: campaign, amount: charge.amount, back: 0 })
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
    const day = dayOf(book, charge.dayStart)
    const slip = slipOf(day, worker, charge.fence)
    const before = billedOn(day)
    slip.local += charge.amount
    this.note(book, day, before)
    if (campaign.pacing === 'even') this.noteSlot(campaign, impression.chosenAt, charge.amount)
  }

  refunded(worker: WorkerPlace, back: GivenBack): void {
    this.giveBack(worker, back)
  }

  /** What the home did not honour is given back to the advertiser: served by a region that was given up. */
  reversed(worker: WorkerPlace, back: GivenBack): void {
    const { number } = this.giveBack(worker, back)
    this.reversedMicros += back.amount
    this.books.get(number)!.reversed += back.amount
  }

  campaignOf({ serial }: GivenBack): number {
    return this.chargesBySerial.get(serial)?.facts.number ?? 0
  }

  /** A charge is given back once at most. */
  private giveBack(worker: WorkerPlace, { serial, fence, start, amount }: GivenBack): CampaignFacts {
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
    const day = dayOf(book, start)
    const before = billedOn(day)
    slipOf(day, worker, fence).refunded += amount
    this.note(book, day, before)
    return facts
  }

  /** A report reached the home. */
  reported(worker: WorkerPlace, report: ShardReport): void {
    const book = this.books.get(report.campaign)!
    this.hearEcho(book, worker, report)
    for (const said of report.days) {
      const slip = slipOf(dayOf(book, said.start), worker, report.fence)
      noteTold(slip, said)
      this.restateOut(book, dayOf(book, said.start))
    }
    for (const said of report.closed) this.heardClosed(book, report.shard, said)
  }

  /**
   * What a worker gave back of charges under an older fence, and was seen to, stands no more: a home that was restored
   * counts it before it says what stands, and may grant it again.
   */
  private heardClosed(book: Book, shard: number, said: ClosedTotals): void {
    const day = dayOf(book, said.start)
    const slip = slipNamed(day, shard, said.fence)
    if (slip === undefined || !slip.fenced) return
    const before = billedOn(day)
    const refunded = Math.min(said.refunded, slip.refunded)
    if (slip.honoured === null) slip.toldRefunded = Math.max(slip.toldRefunded, refunded)
    else slip.honoured = Math.min(slip.honoured, slip.local - refunded)
    this.note(book, day, before)
    this.restateOut(book, day)
  }

  /** What was granted before a restore and has not arrived is nobody's. */
  private hearEcho(book: Book, worker: WorkerPlace, report: ShardReport): void {
    const line = report.campaign * WORKERS_MAX + worker.shardNumber
    if (report.echoed <= (this.echoes.get(line) ?? 0)) return
    this.echoes.set(line, report.echoed)
    for (const day of book.days.values()) {
      for (const slip of slipsOf(day, worker)) slip.granted = slip.arrived
      this.restateOut(book, day)
    }
  }

  /** The home has given a worker up: what it charged and has not told of is not billed, unless it is honoured. */
  fenced(worker: WorkerPlace, campaign: number): void {
    for (const day of this.books.get(campaign)!.days.values()) {
      for (const slip of slipsOf(day, worker)) {
        if (slip.fenced) continue
        const before = billedOn(day)
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
    const day = dayOf(book, said.start)
    const slip = slipNamed(day, report.shard, said.fence)
    if (slip === undefined) return
    const before = billedOn(day)
    slip.fenced = true
    slip.honoured = said.charged
    this.note(book, day, before)
    this.restateOut(book, day)
  }

  gaveAway(facts: CampaignFacts, amount: number): void {
    this.books.get(facts.number)!.givenAway += amount
  }

  /** Paused by hand, or resumed: how long it was served after that. */
  paused(campaign: number, is: boolean): void {
    const book = this.books.get(campaign)!
    if (book.pausedAt !== null && !is) this.stops.push(book.servedPaused)
    book.pausedAt = is ? this.now() : null
    book.servedPaused = newStop()
  }

  capChanged(facts: CampaignFacts, cap: number): void {
    for (const day of this.books.get(facts.number)!.days.values()) {
      day.capMost = Math.max(day.capMost, cap)
      day.capChanged = true
      day.exhaustedAt = null
    }
  }

  /**
   * When all was told and every hold has lapsed: of days that are over each link's totals agree on both sides, nothing is
   * out, and of links that were closed both sides say the same.
   */
  checkDrained(worker: WorkerPlace): void {
    for (const [campaign, book] of this.books) {
      const fence = this.fences.get(campaign * WORKERS_MAX + worker.shardNumber) ?? 0
      for (const day of book.days.values()) {
        if (day.end === null || day.end > this.now() - TOLD_MS) continue
        for (const slip of slipsOf(day, worker)) {
          const isOpen = slip === slipNamed(day, worker.shardNumber, fence)
          const fault = isOpen ? openFault(slip, day.end <= this.now() - LAPSED_MS) : closedFault(slip)
          if (fault === null) continue
          throw new Breach(
            `campaign ${campaign} and worker ${worker.shardNumber} end the day of ${new Date(day.start).toISOString()} apart: ${fault}`,
            { campaign, node: null },
          )
        }
      }
    }
  }

  private restateOut(book: Book, day: DayBook): void {
    const out = outOn(day)
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
    const billed = billedOn(day)
    const { facts } = book
    const more = billed - before
    const advertiser = this.advertisers.get(facts.advertiser)!
    const all = (this.billedBy.get(facts.advertiser) ?? 0) + more
    this.billedBy.set(facts.advertiser, all)
    if (billed <= day.capMost - priceOf(facts)) {
      // Reopened: by a refund, or because a region was given up and what it had not told of is not billed.
      day.exhaustedAt = null
      day.served = newStop()
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
}

function openFault(slip: Slip, isLapsed: boolean): string | null {
  if (slip.granted !== slip.arrived) return `${slip.granted} granted, ${slip.arrived} arrived`
  if (slip.returned !== slip.heardReturned) return `${slip.returned} returned, ${slip.heardReturned} heard`
  if (slip.local !== slip.toldCharged) return `${slip.local} charged, ${slip.toldCharged} heard`
  if (slip.refunded !== slip.toldRefunded) return `${slip.refunded} refunded, ${slip.toldRefunded} heard`
  return !isLapsed || ownOf(slip) === 0 ? null : `${ownOf(slip)} still out`
}

function closedFault(slip: Slip): string | null {
  const net = slip.local - slip.refunded
  const stands = slip.honoured ?? 0
  return net === stands ? null : `${net} charged under a fence that was raised, ${stands} stands`
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
