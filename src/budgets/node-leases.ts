import type { LeaseAsk, LeaseGrant } from '../ports/treasury-link.ts'

/**
 * The node's side of its leases: what it may choose with, and the totals of what it chose. Times are of the node's own
 * timer, which never jumps: `now` of one call compares with `now` of another, and with nothing else.
 *
 * A lease ends by itself `validMs` after the ask was *sent* whose answer renewed it, so that a node which hears nothing
 * stops early. Grants carry totals: one that comes twice or late adds nothing; one of an older epoch or term is refused.
 */
export interface NodeLease {
  readonly campaign: number
  readonly shard: number
  readonly partition: number
  /** Totals of the term, thousandths of a micro (variance: their square). */
  granted: number
  returned: number
  chosen: number
  variance: number
  impressions: number
  /** In hand under the epoch before, when this one was heard of: not chosen with. */
  dropped: number
  pacing: number
  stopped: boolean
  scarce: boolean
  /** `whenAuthorityLost: closed`. */
  closed: boolean
  dayStart: number
  dayEnd: number
  /** When the first ask was sent that told its totals as they are; infinity where none has. */
  toldAt: number
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
const UNTOLD = Number.POSITIVE_INFINITY

/** What a node holds of one partition. */
interface Line {
  epoch: number
  /** Within the epoch: see LeaseGrant. */
  term: number
  /** When the ask was sent that was answered last, and for how long that renewed the leases. */
  renewedAt: number
  validMs: number
  askedAt: number
  /** Of the latest grant of this term. */
  heard: number
  readonly leases: Map<number, NodeLease>
  /** Something changed since the last ask. */
  news: boolean
  /** With totals that no answered ask has told. */
  readonly untold: Set<NodeLease>
  /** Of which nothing unused is to be kept for long. */
  readonly returning: Set<NodeLease>
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

  /** Takes a grant in; returns the leases that it changed: all of the partition where the treasury knows us anew. */
  onGrant(grant: LeaseGrant, now: number): NodeLease[] {
    const line = this.lines[grant.partition]
    if (line === undefined || grant.node !== this.node || grant.epoch < line.epoch) return []
    const { askSentAt, sequence } = grant
    if (grant.epoch === line.epoch && grant.term < line.term) return []
    const isAnew = grant.epoch > line.epoch || grant.term > line.term
    if (grant.epoch > line.epoch) beginEpoch(line, grant, now)
    else if (isAnew) beginTerm(line, grant.term)
    line.heard = Math.max(line.heard, sequence)
    if (askSentAt !== null && askSentAt > line.renewedAt) {
      line.renewedAt = askSentAt
      line.validMs = grant.validMs
      for (const lease of line.untold) if (lease.toldAt <= askSentAt) line.untold.delete(lease)
    }
    const changed = grant.shards.map(said => {
      const lease = this.leaseOf(grant.partition, said.campaign, said.shard)
      if (said.grantedThousandths > lease.granted) {
        lease.granted = said.grantedThousandths
        lease.grantedAt = now
      }
      const voided = said.voidThousandths - lease.returned - lease.chosen
      if (voided > 0) giveBack(line, lease, voided)
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
    return isAnew ? [...line.leases.values()] : changed
  }

  /** Adds what was chosen: how many impressions, what they may cost, and the variance of that. */
  record(lease: NodeLease, impressions: number, thousandths: number, variance: number, now: number): void {
    const line = this.lines[lease.partition]!
    lease.impressions += impressions
    lease.chosen += thousandths
    lease.variance += variance
    lease.toldAt = UNTOLD
    lease.chosenAt = now
    line.news = true
    line.untold.add(lease)
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

  termOf(partition: number): number {
    return this.lines[partition]!.term
  }

  /** What may still be chosen with: nothing once the lease has ended or the campaign was stopped. */
  left(lease: NodeLease, now: number): number {
    if (lease.stopped || this.endsAt(lease) <= now) return 0
    return Math.max(0, lease.granted - lease.returned - lease.chosen)
  }

  /** When the lease ends by itself, unless an answer renews it before. */
  endsAt(lease: NodeLease): number {
    const { renewedAt, validMs } = this.lines[lease.partition]!
    const lasts = validMs - STOP_EARLY_MS
    return renewedAt + (lease.closed ? Math.min(this.closedAfterMs, lasts) : lasts)
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
        giveBack(line, lease, unused)
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
      if (!line.news && now - line.askedAt < this.heartbeatMs) continue
      // Of two asks at the same time an answer does not say which of them was heard.
      const toldAt = now > line.askedAt ? now : UNTOLD
      line.askedAt = now
      line.news = false
      const { epoch, term, heard } = line
      asks.push({
        node: this.node,
        partition,
        epoch,
        term,
        sentAt: now,
        heard,
        shards: Array.from(line.untold, lease => {
          lease.toldAt = Math.min(lease.toldAt, toldAt)
          return totalsOf(lease)
        }),
      })
    }
    return asks
  }
}

/**
 * The time that a choice is given: the node's wall clock, within the day whose money it is. A clock that is an hour slow
 * would else choose with the money of a day that has begun, and be charged to the one that is over and spent.
 */
export function timeOfChoice(
  day: { readonly dayStart: number; readonly dayEnd: number },
  wallClock: number,
): number {
  if (wallClock >= day.dayEnd) return day.dayEnd - 1
  return Math.max(wallClock, day.dayStart)
}

function giveBack(line: Line, lease: NodeLease, thousandths: number): void {
  lease.returned += thousandths
  lease.toldAt = UNTOLD
  line.news = true
  line.untold.add(lease)
}

function newLine(): Line {
  return {
    epoch: 0,
    term: 0,
    renewedAt: Number.NEGATIVE_INFINITY,
    validMs: 0,
    askedAt: Number.NEGATIVE_INFINITY,
    heard: 0,
    news: false,
    leases: new Map(),
    untold: new Set(),
    returning: new Set(),
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
    dropped: 0,
    pacing: 1,
    stopped: false,
    scarce: false,
    closed: false,
    dayStart: Number.NEGATIVE_INFINITY,
    dayEnd: Number.POSITIVE_INFINITY,
    toldAt: UNTOLD,
    chosenAt: Number.NEGATIVE_INFINITY,
    grantedAt: Number.NEGATIVE_INFINITY,
  }
}

/**
 * Another treasury has taken over: what the old one granted is not this one's. Until nodes tell what they had in hand and
 * drop, all of it is held back as if it was chosen. A lease that has ended may have been closed before, and its money
 * with it: of that nothing is told.
 */
function beginEpoch(line: Line, { epoch, term }: LeaseGrant, now: number): void {
  const hasEnded = now >= line.renewedAt + line.validMs - STOP_EARLY_MS
  line.epoch = epoch
  startAnew(line, term)
  for (const lease of line.leases.values()) {
    const inHand = Math.max(0, lease.granted - lease.returned - lease.chosen)
    clear(lease)
    if (hasEnded || inHand === 0) continue
    lease.dropped = inHand
    // The ask that is answered here was meant for the old treasury, and has not told it.
    lease.toldAt = UNTOLD
    line.untold.add(lease)
    line.news = true
  }
}

/**
 * The treasury had closed our lease: what we had in hand it took for chosen, and what we chose is in that. A lease ends
 * here before it is closed there, so that nothing was chosen with it since.
 */
function beginTerm(line: Line, term: number): void {
  startAnew(line, term)
  for (const lease of line.leases.values()) clear(lease)
}

function startAnew(line: Line, term: number): void {
  line.term = term
  line.heard = 0
  line.untold.clear()
  line.returning.clear()
}

function clear(lease: NodeLease): void {
  lease.granted = 0
  lease.returned = 0
  lease.chosen = 0
  lease.variance = 0
  lease.impressions = 0
  lease.dropped = 0
}

function totalsOf(lease: NodeLease): LeaseAsk['shards'][number] {
  return {
    campaign: lease.campaign,
    shard: lease.shard,
    impressions: lease.impressions,
    chosenThousandths: lease.chosen,
    variance: lease.variance,
    returnedThousandths: lease.returned,
    droppedThousandths: lease.dropped,
  }
}
