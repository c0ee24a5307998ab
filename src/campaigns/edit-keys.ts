import { unreachable } from '../core/assert.ts'
import { formatId } from '../core/ids.ts'
import { accepted, type Outcome, type Refusal, refused } from '../core/outcome.ts'
import { rfc3339 } from '../core/time.ts'
import type { Command } from '../records/events.ts'
import type { ApiKey } from './campaign.ts'
import { check } from './check-body.ts'
import * as schemas from './edit-schemas.ts'
import {
  accountNumber,
  created,
  type Directory,
  type Edit,
  type EditContext,
  found,
  malformed,
  noReference,
  notThere,
  parseAccount,
} from './edit-shared.ts'

export function createKey(directory: Directory, body: unknown, context: EditContext): Outcome<Edit> {
  const checked = check(schemas.keyCommand, body)
  if (!checked.ok) return malformed(checked)
  const { role, accountId, secretHash } = checked.value
  const fault = keyAccountFault(role, accountId)
  if (fault !== null) return fault
  const owner = accountNumber(accountId) ?? 0
  const kind = accountId?.startsWith('adv') ? 'advertiser' : 'publisher'
  if (accountId !== null && directory.get(kind, owner) === undefined)
    return noReference('accountId', 'account')
  const number = context.nextNumber('key')
  const id = formatId('key', number)
  const entity: ApiKey = { id, role, accountId, secretHash, revoked: false, createdAt: rfc3339(context.now) }
  return created('key', number, owner, entity, { role, accountId })
}

function keyAccountFault(role: ApiKey['role'], accountId: string | null): Refusal | null {
  const wrong = (message: string) =>
    refused(422, `A key of role ${role} ${message}.`, [{ path: 'accountId', message }])
  if (accountId !== null && accountNumber(accountId) === null) return noReference('accountId', 'account')
  switch (role) {
    case 'admin':
      return accountId === null ? null : wrong('has no account')
    case 'advertiser':
      return parseAccount('advertiser', accountId) === null ? wrong("needs an advertiser's id") : null
    case 'publisher':
      return parseAccount('publisher', accountId) === null ? wrong("needs a publisher's id") : null
    case 'ingest':
      return accountId !== null && parseAccount('advertiser', accountId) === null
        ? wrong("takes an advertiser's id or none")
        : null
    case 'reader':
      return null
    default:
      return unreachable(role)
  }
}

export function deleteKey(directory: Directory, command: Command): Outcome<Edit> {
  const current = found(directory, 'key', command.target)
  if (current === undefined) return notThere('key')
  return accepted({
    status: 204,
    kind: 'key',
    number: command.target!,
    owner: accountNumber(current.accountId) ?? 0,
    entity: { ...current, revoked: true },
    action: 'revoke',
    patch: null,
    version: 2,
    changed: !current.revoked,
  })
}
