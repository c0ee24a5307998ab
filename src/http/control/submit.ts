import { createHash } from 'node:crypto'
import { isObject } from '../../campaigns/check-body.ts'
import { commandPartition, type EditCommand } from '../../campaigns/edit.ts'
import { hash32, utf8 } from '../../core/bytes.ts'
import type { EntityNumber } from '../../core/ids.ts'
import type { FieldError } from '../../core/outcome.ts'
import type { CommandOutcome, Commands } from '../../ports/control.ts'
import type { Command } from '../../records/events.ts'
import { RECORD_BYTES_MAX } from '../../records/record.ts'
import { HttpProblem } from '../problem.ts'
import { canonicalJson } from './read-json.ts'
import type { Call } from './routes.ts'

// Room for the header and for the effect that carries a command from its claim to its partition.
const COMMAND_BYTES_MAX = RECORD_BYTES_MAX - 16_384

export interface Submission {
  readonly name: EditCommand | 'deposit' | 'refund'
  readonly target: EntityNumber | null
  readonly body: unknown
  /** What the caller said, where the command's body holds more: a repeat has to hash the same. */
  readonly said?: unknown
}

export interface Submitter {
  readonly commands: Commands
  randomId(): string
  now(): number
}

/** Sends an edit to the partition that decides it. Refusals are thrown as HttpProblem. */
export async function submit(
  deps: Submitter,
  call: Call,
  submission: Submission,
): Promise<{ status: number; body: Record<string, unknown>; replayed: boolean }> {
  const { commands } = deps
  const { name, target, body } = submission
  const { keyId, role, accountId } = call.principal
  const claim = claimOf(call, submission.said ?? body, commands.partitions)
  const requestId = deps.randomId()
  const command: Command = {
    requestId,
    home: commandPartition({ name, requestId, target, body }, commands.partitions),
    actor: { keyId, role, accountId },
    at: deps.now(),
    name,
    target,
    body,
    ...(claim === null ? {} : { claim }),
  }
  if (utf8(JSON.stringify(command)).length > COMMAND_BYTES_MAX)
    throw new HttpProblem(413, 'The body is too large.')
  const partition = claim?.partition ?? command.home
  const outcome = await commands.submit(partition, command)
  if (outcome.status >= 400) throw problemOf(outcome)
  const { replayed, ...rest } = isObject(outcome.body) ? outcome.body : {}
  return { status: outcome.status, body: rest, replayed: replayed === true }
}

function claimOf(call: Call, said: unknown, partitions: number): NonNullable<Command['claim']> | null {
  const given = call.method === 'POST' ? call.request.headers.get('idempotency-key') : null
  if (given === null) return null
  if (given.length < 1 || given.length > 255) {
    const message = 'must have 1 to 255 characters'
    throw new HttpProblem(400, `Idempotency-Key ${message}.`, [{ path: 'Idempotency-Key', message }])
  }
  const key = `${call.principal.accountId ?? ''}\n${given}`
  const bodyHash = createHash('sha256')
    .update(`${call.method} ${call.path}\n${canonicalJson(said ?? null)}`)
    .digest('hex')
  return { partition: hash32(key) % partitions, key, bodyHash }
}

function problemOf(outcome: CommandOutcome): HttpProblem {
  const body = isObject(outcome.body) ? outcome.body : {}
  const detail = typeof body['detail'] === 'string' ? body['detail'] : 'The edit was refused.'
  const errors = Array.isArray(body['errors']) ? (body['errors'] as FieldError[]) : []
  return new HttpProblem(outcome.status, detail, errors)
}

/** 201, and where it is from now on (RFC 9110 section 15.3.2). */
export function created(body: unknown, location: string): Response {
  return json(201, body, { Location: location })
}

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers },
  })
}
