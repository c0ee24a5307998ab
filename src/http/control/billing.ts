import { isObject } from '../../campaigns/check-body.ts'
import { refundBody } from '../../campaigns/edit-schemas.ts'
import { parseId } from '../../core/ids.ts'
import { HttpProblem } from '../problem.ts'
import { adminOnly, notThere, owns, readScope, type Scope, scopeOf } from './access.ts'
import { PAGE_QUERY } from './accounts.ts'
import * as answers from './answers.ts'
import type { ControlDeps } from './deps.ts'
import type { Routes } from './routes.ts'
import { created, json, submit } from './submit.ts'

const tag = 'Billing'

export function billingRoutes(routes: Routes, deps: ControlDeps): void {
  routes.add(
    {
      method: 'get',
      path: '/v1/charges/{eventId}',
      tag,
      summary: 'Read what became of an event',
      description:
        'By impression id, or by the click id of an ingested event. 404 until its first billable event.',
      roles: 'admin; advertiser and reader their own',
      answer: {
        status: 200,
        description: 'The charge with every state that it passed',
        schema: answers.charge,
      },
    },
    async call => {
      const charge = await findCharge(deps, call.param('eventId'), readScope(call.principal, 'advertiser'))
      const { advertiserId: _, ...rest } = charge
      return json(200, rest)
    },
  )
  routes.add(
    {
      method: 'post',
      path: '/v1/charges/{eventId}/refund',
      tag,
      summary: 'Give money back',
      description: 'Without an amount all that is left of the charge. More than was charged is 422.',
      roles: 'admin',
      body: refundBody,
      answer: { status: 201, description: 'The refund', schema: answers.refund },
    },
    async call => {
      adminOnly(call.principal)
      const eventId = call.param('eventId')
      const charge = await findCharge(deps, eventId, { kind: 'all' })
      const said = await call.body(refundBody)
      const target = parseId('campaign', String(charge['campaignId']))
      if (target === null) throw notThere('charge')
      refuseUnsettled(charge['state'])
      const { body } = await submit(deps, call, { name: 'refund', target, body: { eventId, ...said } })
      // A refund is a state of its charge.
      return created(body, `/v1/charges/${encodeURIComponent(eventId)}`)
    },
  )
  ledgerRoutes(routes, deps)
}

/** Only what was charged is refunded. A block of impressions is charged when its second is over. */
function refuseUnsettled(state: unknown): void {
  if (state === 'rejected') {
    const message = 'nothing was charged for this event'
    throw new HttpProblem(422, 'There is nothing to refund.', [{ path: 'amountMicros', message }])
  }
  if (state === 'pending' || state === 'reserved')
    throw new HttpProblem(409, `The charge is ${state}: try again once it is charged.`)
}

async function findCharge(deps: ControlDeps, eventId: string, scope: Scope) {
  const charge = await deps.queries.charge(eventId)
  if (charge === null || !owns(scope, 'advertiser', charge.advertiserId)) throw notThere('charge')
  return charge
}

function ledgerRoutes(routes: Routes, deps: ControlDeps): void {
  const wholeLedger = 'admin; reader without an account'
  routes.add(
    {
      method: 'get',
      path: '/v1/ledger/balances',
      tag,
      summary: "Balances of the ledger's accounts",
      roles: 'admin; others see the accounts named after theirs',
      answer: { status: 200, description: 'Balances', schema: answers.balances },
    },
    async call => {
      const scope = scopeOf(call.principal)
      return json(200, visibleBalances(await deps.queries.balances(), scope))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ledger/entries',
      tag,
      summary: 'Entries in chain order',
      roles: wholeLedger,
      query: [
        { name: 'account', description: 'Entries that post to this account' },
        { name: 'chain', description: 'Entries of this chain' },
        { name: 'after', description: 'The id of the entry before, or, with `chain`, its sequence' },
        ...PAGE_QUERY,
      ],
      answer: { status: 200, description: 'A page of entries', schema: answers.pageOf(answers.entry) },
    },
    async call => {
      readScope(call.principal)
      const account = call.query.text('account')
      const chain = call.query.text('chain')
      const after = call.query.text('after')
      const { limit, cursor } = call.query.page('entry')
      if (
        after !== null &&
        parseId('entry', after) === null &&
        !(chain !== null && /^\d{1,13}$/.test(after))
      ) {
        call.query.fault('after', 'must be the id of an entry, or, with chain, a sequence')
      }
      call.query.done()
      return json(200, await deps.queries.entries({ account, chain, after: cursor ?? after, limit }))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ledger/entries/{id}',
      tag,
      summary: 'Read an entry',
      roles: wholeLedger,
      answer: { status: 200, description: 'The entry', schema: answers.entry },
    },
    async call => {
      readScope(call.principal)
      const entry = await deps.queries.entry(call.param('id'))
      if (entry === null) throw notThere('entry')
      return json(200, entry)
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ledger/entries/{id}/charges',
      tag,
      summary: 'Items of a block of charged impressions',
      description:
        'In the order of the Merkle tree (RFC 9162) whose root the entry holds; all of them where no `limit` is given.',
      roles: wholeLedger,
      query: PAGE_QUERY,
      answer: { status: 200, description: 'The items', schema: answers.pageOf(answers.entryCharge) },
    },
    async call => {
      readScope(call.principal)
      const paged = call.query.text('limit') !== null || call.query.text('cursor') !== null
      const { limit, cursor } = call.query.page()
      call.query.done()
      const charges = await deps.queries.entryCharges(call.param('id'))
      if (charges === null) {
        if ((await deps.queries.entry(call.param('id'))) === null) throw notThere('entry')
        throw new HttpProblem(404, 'This entry is no block of impressions: it has no list of charges.')
      }
      // Whole where no page is asked for: the Merkle root is over all of them.
      if (!paged) return json(200, { ...charges, nextCursor: null })
      const from = Number(cursor ?? 0)
      const items = charges.items.slice(from, from + limit)
      return json(200, {
        items,
        nextCursor: from + limit < charges.items.length ? String(from + limit) : null,
      })
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ledger/verify',
      tag,
      summary: 'Check every chain from its first entry on',
      roles: wholeLedger,
      answer: { status: 200, description: 'What was found', schema: answers.verification },
    },
    async call => {
      readScope(call.principal)
      return json(200, await deps.queries.verify())
    },
  )
}

function visibleBalances(balances: unknown, scope: Scope): unknown {
  if (scope.kind === 'all' || !isObject(balances) || !Array.isArray(balances['items'])) return balances
  const visible = new Set([
    `advertiser:${scope.account}`,
    `credit:${scope.account}`,
    `publisher:${scope.account}`,
  ])
  return {
    ...balances,
    items: balances['items'].filter(item => isObject(item) && visible.has(String(item['account']))),
  }
}
