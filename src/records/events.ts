import type { RecordKind } from './record.ts'
import type { RecordBuffer } from './record-buffer.ts'
import { TOKEN_BODY_BYTES } from './token-body.ts'

/**
 * Payload of an impression or click record: the token's body (72 bytes), then
 *  72  u8  verdict of the edge's screening: a Reason (records/reasons.ts), 0 where it found nothing
 *  73  u8  flags: 1 the event came from a server (`burl`)
 */
export const EVENT_PAYLOAD_BYTES = TOKEN_BODY_BYTES + 2
export const EVENT_FROM_SERVER = 1

export function appendEvent(
  buffer: RecordBuffer,
  event: {
    readonly kind: typeof RecordKind.impression | typeof RecordKind.click
    readonly partition: number
    readonly receivedAt: number
    /** Bytes of the token's body, already checked. */
    readonly token: Uint8Array
    readonly verdict: number
    readonly fromServer: boolean
  },
): void {
  const at = buffer.begin(event.kind, event.partition, event.receivedAt, EVENT_PAYLOAD_BYTES)
  const bytes = buffer.payloadBytes()
  for (let i = 0; i < TOKEN_BODY_BYTES; i++) bytes[at + i] = event.token[i]!
  bytes[at + TOKEN_BODY_BYTES] = event.verdict
  bytes[at + TOKEN_BODY_BYTES + 1] = event.fromServer ? EVENT_FROM_SERVER : 0
}

/** An event that a server reported, as the older kind `ingested` and its effect carry it. JSON. */
export interface IngestedEvent {
  readonly type: 'click' | 'impression'
  readonly eventId: string
  /** Of all that the sender said of the event: tells a repeat from a conflict. 32 hex digits. */
  readonly contentHash: string
  /** 0 where the ad is not known to the edge (refused there; kept here for reprocessing only). */
  readonly campaign: number
  readonly ad: number
  readonly placement: number
  readonly publisher: number
  readonly sharePpm: number
  readonly timestamp: number
  readonly country: number
  readonly device: number
  /** A Reason, from screening. */
  readonly verdict: number
}

/** An edit, as its record carries it. What `decide` makes of it is its outcome. */
export interface Command {
  readonly requestId: string
  readonly actor: { readonly keyId: string; readonly role: string; readonly accountId: string | null }
  readonly at: number
  readonly name: string
  /** The partition that decides it. */
  readonly home: number
  /** The entity it changes; null where it makes one. */
  readonly target: number | null
  /** The body as sent (a patch as sent, secrets hashed). */
  readonly body: unknown
  /** Where an Idempotency-Key came with it: the claim that it belongs to. */
  readonly claim?: { readonly partition: number; readonly key: string; readonly bodyHash: string }
}

/** The partition's time is `to` from here on: so much has passed, by the boot clock, or by the wall clock at a start. */
export interface TimePassedRecord {
  readonly to: number
}

/** Days of a zone, made ahead of them: `[start, end)` in ms, with the name of the day there. Days abut. */
export interface DaysRecord {
  readonly zones: readonly {
    readonly timeZone: string
    readonly days: readonly { readonly day: string; readonly start: number; readonly end: number }[]
  }[]
}

/** A process has started to decide: its treasury's epoch, and how long clicks wait for their impression (absent: 60 s). */
export interface EpochOpenedRecord {
  readonly epoch: number
  readonly holdMs?: number
  readonly blockSeconds?: number
  /** For how long an impression is known after its choice. Absent in older logs: for ever. */
  readonly keptMs?: number
  /** For how long nodes may still choose with what the old epoch granted; 0 where they ended with it. */
  readonly drainMs?: number
}

/** Leases that the treasury takes for the nodes of its epoch: micros added, by campaign and shard. Negative
 * where given back, then with thousandths. */
export interface LeaseTakenRecord {
  readonly epoch: number
  readonly leases: readonly {
    readonly campaign: number
    readonly shard: number
    readonly amountMicros: number
  }[]
}

/**
 * What nodes chose in an epoch, in totals since its start. `chosenThousandths` is money in thousandths of a micro that
 * the chosen impressions may cost (cpm: their price; cpc: amount x predicted click rate), `varianceMicros2` the sum
 * of amount^2 x rate for the margin above the expectation.
 */
export interface ChosenRecord {
  readonly epoch: number
  readonly shards: readonly {
    readonly campaign: number
    readonly shard: number
    readonly impressions: number
    readonly chosenThousandths: number
    readonly variance: number
    /** What nodes had in hand of the epoch before and dropped. Absent in older logs. */
    readonly droppedThousandths?: number
    /** Of what was chosen, what nodes had in hand that were not heard of again. Absent in older logs. */
    readonly supposedThousandths?: number
  }[]
}

/** One message out of a partition's outbox. Applied only as the next in the sequence of its source and target. */
export interface EffectRecord {
  readonly source: number
  readonly sequence: number
  readonly effect: Effect
}

export type Effect =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'commandOutcome'; readonly key: string; readonly outcome: unknown }
  | { readonly kind: 'ingested'; readonly event: IngestedEvent; readonly receivedAt: number }

/** Requests that an edge answered since its last report, by placement. */
export interface RequestsRecord {
  readonly minutes: readonly {
    readonly minute: number
    readonly placement: number
    readonly publisher: number
    readonly country: number
    readonly device: number
    readonly requests: number
  }[]
}
