import { hash32 } from '../../core/bytes.ts'
import { jsonDepthWithin } from '../../openrtb/validate.ts'
import { EventBytes } from '../../records/event-bytes.ts'
import {
  CONTENT_AT,
  INGESTED_BYTES_MAX,
  INGESTED_FIXED_BYTES,
  KEY_AT,
  keyText,
  writeIngestedFacts,
  writeKept,
} from '../../records/ingested.ts'
import { HEADER_BYTES, RECORD_BYTES_MAX, RecordKind } from '../../records/record.ts'
import type { RecordBuffer } from '../../records/record-buffer.ts'
import { problemResponse } from '../problem.ts'
import type { Item } from './content-text.ts'
import type { EdgeDependencies } from './dependencies.ts'
import { type Accepted, EventReader, type IngestedKind } from './ingested-event.ts'
import { readBody } from './read-body.ts'

export const INGEST_BYTES_MAX = 2 << 20
export const INGEST_ITEMS_MAX = 1000
/** Of one record: events that keep much need several. */
const EVENTS_BYTES_MAX = RECORD_BYTES_MAX - HEADER_BYTES

/** `POST /events/click` and `/events/impression`: 202 once what is good is durable. */
export async function handleIngest(
  deps: EdgeDependencies,
  request: Request,
  kind: IngestedKind,
): Promise<Response> {
  const principal = deps.authenticate(request.headers.get('authorization'))
  if (principal === null) {
    return problemResponse(401, 'Send a key of the role ingest as a Bearer token.', [], {
      'WWW-Authenticate': 'Bearer',
    })
  }
  if (principal.role !== 'ingest' && principal.role !== 'admin')
    return problemResponse(403, 'This key may not report events.')
  const read = await readBody(request, INGEST_BYTES_MAX)
  if (!('text' in read)) return problemResponse(read.status, read.detail)
  const body = parse(read.text)
  if (body === undefined) return problemResponse(400, 'The body is not JSON.')
  const single = !Array.isArray(body)
  const items: unknown[] = single ? [body] : body
  if (items.length === 0) return problemResponse(400, 'There is no event in the array.')
  if (items.length > INGEST_ITEMS_MAX)
    return problemResponse(400, `At most ${INGEST_ITEMS_MAX} events in one request.`)
  if (deps.log.overloaded) {
    deps.counters.add('shed')
    return logAway()
  }

  const refused: object[] = []
  const idField = kind === 'click' ? 'click_id' : 'impression_id'
  const now = deps.clock.now()
  const reader = new EventReader(deps, kind, principal.accountId, now)
  const gathered = new Gathered(deps.partitions)
  for (let index = 0; index < items.length; index++) {
    const item = items[index]
    const result = reader.read(item)
    if ('facts' in result) {
      gathered.add(result)
      continue
    }
    const { code, path, message } = result
    const sentence = `${path === '' ? 'an event' : path} ${message}`
    if (single) {
      return problemResponse(400, `The event is refused: ${sentence}.`, [{ path, message, code }])
    }
    const id = (item as Item | null)?.[idField]
    refused.push({ index, [idField]: typeof id === 'string' ? id : null, code, message: sentence })
  }
  const accepted = gathered.writeTo(deps, now)
  deps.counters.add('ingested', accepted)
  if (accepted > 0) {
    try {
      await deps.log.flushed()
    } catch {
      deps.counters.add('lost', accepted)
      return logAway()
    }
  }
  return Response.json({ accepted, refused }, { status: 202 })
}

/** An id counts once: whoever sends all of them again loses nothing and doubles nothing. */
function logAway(): Response {
  return problemResponse(503, 'The log does not take events now. Send them again.', [], {
    'Retry-After': '1',
  })
}

function parse(text: string): unknown {
  if (!jsonDepthWithin(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const encoder = new TextEncoder()
const event = new Uint8Array(INGESTED_BYTES_MAX)
const view = new DataView(event.buffer)
const idPlace = event.subarray(INGESTED_FIXED_BYTES)
const digest = new Uint8Array(32)

/** The events of one request by the partition of their ids: one record each, more where they do not fit one. */
class Gathered {
  private readonly byPartition: (EventBytes | undefined)[]
  /** In the order in which they filled up. */
  private readonly full: { readonly partition: number; readonly events: EventBytes }[] = []

  constructor(partitions: number) {
    this.byPartition = new Array<EventBytes | undefined>(partitions)
  }

  add({ id, facts, content, kept }: Accepted): void {
    const { written } = encoder.encodeInto(id, idPlace)
    const idEnd = INGESTED_FIXED_BYTES + written
    writeIngestedFacts(view, 0, idEnd, facts)
    const length = kept === null ? idEnd : writeKept(event, view, idEnd, kept)
    // Ids come from outside: a weaker hash could be made to take another's click for a repeat.
    Bun.SHA256.hash(keyText(facts.type, id), digest)
    for (let i = 0; i < CONTENT_AT - KEY_AT; i++) event[KEY_AT + i] = digest[i]!
    Bun.SHA256.hash(content, digest)
    for (let i = 0; i < 8; i++) event[CONTENT_AT + i] = digest[i]!
    const partition = hash32(id) % this.byPartition.length
    let events = this.byPartition[partition]
    if (events === undefined || events.byteLength + length > EVENTS_BYTES_MAX) {
      if (events !== undefined) this.full.push({ partition, events })
      events = new EventBytes()
      this.byPartition[partition] = events
    }
    events.add(event.subarray(0, length))
  }

  /** Lays them into the log's buffer; returns how many they are. */
  writeTo({ log }: EdgeDependencies, now: number): number {
    let count = 0
    for (const { partition, events } of this.full) count += writeRecord(log.buffer, partition, now, events)
    for (let partition = 0; partition < this.byPartition.length; partition++) {
      const events = this.byPartition[partition]
      if (events === undefined) continue
      count += writeRecord(log.buffer, partition, now, events)
    }
    return count
  }
}

function writeRecord(buffer: RecordBuffer, partition: number, now: number, events: EventBytes): number {
  const at = buffer.begin(RecordKind.ingestedEvents, partition, now, events.byteLength)
  buffer.payloadBytes().set(events.written(), at)
  return events.count
}
