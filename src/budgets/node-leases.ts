import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'

/**
 * The node's side of its leases: what it may choose with, and the totals of what it chose. Times are of the node's own
 * timer, which never jumps: `now` of one call compares with `now` of another, and with nothing else.
 *
 * A lease ends by itself `validMs` after the ask was *sent* whose answer renewed it, so that a node which hears nothing
 * stops early. Grants carry totals: one that comes twice or late adds nothing; one of an older epoch is refused.
 */
export interface NodeLease {
  readonly campaign: number
  readonly shard: number
  readonly partition: number
  /** Totals of the epoch, thousandths of a micro (variance: their square). */
  granted: number
  returned: number
  chosen: number
  variance: number
  impressions: number
  /** `chosen` and `variance` at the last turn of LOGGED_MS, and at the one before: by then the treasury has logged them. */
  chosenLately: number
  varianceLately: number
  chosenBefore: number
  varianceBefore: number
  pacing: number
  stopped: boolean
  scarce: boolean
  /** `whenAuthorityLost: closed`. */
  closed: boolean
  dayStart: number
  dayEnd: number
  changedAt: number
  chosenAt: number
  /** When more was granted last. */
  grantedAt: number
}

/** Each treasury is asked at least so often, with or without news: its silence must be noticed. */
export const HEARTBEAT_MS = 250
/** `whenAuthorityLost: closed`: not chosen any more once no ask younger than this was answered. */
export const CLOSED_AFTER_MS = 1000
/** A lease ends here so much before its treasury takes it for over: timers of two machines run apart. */
export const STOP_EARLY_MS = 250
/** Where money is scarce, what lies unused for so long goes back: before the lease ends. */
const IDLE_MS = 3000
/** What was chosen so long ago is in the treasury's log. */
const LOGGED_MS = 3000

/** What a node holds of one partition. */
interface Line {
  epoch: number
  /** When the ask was sent that was answered last, and for how long that renewed the leases. */
  renewedAt: number
  validMs: number
  askedAt: number
  /** Of the latest grant of this epoch. */
  heard: number
  agedAt: number
  readonly leases: Map<number, NodeLease>
  /** Something changed since the last ask. */
  news: boolean
  /** With totals that no answered ask has told. */
  readonly untold: Set<NodeLease>
  /** Of which nothing unused is to be kept for long. */
  readonly returning: Set<NodeLease>
  /** Chosen with within the last seconds. */
  readonly active: Set<NodeLease>
}

export class NodeLeases {
  private readonly lines: readonly Line[]

  /** A fleet sets its own heartbeat: messages grow with nodes and partitions, and closed campaigns wait four of them. */
  constructor(
    readonly node: number,
    partitions: number,
    private readonly heartbeatMs = HEARTBEAT_MS,
  ) {
    this.lines = Array.from({ length: partitions }, newLine)
  }

  /** Takes a grant in; returns the leases that it changed. */
  onGrant(grant: LeaseGrant, now: number): NodeLease[] {
    const line = this.lines[grant.partition]
    if (line === undefined || grant.node !== this.node || grant.epoch < line.epoch) return []
    const { askSentAt, sequence } = grant
    if (grant.epoch > line.epoch) beginEpoch(line, grant.epoch, askSentAt ?? Number.NEGATIVE_INFINITY)
    line.heard = Math.max(line.heard, sequence)
    if (askSentAt !== null && askSentAt > line.renewedAt) {
      line.renewedAt = askSentAt
      line.validMs = grant.validMs
      for (const lease of line.untold) if (lease.changedAt < askSentAt) line.untold.delete(lease)
    }
    return grant.shards.map(said => {
      const lease = this.leaseOf(grant.partition, said.campaign, said.shard)
      if (said.grantedThousandths > lease.granted) {
        lease.granted = said.grantedThousandths
        lease.grantedAt = now
      }
      lease.pacing = said.pacing
      lease.stopped = said.stopped
      lease.scarce = said.scarce
      lease.closed = said.closed
      lease.dayStart = said.dayStart
      lease.dayEnd = said.dayEnd
      if (said.stopped || said.scarce) line.returning.add(lease)
      else line.returning.delete(lease)
      return lease
    })
  }

  /** Adds what was chosen: how many impressions, what they may cost, and the variance of that. */
  record(lease: NodeLease, impressions: number, thousandths: number, variance: number, now: number): void {
    const line = this.lines[lease.partition]!
    lease.impressions += impressions
    lease.chosen += thousandths
    lease.variance += variance
    lease.changedAt = now
    lease.chosenAt = now
    line.news = true
    line.untold.add(lease)
    line.active.add(lease)
  }

  /** The lease of a campaign, made where there is none yet. */
  leaseOf(partition: number, campaign: number, shard: number): NodeLease {
    const { leases } = this.lines[partition]!
    let lease = leases.get(campaign)
    if (lease === undefined || lease.shard !== shard) {
      lease = newLease(partition, campaign, shard)
      leases.set(campaign, lease)
    }
    return lease
  }

  /** Under which its leases are. */
  epochOf(partition: number): number {
    return this.lines[partition]!.epoch
  }

  /** What may still be chosen with: nothing once the lease has ended or the campaign was stopped. */
  left(lease: NodeLease, now: number): number {
    if (lease.stopped || this.endsAt(lease) <= now) return 0
    return Math.max(0, lease.granted - lease.returned - lease.chosen)
  }

  /** When the lease ends by itself, unless an answer renews it before. */
  endsAt(lease: NodeLease): number {
    const { renewedAt, validMs } = this.lines[lease.partition]!
    return renewedAt + (lease.closed ? this.closedAfterMs : validMs - STOP_EARLY_MS)
  }

  /** All that the node was ever granted of a partition, under its epoch. */
  leasesOf(partition: number): Iterable<NodeLease> {
    return this.lines[partition]!.leases.values()
  }

  /** How far the leases of a partition have ended: 0 none, 1 those of closed campaigns, 2 all. */
  endedOn(partition: number, now: number): 0 | 1 | 2 {
    const { renewedAt, validMs } = this.lines[partition]!
    const silent = now - renewedAt
    return silent >= validMs - STOP_EARLY_MS ? 2 : silent >= this.closedAfterMs ? 1 : 0
  }

  private get closedAfterMs(): number {
    return Math.max(CLOSED_AFTER_MS, 4 * this.heartbeatMs)
  }

  /** Gives back what lies unused while money is scarce, and what can no longer be chosen with. Returns what changed. */
  returnIdle(now: number): NodeLease[] {
    const changed: NodeLease[] = []
    for (const line of this.lines) {
      for (const lease of line.returning) {
        const unused = lease.granted - lease.returned - lease.chosen
        if (!lease.stopped && now - Math.max(lease.chosenAt, lease.grantedAt) < IDLE_MS) continue
        line.returning.delete(lease)
        if (unused <= 0) continue
        lease.returned += unused
        lease.changedAt = now
        line.news = true
        line.untold.add(lease)
        changed.push(lease)
      }
    }
    return changed
  }

  /**
   * The asks that are due: of partitions with something to tell, and of those that were not asked for a heartbeat: so a
   * node makes itself known, too.
   */
  asks(now: number): LeaseAsk[] {
    const asks: LeaseAsk[] = []
    for (let partition = 0; partition < this.lines.length; partition++) {
      const line = this.lines[partition]!
      if (now - line.agedAt >= LOGGED_MS) age(line, now)
      if (!line.news && now - line.askedAt < this.heartbeatMs) continue
      line.askedAt = now
      line.news = false
      const { epoch, heard } = line
      asks.push({
        node: this.node,
        partition,
        epoch,
        sentAt: now,
        heard,
        shards: [...line.untold].map(totalsOf),
      })
    }
    return asks
  }
}

/**
 * The time that a choice is given: the node's wall clock, within the day whose money it is. A clock that is an hour slow
 * would else choose with the money of a day that has begun, and be charged to the one that is over and spent.
 */
export function timeOfChoice(lease: NodeLease, wallClock: number): number {
  return Math.min(Math.max(wallClock, lease.dayStart), lease.dayEnd - 1)
}

function newLine(): Line {
  return {
    epoch: 0,
    renewedAt: Number.NEGATIVE_INFINITY,
    validMs: 0,
    askedAt: Number.NEGATIVE_INFINITY,
    heard: 0,
    agedAt: Number.NEGATIVE_INFINITY,
    news: false,
    leases: new Map(),
    untold: new Set(),
    returning: new Set(),
    active: new Set(),
  }
}

function newLease(partition: number, campaign: number, shard: number): NodeLease {
  return {
    campaign,
    shard,
    partition,
    granted: 0,
    returned: 0,
    chosen: 0,
    variance: 0,
    impressions: 0,
    chosenLately: 0,
    varianceLately: 0,
    chosenBefore: 0,
    varianceBefore: 0,
    pacing: 1,
    stopped: false,
    scarce: false,
    closed: false,
    dayStart: Number.NEGATIVE_INFINITY,
    dayEnd: Number.POSITIVE_INFINITY,
    changedAt: Number.NEGATIVE_INFINITY,
    chosenAt: Number.NEGATIVE_INFINITY,
    grantedAt: Number.NEGATIVE_INFINITY,
  }
}

/**
 * Another treasury has taken over: what the old one granted is not this one's. What was chosen lately, and may have gone
 * down with the old one, is told anew, so that it is held back for its clicks and renders: too much of that only makes
 * the campaign poorer for a while.
 */
function beginEpoch(line: Line, epoch: number, askSentAt: number): void {
  line.epoch = epoch
  line.heard = 0
  line.untold.clear()
  for (const lease of line.leases.values()) {
    lease.granted = 0
    lease.returned = 0
    lease.chosen -= lease.chosenBefore
    lease.variance -= lease.varianceBefore
    lease.impressions = 0
    lease.chosenLately = 0
    lease.varianceLately = 0
    lease.chosenBefore = 0
    lease.varianceBefore = 0
    if (lease.chosen <= 0) continue
    // The ask that is answered here was meant for the old one.
    lease.changedAt = Math.max(lease.changedAt, askSentAt)
    line.untold.add(lease)
    line.news = true
  }
}

function age(line: Line, now: number): void {
  line.agedAt = now
  for (const lease of line.active) {
    lease.chosenBefore = lease.chosenLately
    lease.varianceBefore = lease.varianceLately
    lease.chosenLately = lease.chosen
    lease.varianceLately = lease.variance
    if (lease.chosenBefore === lease.chosen) line.active.delete(lease)
  }
}

function totalsOf(lease: NodeLease): LeaseAsk['shards'][number] {
  return {
    campaign: lease.campaign,
    shard: lease.shard,
    impressions: lease.impressions,
    chosenThousandths: lease.chosen,
    variance: lease.variance,
    returnedThousandths: lease.returned,
  }
}
