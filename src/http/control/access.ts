import type { Role } from '../../campaigns/campaign.ts'
import { accountNumber } from '../../campaigns/edit.ts'
import { type EntityNumber, parseId } from '../../core/ids.ts'
import { HttpProblem } from '../problem.ts'

/** Who asks: what the key or JWT says. */
export interface Principal {
  readonly keyId: string
  readonly role: Role
  /** `adv_...`, `pub_...`, or null for admins and for keys over all accounts. */
  readonly accountId: string | null
}

/** What a key may see: everything, or what belongs to one advertiser or one publisher. */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'advertiser' | 'publisher'; readonly account: string; readonly number: EntityNumber }

/** 403 for roles that read nothing here (`ingest`). */
export function scopeOf(principal: Principal): Scope {
  if (principal.role === 'admin') return { kind: 'all' }
  if (principal.role === 'ingest') throw forbidden(principal)
  const account = principal.accountId
  if (account === null) {
    if (principal.role === 'reader') return { kind: 'all' }
    throw forbidden(principal)
  }
  const number = accountNumber(account)
  const kind = parseId('advertiser', account) === null ? 'publisher' : 'advertiser'
  if (number === null || (principal.role !== 'reader' && principal.role !== kind)) throw forbidden(principal)
  return { kind, account, number }
}

/** The scope, where it is of everything or of one of `kinds`; else 403. */
export function readScope(principal: Principal, ...kinds: readonly ('advertiser' | 'publisher')[]): Scope {
  const scope = scopeOf(principal)
  if (scope.kind !== 'all' && !kinds.includes(scope.kind)) throw forbidden(principal)
  return scope
}

/** As readScope, for what changes something: readers may not. */
export function writeScope(principal: Principal, ...kinds: readonly ('advertiser' | 'publisher')[]): Scope {
  if (principal.role === 'reader') throw forbidden(principal)
  return readScope(principal, ...kinds)
}

export function adminOnly(principal: Principal): void {
  if (principal.role !== 'admin') throw forbidden(principal)
}

export function owns(scope: Scope, kind: 'advertiser' | 'publisher', accountId: unknown): boolean {
  return scope.kind === 'all' || (scope.kind === kind && scope.account === accountId)
}

export function forbidden(principal: Principal): HttpProblem {
  return new HttpProblem(403, `A key of role ${principal.role} may not do this.`)
}

/** One answer for what is not there and for another account's: ids tell nothing. */
export function notThere(what: string): HttpProblem {
  return new HttpProblem(404, `There is no such ${what}.`)
}
