import type { LeaseAsk, LeaseGrant } from '../../../src/ports/treasury-link.ts'
import type { Node } from '../node.ts'
import type { Worker } from '../worker.ts'
import { Breach } from './breach.ts'

/** Of the newest term in which anything was handed out. */
interface Handed {
  term: number
  granted: number
  returned: number
  chosen: number
}

/** What one node heard of one partition. */
interface LineBook {
  /** As the node has heard. */
  epoch: number
  term: number
  /** True time at which the ask was sent that was answered last. */
  answeredAt: number
  /** True times at which asks were sent, by the time on them: the latest. */
  readonly sentAt: Map<number, number>
  /** By campaign and epoch. */
  readonly handed: Map<number, Handed>
}

/** What one epoch of a treasury has of a campaign: leased in micros, handed out in thousandths. */
interface TreasuryBook {
  leased: number
  handed: number
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

/** The auditor's book of leases: what treasuries were given and handed out, what nodes heard and chose, and when. */
export class LeaseBook {
  /** By node and partition. */
  private readonly lines = new Map<number, LineBook>()
  /** By campaign, epoch, region and partition. */
  private readonly treasuries = new Map<number, TreasuryBook>()

  constructor(private readonly now: () => number) {}

  /** A node chose: it must have been granted what it chose with, within the time of its lease. */
  chosen(node: Node, lease: { campaign: number; partition: number }, cost: number): void {
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
  }

  /** A node sends an ask. */
  sent(ask: LeaseAsk): void {
    const line = this.lineOf(ask.node, ask.partition)
    line.sentAt.set(ask.sentAt, this.now())
    if (line.sentAt.size > ASKS_KEPT) line.sentAt.delete(line.sentAt.keys().next().value!)
  }

  /** An ask reached a treasury. */
  asked(ask: LeaseAsk): void {
    const line = this.lineOf(ask.node, ask.partition)
    for (const said of ask.shards) {
      const handed = handedOf(line, said.campaign, ask.epoch)
      if (handed.term !== ask.term || said.returnedThousandths <= handed.returned) continue
      this.treasuryOf(ask, said.campaign).handed -= said.returnedThousandths - handed.returned
      handed.returned = said.returnedThousandths
    }
  }

  /** A treasury hands out: never more than was decided for its epoch. */
  granted(worker: Worker, epoch: number, grant: LeaseGrant): void {
    const line = this.lineOf(grant.node, grant.partition)
    for (const said of grant.shards) {
      const handed = handedOf(line, said.campaign, epoch)
      if (grant.term > handed.term) Object.assign(handed, newHanded(grant.term))
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
    }
  }

  heard(node: Node, grant: LeaseGrant): void {
    const line = this.lineOf(node.boot, grant.partition)
    if (grant.epoch < line.epoch || (grant.epoch === line.epoch && grant.term < line.term)) return
    line.epoch = grant.epoch
    line.term = grant.term
    if (grant.askSentAt === null) return
    const at = line.sentAt.get(grant.askSentAt) ?? Number.NEGATIVE_INFINITY
    line.answeredAt = Math.max(line.answeredAt, at)
  }

  leased(worker: Worker, epoch: number, campaign: number, amountMicros: number): void {
    this.treasury(campaign, epoch, worker.region, worker.index).leased += Math.max(0, amountMicros)
  }

  /** R: what nodes may still choose with under an epoch and the two before it, whose leases may not have ended. Micros. */
  inHand(worker: Worker, epoch: number, campaign: number): number {
    let inHand = 0
    for (const of of [epoch - 2, epoch - 1, epoch]) {
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
        sentAt: new Map(),
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
      treasury = { leased: 0, handed: 0, lines: new Set() }
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
  return { term, granted: 0, returned: 0, chosen: 0 }
}
