import { isObject } from '../../campaigns/check-body.ts'
import { type EntityNumber, parseId, partitionOf } from '../../core/ids.ts'
import type { EntityTable } from '../../ports/control.ts'
import { HttpProblem } from '../problem.ts'
import { notThere, owns, type Scope } from './access.ts'
import type { ControlDeps } from './deps.ts'
import type { Call } from './routes.ts'

export interface Found {
  readonly id: string
  readonly number: EntityNumber
  readonly entity: Record<string, unknown>
}

/** Which field of an entity names the account that it belongs to. */
const OWNERS = {
  advertiser: { kind: 'advertiser', field: 'id' },
  campaign: { kind: 'advertiser', field: 'advertiserId' },
  publisher: { kind: 'publisher', field: 'id' },
  placement: { kind: 'publisher', field: 'publisherId' },
} as const

/** The entity of that id, where it is there and in scope; else 404. */
export async function findEntity(
  deps: ControlDeps,
  table: Exclude<EntityTable, 'key'>,
  id: string,
  scope: Scope,
): Promise<Found> {
  const found = await lookUp(deps, table, id)
  const owner = OWNERS[table]
  if (found === null || !owns(scope, owner.kind, found.entity[owner.field])) throw notThere(table)
  return found
}

export async function lookUp(deps: ControlDeps, table: EntityTable, id: string): Promise<Found | null> {
  const number = parseId(table, id)
  if (number === null || partitionOf(number) >= deps.commands.partitions) return null
  const entity = await deps.queries.entity(table, number)
  return isObject(entity) ? { id, number, entity: shown(entity) } : null
}

/** An entity without what only we may know. */
export function shown(entity: Record<string, unknown>): Record<string, unknown> {
  const { secretHash: _, ...rest } = entity
  return rest
}

/**
 * Checks an account that a body names: 422 where it is not there; for a key with an account of its own, any other
 * account is 404, there or not.
 */
export async function requireAccount(
  deps: ControlDeps,
  scope: Scope,
  kind: 'advertiser' | 'publisher',
  path: string,
  id: unknown,
): Promise<void> {
  if (!owns(scope, kind, id)) throw notThere(kind)
  const found = typeof id === 'string' ? await lookUp(deps, kind, id) : null
  if (found === null) throw noReference(path, kind)
}

/** Few queries may wait for a reader: one campaign must not take the room of everybody else's. */
const LOOK_UPS_AT_ONCE = 50

/** Placements live on other partitions than campaigns: they are checked here, before the edit enters the log. */
export async function requirePlacements(deps: ControlDeps, body: Record<string, unknown>): Promise<void> {
  const targeting = body['targeting']
  const placements = isObject(targeting) ? targeting['placements'] : undefined
  if (!Array.isArray(placements)) return
  // Of a patch the form is not checked yet: what is too long or no text is for the one who decides.
  if (placements.length > 1000) return
  const known = new Set<unknown>()
  const wanted = [...new Set(placements)].filter(id => typeof id === 'string')
  for (let at = 0; at < wanted.length; at += LOOK_UPS_AT_ONCE) {
    const some = wanted.slice(at, at + LOOK_UPS_AT_ONCE)
    const found = await Promise.all(some.map(id => lookUp(deps, 'placement', id)))
    for (let i = 0; i < some.length; i++) if (found[i] !== null) known.add(some[i])
  }
  const errors = placements
    .map((id, index) => (typeof id !== 'string' || known.has(id) ? -1 : index))
    .filter(index => index >= 0)
    .map(index => ({ path: `targeting.placements[${index}]`, message: 'there is no such placement' }))
  if (errors.length > 0) throw new HttpProblem(422, 'The body refers to something that is not there.', errors)
}

export function noReference(path: string, what: string): HttpProblem {
  const message = `there is no such ${what}`
  return new HttpProblem(422, 'The body refers to something that is not there.', [{ path, message }])
}

/** A page of a table: of the account in scope, or of the one that the query filters by. */
export async function listPage(
  deps: ControlDeps,
  call: Call,
  table: EntityTable,
  scope: Scope,
  filter: { readonly kind: 'advertiser' | 'publisher'; readonly name: string } | null,
): Promise<{ items: readonly unknown[]; nextCursor: string | null }> {
  const { limit, cursor } = call.query.page()
  const wanted = filter === null ? null : call.query.text(filter.name, 40)
  call.query.done()
  let owner = scope.kind === 'all' ? null : scope.number
  if (filter !== null && wanted !== null) {
    if (!owns(scope, filter.kind, wanted)) throw notThere(filter.kind)
    owner = parseId(filter.kind, wanted)
    if (owner === null || (await lookUp(deps, filter.kind, wanted)) === null) throw notThere(filter.kind)
  }
  const page = await deps.queries.list(table, { owner }, limit, cursor)
  return { items: page.items.map(item => (isObject(item) ? shown(item) : item)), nextCursor: page.nextCursor }
}
