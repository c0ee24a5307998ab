import type { LeaseAsk, LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { NodePlace, WorkerPlace } from '../places.ts'
import { Breach } from './breach.ts'
import type { Moved } from './charge-book.ts'

/** Of the newest term in which anything was handed out. */
interface Handed {
  term: number
  granted: number
  returned: number
  chosen: number
  /** The day of what is handed out. */
  dayStart: number
  /** Of what was granted, so much is void since then: the campaign was stopped, its region given up, or its day is over. */
  voided: number
  voidedAt: number
  /** The node was told so. */
  heardVoid: boolean
  /** Chosen since it was told, or should have been. */
  chosenAfter: number
}

/** What one node heard of one partition. */
interface LineBook {
  /** As the node has heard. */
  epoch: number
  term: number
  /** True time at which the ask was sent that was answered last. */
  answeredAt: number
  /** The latest asks, round and round: the time on each, and the true time at which it was sent. */
  readonly asks: Float64Array
  readonly askedAt: Float64Array
  asked: number
  /** By campaign and epoch. */
  readonly handed: Map<number, Handed>
}

/** What one epoch of a treasury has of a campaign: leased in micros, handed out in thousandths. */
interface TreasuryBook {
  leased: number
  handed: number
  /** Of the newest day of which anything was handed out. */
  dayStart: number
  handedOfDay: number
  /** By the start of the day. */
  readonly leasedOf: Map<number, number>
  readonly lines: Set<LineBook>
}

/** Of a node and partition: an answer comes within seconds, and ten asks a second are sent at most. */
const ASKS_KEPT = 256
const EPOCHS_MAX = 1024
const REGIONS_MAX = 64
const LEASE_MS = 5000
/** A node's lease has surely not ended so long before its time is over. */
const LEASE_MARGIN_MS = 500
/** Timers that drift by a hundredth, and the way of the message that told the time. */
const LEASE_TOLERANCE = 1.02
/** A stop, a fence and midnight reach every node that lives so soon, or its lease ends. */
const RELEASED_MS = 10_000

/** The auditor's book of leases: what treasuries were given and handed out, what nodes heard and chose, and when. */
export class LeaseBook {
  /** By node and partition. */
  private readonly lines = new Map<number, LineBook>()
  /** By campaign, epoch, region and partition. */
  private readonly treasuries = new Map<number, TreasuryBook>()
  /** By worker, the newest epoch of its treasury. */
  private readonly epochs = new Map<number, number>()

  constructor(private readonly now: () => number) {}

  /** A node chose: it must have been granted what it chose with, within the time of its lease. */
  chosen(node: NodePlace, lease: { campaign: number; partition: number }, cost: number): void {
    const line = this.lineOf(node.boot, lease.partition)
    const handed = line.handed.get(lease.campaign * EPOCHS_MAX + line.epoch)
    const of = { campaign: lease.campaign, node: node.boot }
    if (handed === undefined || handed.term !== line.term)
      throw new Breach(`node ${node.boot} chose ${lease.campaign} with nothing granted`, of)
    handed.chosen += cost
    if (handed.chosen > handed.granted - handed.returned + 1e-3) {
      throw new Breach(
        `node ${node.boot} chose ${handed.chosen} of campaign ${lease.campaign}, was granted ${handed.granted} and gave ${handed.returned} back`,
        of,
      )
    }
    const silent = this.now() - line.answeredAt
    if (silent > LEASE_MS * LEASE_TOLERANCE) {
      throw new Breach(`node ${node.boot} chose ${silent} ms after its lease began`, of)
    }
    const since = this.now() - handed.voidedAt
    if (!handed.heardVoid && since <= RELEASED_MS) return
    handed.chosenAfter += cost
    if (handed.chosenAfter > handed.granted - handed.voided + 1e-3) {
      throw new Breach(
        `node ${node.boot} chose ${handed.chosenAfter} of campaign ${lease.campaign} ${Math.round(since)} ms after a stop, a fence or midnight, was granted ${handed.granted - handed.voided} since`,
        of,
      )
    }
  }

  /** A worker heard that a campaign stops, or that it was given up: nothing that was granted before is to be chosen with. */
  voided(worker: WorkerPlace, campaign: number): void {
    const newest = this.epochs.get(worker.shardNumber) ?? 0
    for (const of of [newest - 2, newest - 1, newest]) {
      const treasury = this.treasuries.get(keyOf(campaign, of, worker.region, worker.index))
      for (const line of treasury?.lines ?? []) {
        this.void(handedOf(line, campaign, of))
      }
    }
  }

  private void(handed: Handed): void {
    handed.voided = handed.granted
    handed.voidedAt = this.now()
    handed.heardVoid = false
    handed.chosenAfter = 0
  }

  /** A node sends an ask. */
  sent(ask: LeaseAsk): void {
    const line = this.lineOf(ask.node, ask.partition)
    line.asks[line.asked % ASKS_KEPT] = ask.sentAt
    line.askedAt[line.asked % ASKS_KEPT] = this.now()
    line.asked++
  }

  /** An ask reached a treasury. */
  asked(ask: LeaseAsk): void {
    const line = this.lineOf(ask.node, ask.partition)
    for (const said of ask.shards) {
      const handed = handedOf(line, said.campaign, ask.epoch)
      if (handed.term !== ask.term || said.returnedThousandths <= handed.returned) continue
      const treasury = this.treasuryOf(ask, said.campaign)
      treasury.handed -= said.returnedThousandths - handed.returned
      // It may be of the day before: then it hides no more than that.
      treasury.handedOfDay -= said.returnedThousandths - handed.returned
      handed.returned = said.returnedThousandths
    }
  }

  /** A treasury hands out: never more than was decided for its epoch. */
  granted(worker: WorkerPlace, epoch: number, grant: LeaseGrant): void {
    const line = this.lineOf(grant.node, grant.partition)
    this.epochs.set(worker.shardNumber, Math.max(epoch, this.epochs.get(worker.shardNumber) ?? 0))
    for (const said of grant.shards) {
      const handed = handedOf(line, said.campaign, epoch)
      if (grant.term > handed.term) Object.assign(handed, newHanded(grant.term))
      if (said.dayStart > handed.dayStart) {
        if (handed.granted > 0) this.void(handed)
        handed.dayStart = said.dayStart
      }
      const more = said.grantedThousandths - handed.granted
      if (more <= 0) continue
      handed.granted = said.grantedThousandths
      const treasury = this.treasury(said.campaign, epoch, worker.region, grant.partition)
      treasury.handed += more
      treasury.lines.add(line)
      if (treasury.handed > treasury.leased * 1000 + 1e-3) {
        throw new Breach(
          `treasury ${worker.shardNumber} of epoch ${epoch} handed out ${treasury.handed} of campaign ${said.campaign}, ${treasury.leased * 1000} were leased`,
          { campaign: said.campaign, node: null },
        )
      }
      // Granted before midnight, and void since: a node that hears both at once has nothing of it.
      this.checkDay(worker, treasury, said, Math.min(more, said.grantedThousandths - said.voidThousandths))
    }
  }

  /** What is handed out for a day was leased of that day. */
  private checkDay(
    worker: WorkerPlace,
    treasury: TreasuryBook,
    { campaign, dayStart }: LeaseGrant['shards'][number],
    more: number,
  ): void {
    if (dayStart > treasury.dayStart) {
      treasury.dayStart = dayStart
      treasury.handedOfDay = 0
    }
    treasury.handedOfDay += more
    const leased = (treasury.leasedOf.get(treasury.dayStart) ?? 0) * 1000
    if (treasury.handedOfDay <= leased + 1e-3) return
    throw new Breach(
      `treasury ${worker.shardNumber} handed out ${treasury.handedOfDay} of campaign ${campaign} for the day of ${new Date(dayStart).toISOString()}, of which ${leased} were leased`,
      { campaign, node: null },
    )
  }

  heard(node: NodePlace, grant: LeaseGrant): void {
    const line = this.lineOf(node.boot, grant.partition)
    if (grant.epoch < line.epoch || (grant.epoch === line.epoch && grant.term < line.term)) return
    line.epoch = grant.epoch
    line.term = grant.term
    for (const said of grant.shards) {
      const handed = handedOf(line, said.campaign, grant.epoch)
      if (handed.voided > 0 && said.voidThousandths >= handed.voided) handed.heardVoid = true
    }
    if (grant.askSentAt === null) return
    for (let ask = line.asked - 1; ask >= Math.max(0, line.asked - ASKS_KEPT); ask--) {
      if (line.asks[ask % ASKS_KEPT] !== grant.askSentAt) continue
      line.answeredAt = Math.max(line.answeredAt, line.askedAt[ask % ASKS_KEPT]!)
      return
    }
  }

  /** A worker decided that its treasury has more to hand out of a day: micros. */
  leased(worker: WorkerPlace, epoch: number, lease: Moved): void {
    const { campaign, dayStart, amountMicros } = lease
    this.epochs.set(worker.shardNumber, Math.max(epoch, this.epochs.get(worker.shardNumber) ?? 0))
    const treasury = this.treasury(campaign, epoch, worker.region, worker.index)
    treasury.leased += amountMicros
    treasury.leasedOf.set(dayStart, (treasury.leasedOf.get(dayStart) ?? 0) + amountMicros)
  }

  /** R: what nodes may still choose with under the newest epoch and the two before it, whose leases may not have ended. Micros. */
  inHand(worker: WorkerPlace, campaign: number): number {
    const newest = this.epochs.get(worker.shardNumber) ?? 0
    let inHand = 0
    for (const of of [newest - 2, newest - 1, newest]) {
      const treasury = this.treasuries.get(keyOf(campaign, of, worker.region, worker.index))
      for (const line of treasury?.lines ?? []) {
        if (line.epoch !== of) continue
        if (this.now() - line.answeredAt > LEASE_MS - LEASE_MARGIN_MS) continue
        const { term, granted, returned, chosen } = handedOf(line, campaign, of)
        if (term === line.term) inHand += Math.max(0, granted - returned - chosen)
      }
    }
    return inHand / 1000
  }

  private lineOf(node: number, partition: number): LineBook {
    const key = node * REGIONS_MAX + partition
    let line = this.lines.get(key)
    if (line === undefined) {
      line = {
        epoch: 0,
        term: 0,
        answeredAt: Number.NEGATIVE_INFINITY,
        asks: new Float64Array(ASKS_KEPT),
        askedAt: new Float64Array(ASKS_KEPT),
        asked: 0,
        handed: new Map(),
      }
      this.lines.set(key, line)
    }
    return line
  }

  /** Nodes are numbered so that a number tells its region. */
  private treasuryOf(ask: LeaseAsk, campaign: number): TreasuryBook {
    return this.treasury(campaign, ask.epoch, ask.node % REGIONS_MAX, ask.partition)
  }

  private treasury(campaign: number, epoch: number, region: number, partition: number): TreasuryBook {
    const key = keyOf(campaign, epoch, region, partition)
    let treasury = this.treasuries.get(key)
    if (treasury === undefined) {
      treasury = {
        leased: 0,
        handed: 0,
        dayStart: Number.NEGATIVE_INFINITY,
        handedOfDay: 0,
        leasedOf: new Map(),
        lines: new Set(),
      }
      this.treasuries.set(key, treasury)
    }
    return treasury
  }
}

function keyOf(campaign: number, epoch: number, region: number, partition: number): number {
  return ((campaign * EPOCHS_MAX + epoch) * REGIONS_MAX + region) * REGIONS_MAX + partition
}

function handedOf(line: LineBook, campaign: number, epoch: number): Handed {
  const key = campaign * EPOCHS_MAX + epoch
  let handed = line.handed.get(key)
  if (handed === undefined) {
    handed = newHanded(0)
    line.handed.set(key, handed)
  }
  return handed
}

function newHanded(term: number): Handed {
  return {
    term,
    granted: 0,
    returned: 0,
    chosen: 0,
    dayStart: Number.NEGATIVE_INFINITY,
    voided: 0,
    voidedAt: Number.POSITIVE_INFINITY,
    heardVoid: false,
    chosenAfter: 0,
  }
}
