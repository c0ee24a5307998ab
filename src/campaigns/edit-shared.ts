import { type EntityNumber, parseId } from '../core/ids.ts'
import { accepted, type FieldError, type Outcome, type Refusal, refused } from '../core/outcome.ts'
import type { EntityTable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import type { Advertiser, ApiKey, Campaign, Placement, Publisher } from './campaign.ts'
import { check, isObject, unknownNulls } from './check-body.ts'
import { mergePatch } from './edit-merge.ts'

export interface Entities {
  readonly advertiser: Advertiser
  readonly campaign: Campaign
  readonly publisher: Publisher
  readonly placement: Placement
  readonly key: ApiKey
}

export type Entity = Entities[EntityTable]

/** The entities of the partition that decides. */
export interface Directory {
  get<K extends EntityTable>(kind: K, number: EntityNumber): Entities[K] | undefined
}

export interface EditContext {
  readonly now: number
  /** The next number of its kind on the partition that decides. Called only by edits that are accepted. */
  nextNumber(kind: EntityTable | 'ad'): EntityNumber
}

/** What to store: the entity whole, and a row of history where it `changed`. */
export interface Edit {
  readonly status: 200 | 201 | 204
  readonly kind: EntityTable
  readonly number: EntityNumber
  /** The account that it belongs to: advertiser or publisher; 0 for a key without account. */
  readonly owner: EntityNumber
  readonly entity: Entity
  readonly action: 'create' | 'patch' | 'pause' | 'resume' | 'addAd' | 'patchAd' | 'revoke'
  readonly patch: unknown
  /** Of the row of history. Keys have no version of their own: 1 as made, 2 as revoked. */
  readonly version: number
  /** False where the entity is so already: answer it, store nothing. */
  readonly changed: boolean
}

/** What a patch never changes, with what to do instead. */
export type Fixed = Readonly<Record<string, string>>

export const FIXED: Fixed = {
  id: 'cannot be changed',
  createdAt: 'cannot be changed',
  version: 'cannot be changed',
}

export function merge<S extends Parameters<typeof check>[0]>(
  current: unknown,
  patch: unknown,
  fixed: Fixed,
  schema: S,
): Outcome<ReturnType<S['parse']>> {
  if (!isObject(patch))
    return refused(400, 'A patch is a JSON object.', [{ path: '', message: 'must be an object' }])
  const errors: FieldError[] = Object.keys(patch)
    .filter(key => Object.hasOwn(fixed, key))
    .map(path => ({ path, message: fixed[path]! }))
  if (errors.length > 0) return refused(422, 'The patch names fields that it cannot change.', errors)
  // A member that the schema does not have would vanish unseen where its value is null.
  const checked = check(schema, mergePatch(current, patch))
  const unknown = unknownNulls(schema, current, patch)
  if (!checked.ok) return malformed({ status: checked.status, errors: [...checked.errors, ...unknown] })
  if (unknown.length > 0) return malformed({ status: 400, errors: unknown })
  return accepted(checked.value as ReturnType<S['parse']>)
}

export function created(
  kind: EntityTable,
  number: EntityNumber,
  owner: EntityNumber,
  entity: Entity,
  patch: unknown,
): Outcome<Edit> {
  return accepted({
    status: 201,
    kind,
    number,
    owner,
    entity,
    action: 'create',
    patch,
    version: 1,
    changed: true,
  })
}

export function patched<E extends Advertiser | Publisher | Placement>(
  kind: 'advertiser' | 'publisher' | 'placement',
  command: Command,
  owner: EntityNumber,
  current: E,
  next: E,
): Outcome<Edit> {
  const changed = !same(current, next)
  const entity = changed ? { ...next, version: current.version + 1 } : current
  return accepted({
    status: 200,
    kind,
    number: command.target!,
    owner,
    entity,
    action: 'patch',
    patch: command.body,
    version: entity.version,
    changed,
  })
}

/** Entities of a kind are built with their fields in one order. */
export function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

export function found<K extends EntityTable>(
  directory: Directory,
  kind: K,
  number: number | null,
): Entities[K] | undefined {
  return number === null ? undefined : directory.get(kind, number)
}

export function parseAccount(kind: 'advertiser' | 'publisher', id: unknown): EntityNumber | null {
  return typeof id === 'string' ? parseId(kind, id) : null
}

/** The number in an account id, be it an advertiser's or a publisher's; null for what is none. */
export function accountNumber(id: unknown): EntityNumber | null {
  return parseAccount('advertiser', id) ?? parseAccount('publisher', id)
}

export function malformed(checked: {
  readonly status: 400 | 422
  readonly errors: readonly FieldError[]
}): Refusal {
  const detail =
    checked.status === 400 ? 'The body has fields that are not right.' : 'The body breaks a rule.'
  return refused(checked.status, detail, checked.errors)
}

export function notThere(what: string): Refusal {
  return refused(404, `There is no such ${what}.`)
}

export function noReference(path: string, what: string): Refusal {
  return refused(422, `The body refers to something that is not there.`, [
    { path, message: `there is no such ${what}` },
  ])
}
