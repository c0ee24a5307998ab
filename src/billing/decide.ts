import { readUint48, utf8Text } from '../core/bytes.ts'
import { partitionOf } from '../core/ids.ts'
import { STEP_MS_MAX } from '../core/steady-time.ts'
import type { CommandOutcome } from '../ports/control.ts'
import type {
  ChosenRecord,
  Command,
  DaysRecord,
  Effect,
  EffectRecord,
  EpochOpenedRecord,
  IngestedEvent,
  LeaseTakenRecord,
  RequestsRecord,
  TimePassedRecord,
} from '../records/events.ts'
import { EVENT_PAYLOAD_BYTES } from '../records/events.ts'
import { countIngested, EFFECTS_BYTES, IngestedReader, ingestedBytes } from '../records/ingested.ts'
import { Reason } from '../records/reasons.ts'
import { BrokenRecord, HEADER_BYTES, RecordKind, readHeader } from '../records/record.ts'
import { readTokenBody, TOKEN_BODY_BYTES, TOKEN_BODY_VERSION } from '../records/token-body.ts'
import { Seen } from '../tracking/ingested-ids.ts'
import type { Changes } from './changes.ts'
import { closeDueBlocks } from './decide-block.ts'
import { decideClick, refuseClick, settleClick } from './decide-click.ts'
import { decideCommand, type FindCharge, judgeCampaign, problem } from './decide-command.ts'
import { decideImpression, impressionText, TOO_SOON_MS } from './decide-impression.ts'
import { decideIngested } from './decide-ingested.ts'
import { decideChosen, decideEpochOpened, decideLeaseTaken, inOrder, sweepReserves } from './decide-lease.ts'
import { moveFloor } from './floor.ts'
import type { Claim, Partition, Turn } from './partition.ts'
import { EventKind } from './transition.ts'

/** Reads committed state for a decision. It is the same whenever it is read within the batch. */
export interface Lookups {
  readonly findCharge: FindCharge
  /** An idempotency key's claim, as far as committed. */
  readonly findClaim: (name: string) => { bodyHash: string; outcome: CommandOutcome | null } | null
  /**
   * Whether the ids of ingested events (records/ingested.ts) were seen on this partition, a Seen each; takes in those
   * that were not. The answer is valid until the next call.
   */
  readonly claimIngested: (
    partition: number,
    events: DataView,
    from: number,
    count: number,
    nowSecond: number,
  ) => Uint8Array
}

/** Deadlines and holds are gone through this often, by the partition's own time. */
const SWEEP_MS = 1000
const RECENT_MS = TOO_SOON_MS

/**
 * One record of one partition: the whole of the rules. No clock, no random, no I/O: time comes with the record.
 * Throws BrokenRecord for what no writer of ours makes; the shell keeps that record apart and goes on.
 */
export function decide(
  partition: Partition,
  changes: Changes,
  record: { readonly bytes: Uint8Array; readonly appendedAt: number },
  lookups: Lookups,
): void {
  const view = new DataView(record.bytes.buffer, record.bytes.byteOffset, record.bytes.byteLength)
  const header = readHeader(view, 0)
  const turn: Turn = { partition, changes, receivedAt: header.receivedAt }
  moveTime(turn, header.kind, record)
  doWhatIsDue(turn)
  switch (header.kind) {
    case RecordKind.impression:
    case RecordKind.click:
      decideEvent(turn, header.kind, record.bytes, view)
      return
    case RecordKind.ingested:
      claimIngested(turn, ingestedBytes(json<IngestedEvent>(record.bytes), header.receivedAt), 0, lookups)
      return
    case RecordKind.ingestedEvents:
      claimIngested(turn, record.bytes, HEADER_BYTES, lookups)
      return
    case RecordKind.ingestedEffects:
      applyIngested(turn, record.bytes, view)
      return
    case RecordKind.unsignedClick:
      changes.repeat(`ad:${json<{ ad: number }>(record.bytes).ad}`, UNSIGNED_CLICK)
      return
    case RecordKind.command:
      decideCommandRecord(turn, json<Command>(record.bytes), lookups)
      return
    case RecordKind.effect:
      applyEffect(turn, json<EffectRecord>(record.bytes), lookups)
      return
    case RecordKind.leaseTaken:
      decideLeaseTaken(turn, json<LeaseTakenRecord>(record.bytes))
      return
    case RecordKind.chosen:
      decideChosen(turn, json<ChosenRecord>(record.bytes))
      return
    case RecordKind.tick:
    case RecordKind.timePassed:
      return
    case RecordKind.days:
      for (const zone of json<DaysRecord>(record.bytes).zones) {
        partition.head.calendars[zone.timeZone] = [...zone.days]
      }
      changes.calendars.add(partition.number)
      return
    case RecordKind.epochOpened:
      decideEpochOpened(turn, json<EpochOpenedRecord>(record.bytes))
      return
    case RecordKind.requests:
      countRequests(turn, json<RequestsRecord>(record.bytes))
      return
    default:
      throw new BrokenRecord(`record has kind ${header.kind}`)
  }
}

/** Clicks without a token share the table of repeats, under a kind of their own. */
const UNSIGNED_CLICK = 9

function json<T>(bytes: Uint8Array): T {
  try {
    return JSON.parse(utf8Text(bytes.subarray(HEADER_BYTES))) as T
  } catch (cause) {
    throw new BrokenRecord('record is not JSON', { cause })
  }
}

/**
 * Moves the partition's own time. An append time that is far ahead is not believed without a `timePassed` record: it
 * comes from a clock that was set, and would settle every hold and end every day at once.
 */
function moveTime(
  { partition }: Turn,
  kind: number,
  record: { bytes: Uint8Array; appendedAt: number },
): void {
  const { head } = partition
  if (kind === RecordKind.timePassed) {
    head.jumpsAreLogged = true
    head.time = Math.max(head.time, json<TimePassedRecord>(record.bytes).to)
  } else if (!head.jumpsAreLogged || record.appendedAt - head.time <= STEP_MS_MAX) {
    head.time = Math.max(head.time, record.appendedAt)
  }
}

function doWhatIsDue(turn: Turn): void {
  const { head } = turn.partition
  closeDueBlocks(turn)
  if (head.time - head.sweptAt < SWEEP_MS) return
  head.sweptAt = head.time
  moveFloor(turn)
  settleHeld(turn)
  forgetRecent(turn)
  sweepReserves(turn)
  wakeWithDays(turn)
}

/** Those that spent the cap of a day that is over. To look at 100,000 took 40 ms of each second. */
function wakeWithDays(turn: Turn): void {
  const { partition } = turn
  if (partition.head.time < partition.wakesAt) return
  partition.wakesAt = Number.POSITIVE_INFINITY
  for (const campaign of inOrder(partition.exhaustedDaily)) judgeCampaign(turn, campaign)
}

function forgetRecent(turn: Turn): void {
  const { head } = turn.partition
  const keep = head.time - RECENT_MS - SWEEP_MS
  if (head.recent.length > 0) head.recent = head.recent.filter(([, , at]) => at > keep)
}

/** Clicks whose impression did not come in time. */
function settleHeld(turn: Turn): void {
  const { partition, changes } = turn
  const due = [...partition.held].filter(([, held]) => held.deadline <= partition.head.time)
  // Clicks held in one moment are settled in the order of their ids: the same after a restart.
  due.sort(([a, one], [b, other]) => one.deadline - other.deadline || (a < b ? -1 : 1))
  for (const [event, held] of due) {
    partition.held.delete(event)
    changes.heldPut.delete(event)
    changes.heldGone.add(event)
    const view = new DataView(held.record.buffer, held.record.byteOffset, held.record.byteLength)
    const settled = { ...turn, receivedAt: partition.head.time }
    refuseClick(settled, readTokenBody(view, HEADER_BYTES), view, HEADER_BYTES, Reason.unrendered)
  }
}

function decideEvent(turn: Turn, kind: number, bytes: Uint8Array, view: DataView): void {
  if (
    bytes.length !== HEADER_BYTES + EVENT_PAYLOAD_BYTES ||
    view.getUint8(HEADER_BYTES) !== TOKEN_BODY_VERSION
  ) {
    throw new BrokenRecord('an event has the wrong layout')
  }
  const token = readTokenBody(view, HEADER_BYTES)
  const verdict = view.getUint8(HEADER_BYTES + TOKEN_BODY_BYTES)
  if (kind === RecordKind.click) {
    decideClick(turn, token, bytes, view, HEADER_BYTES, verdict)
    judgeCampaign(turn, token.campaign)
    return
  }
  if (decideImpression(turn, token, view, HEADER_BYTES, verdict)) settleWaiting(turn, view)
  judgeCampaign(turn, token.campaign)
}

/** A click came before its impression, which is here now. */
function settleWaiting(turn: Turn, view: DataView): void {
  const { partition, changes } = turn
  if (partition.held.size === 0) return
  const event = impressionText(view, HEADER_BYTES)
  const held = partition.held.get(event)
  if (held === undefined) return
  partition.held.delete(event)
  changes.heldPut.delete(event)
  changes.heldGone.add(event)
  const click = new DataView(held.record.buffer, held.record.byteOffset, held.record.byteLength)
  settleClick(turn, readTokenBody(click, HEADER_BYTES), click, HEADER_BYTES)
}

function claimIngested(turn: Turn, bytes: Uint8Array, from: number, lookups: Lookups): void {
  const { partition, changes } = turn
  const { head } = partition
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = countIngested(view, from)
  const seen = lookups.claimIngested(partition.number, view, from, count, Math.floor(head.time / 1000))
  const event = new IngestedReader(bytes, view)
  let at = from
  for (let i = 0; i < count; i++) {
    const next = event.read(at)
    if (seen[i] === Seen.absent) {
      const target = partitionOf(event.campaign)
      changes.sendEvent(partition.number, target, nextEffect(turn, target), event.withoutKept())
    } else {
      const kind = event.type === 'click' ? EventKind.click : EventKind.impression
      changes.repeat(event.eventId, seen[i] === Seen.repeat ? kind : kind + CONFLICT)
    }
    at = next
  }
}

/** A repeat with other content is counted apart: kinds 11 and 12. */
const CONFLICT = 10

function sendEffect(turn: Turn, target: number, effect: Effect): void {
  turn.changes.send(turn.partition.number, target, nextEffect(turn, target), effect)
}

function nextEffect(turn: Turn, target: number): number {
  const { effectsOut } = turn.partition.head
  const sequence = (effectsOut[target] ?? 0) + 1
  effectsOut[target] = sequence
  return sequence
}

/**
 * The events that are next of their source; those of them that an earlier record brought are left out. The numbers are
 * used up before the events are read: a record that must be put aside does not hold up what comes behind it.
 */
function applyIngested(turn: Turn, bytes: Uint8Array, view: DataView): void {
  const { partition, changes } = turn
  if (bytes.length < HEADER_BYTES + EFFECTS_BYTES) throw new BrokenRecord('effects are cut short')
  const source = view.getUint16(HEADER_BYTES)
  const first = readUint48(view, HEADER_BYTES + 2)
  const count = view.getUint32(HEADER_BYTES + 8)
  const applied = partition.head.effectsIn[source] ?? 0
  const last = first + count - 1
  if (first > applied + 1 || last <= applied) return
  partition.head.effectsIn[source] = last
  changes.apply(source, partition.number, last)
  let at = HEADER_BYTES + EFFECTS_BYTES
  if (countIngested(view, at) !== count) throw new BrokenRecord('effects are not as many as they say')
  const event = new IngestedReader(bytes, view)
  const touched = new Set<number>()
  for (let sequence = first; sequence <= last; sequence++) {
    at = event.read(at)
    if (sequence <= applied) continue
    decideIngested(turn, event)
    touched.add(event.campaign)
  }
  for (const campaign of touched) judgeCampaign(turn, campaign)
}

/** Applies only the next of its source: what is lost is sent again from the outbox, what is repeated is dropped. */
function applyEffect(turn: Turn, record: EffectRecord, lookups: Lookups): void {
  const { partition, changes } = turn
  const last = partition.head.effectsIn[record.source] ?? 0
  if (record.sequence !== last + 1) return
  partition.head.effectsIn[record.source] = record.sequence
  changes.apply(record.source, partition.number, record.sequence)
  const { effect } = record
  switch (effect.kind) {
    case 'command': {
      const { command } = effect
      const outcome = decideCommand(turn, command, lookups.findCharge)
      if (command.claim !== undefined) {
        sendEffect(turn, command.claim.partition, { kind: 'commandOutcome', key: command.claim.key, outcome })
      }
      return
    }
    case 'commandOutcome':
      settleClaim(turn, effect.key, effect.outcome as CommandOutcome, lookups)
      return
    case 'ingested':
      decideIngested(turn, { ...effect.event, receivedAt: effect.receivedAt })
      judgeCampaign(turn, effect.event.campaign)
      return
  }
}

/** A command comes to its home, or first to the partition that owns its idempotency key. */
function decideCommandRecord(turn: Turn, command: Command, lookups: Lookups): void {
  const { partition, changes } = turn
  const { claim } = command
  if (claim === undefined) {
    changes.outcomes.push({
      requestId: command.requestId,
      outcome: decideCommand(turn, command, lookups.findCharge),
    })
    return
  }
  const known = claimNamed(partition, claim.key, lookups)
  if (known === undefined) {
    partition.claims.set(claim.key, { bodyHash: claim.bodyHash, outcome: null, waiting: [command.requestId] })
    changes.claims.push({
      partition: partition.number,
      name: claim.key,
      bodyHash: claim.bodyHash,
      outcome: null,
    })
    sendEffect(turn, command.home, { kind: 'command', command })
  } else if (known.bodyHash !== claim.bodyHash) {
    const outcome = problem(409, 'This Idempotency-Key was used with another request.', [])
    changes.outcomes.push({ requestId: command.requestId, outcome })
  } else if (known.outcome === null) known.waiting.push(command.requestId)
  else changes.outcomes.push({ requestId: command.requestId, outcome: replayed(known.outcome) })
}

/** Claims in memory are under way or of this batch; all others are in the store. */
function claimNamed(partition: Partition, name: string, lookups: Lookups): Claim | undefined {
  const known = partition.claims.get(name)
  if (known !== undefined) return known
  const stored = lookups.findClaim(name)
  if (stored === null) return undefined
  const claim = { ...stored, waiting: [] }
  if (claim.outcome === null) partition.claims.set(name, claim)
  return claim
}

function settleClaim(turn: Turn, key: string, outcome: CommandOutcome, lookups: Lookups): void {
  const claim = claimNamed(turn.partition, key, lookups)
  if (claim === undefined) return
  claim.outcome = outcome
  turn.changes.claims.push({ partition: turn.partition.number, name: key, bodyHash: claim.bodyHash, outcome })
  const [first, ...others] = claim.waiting
  if (first !== undefined) turn.changes.outcomes.push({ requestId: first, outcome })
  for (const requestId of others) turn.changes.outcomes.push({ requestId, outcome: replayed(outcome) })
  claim.waiting = []
}

/** The first answer again. The API leaves out of it what is shown once. */
function replayed(outcome: CommandOutcome): CommandOutcome {
  if (typeof outcome.body !== 'object' || outcome.body === null) return outcome
  return { status: outcome.status, body: { ...outcome.body, replayed: true } }
}

function countRequests(turn: Turn, record: RequestsRecord): void {
  const { requests } = turn.changes
  for (const said of record.minutes) {
    const row = [said.minute, said.placement, said.publisher, said.country, said.device] as const
    const key = row.join('|')
    const known = requests.get(key)
    if (known === undefined) requests.set(key, { row, requests: said.requests })
    else known.requests += said.requests
  }
}
